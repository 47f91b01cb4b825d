"""One that has a record in every batch: its time passes as for any other."""

import orjson
import pytest
from contract import logs
from memory_pipeline import Line

from streams import rfc3339
from streams.audience import Row

KEY = b"fliggy:b"


class Minutes(Line):
    """One partition with a batch each 10 s that has caught up, from minute 0 of the logs on."""

    def __init__(self, **settings):
        super().__init__(1, **settings)
        self.batches = 0

    def batch(self, *told, caught_up=True, age=0):
        """A batch of events: the minute of each, and what it says; `age` s old by Kafka's clock."""
        self.now = logs.START * 60.0 + 10 * self.batches
        self.batches += 1
        for minute, fields in told:
            at = rfc3339.text((logs.START + minute) * logs.MINUTE)
            value = orjson.dumps({"platform": "fliggy", "broadcast": "b", "at": at, **fields})
            self.append(self.topics.events.name, 0, KEY, value, int(self.now - age) * 1000)
        return self.broadcasts.batch(0, len(told), caught_up=caught_up).result

    @property
    def row(self):
        row = self.broadcasts.rows[0].read(KEY)
        assert isinstance(row, Row)
        return row

    def statuses(self):
        log = self.log[self.topics.broadcast_summaries.name, 0]
        return [orjson.loads(record.value)["status"] for record in log]


IDLE = (2, {"viewers": 0})
LATE = (-20, {"viewers": 7})


@pytest.mark.parametrize("noise", [(IDLE,), (LATE,), (IDLE, LATE)])
async def test_an_ended_one_is_final_whatever_is_told_that_is_idle(noise):
    line = Minutes()
    line.batch((0, {"viewers": 5}), (1, {"kind": "ended"}))
    finalised = [line.batch(*noise).finalised for _ in range(110)]
    assert sum(finalised) == 1
    # Its lateness of 15 min and the margin, by the clock, and a bucket of the timers at most.
    assert finalised.index(1) in {95, 96}
    assert line.statuses() == ["ended", "final"]


async def test_what_is_late_holds_nothing_open():
    line = Minutes()
    line.batch((0, {"viewers": 5}))
    finalised = [line.batch(LATE).finalised for _ in range(110)]
    assert finalised.index(1) in {95, 96}
    assert line.row.late == 110


async def test_one_that_is_told_something_new_is_not_final():
    line = Minutes()
    line.batch((0, {"viewers": 5}), (1, {"kind": "ended"}))
    finalised = [line.batch((1, {"title": f"title {n:03}"})).finalised for n in range(110)]
    assert sum(finalised) == 0
    assert line.row.status == "ended"


async def test_one_of_which_something_is_accepted_is_not_final():
    line = Minutes()
    line.batch((0, {"viewers": 5}))
    assert sum(line.batch((0, {"joins": 1})).finalised for _ in range(110)) == 0
    assert line.row.status == "live"


async def test_viewers_are_stale_though_joins_are_told():
    line = Minutes()
    line.batch((0, {"viewers": 5}))
    told = []
    for number in range(1, 40):
        line.batch((0, {"joins": number}))
        told.append(line.row.contribution)
    assert told[:28] == [5] * 28
    assert told[31:] == [None] * 8
    line.drain()
    assert line.heads()["world"].viewers is None
    assert line.heads()["world"].live == 1


async def test_viewers_with_a_timestamp_of_long_ago_never_count_once_their_partition_is_read():
    line = Minutes()
    for number in range(12):
        line.batch((number // 6 - 8, {"viewers": 5}), caught_up=number != 0, age=360)
        assert line.row.contribution == (None if number else 5)
        assert line.row.status == "live"


async def test_it_waits_while_its_partition_is_behind():
    line = Minutes()
    line.batch((0, {"viewers": 5}), (1, {"kind": "ended"}))
    assert sum(line.batch(IDLE, caught_up=False).finalised for _ in range(110)) == 0
    assert line.batch(IDLE).finalised == 1


@pytest.mark.parametrize("caught_up", [True, False])
async def test_what_was_told_long_ago_is_stale_once_its_partition_has_caught_up(caught_up):
    line = Minutes()
    line.append(
        line.topics.events.name,
        0,
        KEY,
        orjson.dumps(
            {"platform": "fliggy", "broadcast": "b", "viewers": 5, "at": "2026-02-02T01:40:00Z"}
        ),
        (logs.START - 60) * logs.MINUTE_MS,
    )
    line.now = logs.START * 60.0
    line.broadcasts.batch(0, 1)
    for _ in range(3):
        line.batch(caught_up=caught_up)
    assert line.row.contribution == (None if caught_up else 5)
