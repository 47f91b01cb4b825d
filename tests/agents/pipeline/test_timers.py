"""The timers of a worker against such as look at every row with each tick: late by little.

The twin's comparison runs timers that look at everything, so it cannot show that one is forgotten.
"""

import asyncio

import pytest
from contract import logs
from driven_pipeline import Code, Exact
from hypothesis import given
from hypothesis import strategies as st

from agents.pipeline.broadcasts import agent as module
from agents.pipeline.broadcasts.lifecycle import Timers
from streams.audience import Row

TICK_MS = 5_000
QUIET_MS = 30 * logs.MINUTE_MS
"""Nothing is left to happen so long after a record, but for rows that go."""
SHORT_WAITS = logs.SHORT | {"AUDIENCE_STALE": "1m", "AUDIENCE_SILENCE": "2m"}


class Pair:
    """The same pipeline twice, with timers of both kinds."""

    def __init__(self, environment):
        self.codes = {}
        for timers in (Exact, Timers):
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(module, "Timers", timers)
                self.codes[timers] = Code(environment)
        self.seen = []

    def restart(self):
        for timers, code in self.codes.items():
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(module, "Timers", timers)
                code.broadcasts.start()

    def read(self, now, records, *, caught_up):
        """One batch, at a time in milliseconds."""
        for code in self.codes.values():
            code.at(now)
            for record in records:
                code.append(
                    code.topics.events.name,
                    0,
                    record.key,
                    record.value,
                    record.timestamp,
                    log_append=record.log_append,
                )
            code.broadcasts.batch(0, len(records), caught_up=caught_up)

    def tick(self, now, records):
        """A batch that has caught up, after which both must have come to the same."""
        self.read(now, records, caught_up=True)
        self.seen.append(states(self.codes[Exact]))
        for key, state in states(self.codes[Timers]).items():
            # A bucket is 5 s, and what a batch has just changed is looked at with the next.
            assert state in [seen.get(key) for seen in self.seen[-4:]]


def states(code):
    rows = code.broadcasts.rows[0]
    return {
        key: (row.run, row.status, row.fresh, row.contribution is None)
        if isinstance(row := rows.read(key), Row)
        else "gone"
        for key in rows
    }


@logs.tried(8)
@given(st.data())
def test_no_timer_is_forgotten(data):
    environment = data.draw(st.sampled_from([logs.SHORT, SHORT_WAITS]))
    records = data.draw(logs.logs(environment))
    noisy = data.draw(st.booleans())
    behind = data.draw(st.booleans())
    restarts = data.draw(st.sets(st.integers(1, 100), max_size=2))
    asyncio.run(follow(environment, records, restarts, noisy=noisy, behind=behind))


async def follow(environment, records, restarts, *, noisy, behind):
    """Tick while something may happen.

    `noisy`: the last record comes again with each tick; `behind`: all are read at once, late.
    """
    pair, waiting, now = Pair(environment), list(records), records[0].read_at
    if behind:
        now = records[-1].read_at
        pair.read(now, waiting, caught_up=False)
        waiting.clear()
    last = now
    for number in range(600):
        if number in restarts:
            pair.restart()
        now += TICK_MS
        if now - last > QUIET_MS:
            if not waiting:
                break
            now = waiting[0].read_at
        batch = []
        while waiting and waiting[0].read_at <= now:
            batch.append(waiting.pop(0))
            last = now
        pair.tick(now, batch or records[-1:] if noisy and not waiting else batch)
