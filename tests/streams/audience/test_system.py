"""Rows, deltas and scopes against the brute-force system, in any batching."""

from collections import Counter
from dataclasses import replace

import pytest
from contract import logs
from contract.summaries import COUNTS
from contract.twin import Twin
from hypothesis import given
from hypothesis import strategies as st
from system import System

from streams.audience.row import Row


def but_counts(summaries):
    return {
        key: {name: value for name, value in summary.items() if name not in COUNTS}
        for key, summary in summaries.items()
    }


def compare(system, twin):
    assert but_counts(system.published) == but_counts(twin.last_published())
    assert system.relabelled == twin.relabelled()
    here = []
    for key in system.rows:
        row = system.state(key)
        if not isinstance(row, Row):
            continue
        life = twin._state[key]
        here.append(life)
        assert system.summary(key) == twin.summary(life.key)
        assert row.contribution == (
            twin.summary(life.key)["viewers"] if twin.counts_now(life.key) else None
        )
    assert sorted(system.heads) == twin.scopes()
    for name in twin.scopes():
        assert system.scope(name) == twin.scope(name), name
        sums = Counter()
        for life in twin.runs:
            if name in life.scopes():
                sums.update(life.run.in_scopes())
        minutes = system.minutes(name)
        assert {m: a for m, a in minutes.items() if a} == {m: a for m, a in sums.items() if a}
        assert minutes.keys() <= sums.keys()
        active = any(
            life.status == "live" or twin._is_fresh(life) for life in here if name in life.scopes()
        )
        assert system.head(name).is_active == active
    assert not system.missed


@logs.tried(400)
@given(st.data())
def test_the_system_does_what_its_twin_does(data):
    environment = data.draw(logs.environments())
    actions = data.draw(logs.driven(data.draw(logs.logs(environment))))
    twin, system = Twin(environment), System(environment, data.draw(st.sampled_from([4, 10**6])))
    for action in actions:
        logs.drive(twin, [action])
        if isinstance(action, logs.Advance):
            system.advance(action.now, (0,) if action.behind else ())
            compare(system, twin)
        else:
            system.feed(action)
            if data.draw(st.sampled_from([False] * 4 + [True])):
                system.end_batch()
    for days in (1, 301):
        now = twin.now + days * logs.DAY_MS
        twin.advance(now)
        system.advance(now)
        compare(system, twin)
    assert system.published == twin.last_published()


@pytest.mark.parametrize("viewers", [None, 7])
@pytest.mark.parametrize("wait", [3, 13, 17, 70])
def test_a_row_that_is_stale_or_final_moves_to_another_scope(wait, viewers):
    """Nothing of it is sealed, for nothing was told since."""
    twin, system = Twin(), System({})
    fields = {"platform": "twitch", "broadcast": "b"}
    at = logs.START * logs.MINUTE
    first = logs.Shown(at, {**fields, "viewers": 5})
    told = {"programme": "day", "venue": "louvre"}
    later = logs.Shown(at, {**fields, **told, **({} if viewers is None else {"viewers": viewers})})
    for shown, minutes in ((first, 0), (later, wait)):
        record = logs.arrive(shown, at // 1000 + minutes * logs.MINUTE_MS)
        for each in (twin, system):
            each.advance(record.read_at)
            each.feed(record)
            each.advance(record.read_at)
        compare(system, twin)
    assert system.scope("venue:unknown")["broadcasts"] == 0
    assert system.scope("programme:day")["broadcasts"] == 1


@pytest.mark.parametrize("more", [{"title": "later"}, {"viewers": 0}, {"kind": "ended"}])
def test_what_comes_after_an_end_and_leaves_it_holds_nothing_open(more):
    twin, system = Twin(), System({})
    fields = {"platform": "twitch", "broadcast": "b"}
    at = logs.START * logs.MINUTE
    shows = [(0, {"viewers": 5}), (1, {"kind": "ended"}), (5, more), (9, more)]
    records = [
        logs.arrive(logs.Shown(at + minute * logs.MINUTE, fields | said), 0)
        for minute, said in shows
    ]
    finals = []
    for minute in range(40):
        now = at // 1000 + minute * logs.MINUTE_MS
        for (when, _), record in zip(shows, records, strict=True):
            if when == minute:
                for each in (twin, system):
                    each.feed(replace(record, timestamp=now, read_at=now))
        for each in (twin, system):
            each.advance(now)
        compare(system, twin)
        finals.append(system.published.get("twitch:b", {}).get("status"))
    # 15 min of lateness and a margin of 1 after the last that was not idle.
    assert finals.index("final") == (25 if more == {"kind": "ended"} else 17)
