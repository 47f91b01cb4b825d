"""What a batch of viewer events sends to the scopes."""

import gc
from types import SimpleNamespace

import orjson
import pytest
from contract.reading import Record
from contract.twin import Twin
from memory_pipeline import Line, fail_at_666

from agents.pipeline.broadcasts import deltas as module
from streams import rfc3339
from streams.audience import MINUTE, Row
from streams.audience.scope_codec import decode_delta

START = 26_500_000
KEY = b"fliggy:b1"
#: When all is read: just after it happened.
NOW = (START + 60) * 60


def record(minute, *, broadcast="b1", platform="fliggy", timestamp=0, **fields):
    at = int((START + minute) * MINUTE)
    event = {"platform": platform, "broadcast": broadcast, "at": rfc3339.text(at), **fields}
    return SimpleNamespace(
        partition=0,
        key=f"{platform}:{broadcast}".encode(),
        value=orjson.dumps(event),
        timestamp=at // 1000 + timestamp,
    )


def begun(**settings):
    line = Line(1, **settings)
    line.now = NOW
    return line


@pytest.fixture
async def line():
    return begun()


SUMS = (
    "viewer_minutes",
    "joins",
    "views",
    "peak_sum",
    "broadcasts",
    "live",
    "viewers",
    "contributing",
    "fresh",
)


def told(line, *records, **options):
    """What one batch of them sends, by scope."""
    line.send(records)
    batch = line.broadcasts.batch(0, 1_000, **options)
    changes = {}
    for output in batch.outputs:
        if output.topic == line.topics.scope_deltas.name:
            changes.setdefault(output.key.decode(), []).append(decode_delta(output.value))
    return changes


async def test_one_record_for_each_scope_of_a_batch(line):
    changes = told(
        line,
        record(0, viewers=5, venue="louvre", programme="night"),
        record(0, viewers=7, broadcast="b2"),
        record(1, viewers=1, broadcast="b3", platform="kick", venue="louvre", timestamp=9),
    )
    assert {name: len(told) for name, told in changes.items()} == dict.fromkeys(
        [
            "world",
            "platform:fliggy",
            "platform:kick",
            "venue:louvre",
            "venue:unknown",
            "programme:night",
        ],
        1,
    )
    [world] = changes["world"]
    assert world.minutes == {START: 12, START + 1: 13, START + 2: 13, START + 3: 1}
    assert world.known == {START: 2, START + 1: 3, START + 2: 3, START + 3: 1}
    assert (world.viewer_minutes, world.peak_sum, world.broadcasts, world.live) == (13, 13, 3, 3)
    assert (world.viewers, world.contributing, world.fresh) == (13, 3, 3)
    assert world.minute == START + 1
    assert world.timestamp == (START + 1) * 60_000 + 9
    [louvre] = changes["venue:louvre"]
    assert louvre.minutes == {START: 5, START + 1: 6, START + 2: 6, START + 3: 1}
    assert changes["programme:night"][0].minutes == dict.fromkeys(range(START, START + 3), 5)


async def test_a_batch_that_changes_no_figure_tells_of_the_minute_alone(line):
    told(line, record(40, viewers=5))
    changes = told(line, record(40, viewers=5), record(3, viewers=9))
    for [change] in changes.values():
        assert not any(getattr(change, name) for name in (*SUMS, "minutes", "known"))
        assert change.minute == START + 40
    assert told(line) == {}
    assert told(line, record(3, viewers=9)) == {}


async def test_what_cancels_out_is_not_told(line):
    told(line, record(0, viewers=5), record(0, viewers=5, broadcast="b2"))
    one, other = record(0, viewers=6), record(0, viewers=4, revision=1, broadcast="b2")
    for [change] in told(line, one, other).values():
        assert not any(getattr(change, name) for name in (*SUMS, "minutes", "known"))
    changes = told(
        line, record(0, viewers=7), record(0, viewers=3, joins=1, revision=2, broadcast="b2")
    )
    [world] = changes["world"]
    assert (world.minutes, world.known, world.viewer_minutes, world.joins) == ({}, {}, 0, 1)


@pytest.mark.parametrize(
    ("event", "changed"),
    [
        ({"joins": 3}, {"joins": 3}),
        ({"views": 99}, {"views": 95}),
        ({"viewers": 9}, {"peak_sum": 4}),  # before the one that is the minute's audience
    ],
)
async def test_a_change_of_one_figure_alone_is_told(line, event, changed):
    told(line, record(0.5, viewers=5, views=4))
    [world] = told(line, record(0, **event))["world"]
    assert {name: by for name in SUMS if (by := getattr(world, name))} == changed
    assert (world.minutes, world.known, world.minute) == ({}, {}, START)


async def test_one_that_ends_as_another_begins_changes_only_what_each_has_alone(line):
    told(line, record(0, viewers=5))
    changes = told(line, record(0, kind="ended"), record(1, viewers=5, broadcast="b2"))
    [world] = changes["world"]
    assert (world.minutes, world.known, world.live) == ({START + 3: 5}, {START + 3: 1}, 0)


async def test_a_broadcast_moves_with_all_it_has_added_until_a_minute_is_sealed(line):
    told(line, record(0, viewers=5, joins=2))
    changes = told(line, record(1, viewers=6, venue="prado"), record(2, viewers=6))
    assert changes.keys() == {"world", "platform:fliggy", "venue:prado", "venue:unknown"}
    [left], [entered] = changes["venue:unknown"], changes["venue:prado"]
    assert left.minutes == dict.fromkeys(range(START, START + 3), -5)
    assert (left.broadcasts, left.live, left.viewers, left.joins) == (-1, -1, -5, -2)
    assert entered.minutes == {START: 5} | dict.fromkeys(range(START + 1, START + 5), 6)
    assert (entered.broadcasts, entered.live, entered.viewers, entered.joins) == (1, 1, 6, 2)
    told(line, record(30, viewers=6))
    changes = told(line, record(31, viewers=6, venue="louvre"))
    assert changes.keys() == {"world", "platform:fliggy", "venue:prado"}


async def test_a_final_broadcast_leaves_what_it_has_added(line):
    told(line, record(0, viewers=5, programme="night"))
    line.now += 10_000
    changes = told(line, caught_up=True)
    assert changes.keys() == {"world", "platform:fliggy", "venue:unknown", "programme:night"}
    for [change] in changes.values():
        assert (change.live, change.broadcasts, change.minutes, change.known) == (-1, 0, {}, {})
        assert (change.viewers, change.contributing, change.fresh) == (-5, -1, -1)


async def test_one_that_had_ended_is_live_no_more_when_it_is_final(line):
    told(line, record(0, viewers=5))
    for [change] in told(line, record(1, kind="ended")).values():
        assert (change.live, change.viewers, change.contributing, change.fresh) == (-1, -5, -1, 0)
    line.now += 10_000
    batch = line.broadcasts.batch(0, 1, caught_up=True)
    assert batch.result.finalised == 1
    for output in batch.outputs:
        if output.topic == line.topics.scope_deltas.name:
            change = decode_delta(output.value)
            assert change.fresh == -1
            assert not any(getattr(change, name) for name in SUMS if name != "fresh")


async def test_what_is_stale_leaves_the_viewers_alone_and_comes_back(line):
    told(line, record(0, viewers=5))
    line.now += 400
    for [change] in told(line, caught_up=True).values():
        assert (change.viewers, change.contributing, change.fresh) == (-5, -1, -1)
        assert (change.live, change.minutes, change.viewer_minutes) == (0, {}, 0)
    assert told(line, caught_up=True) == {}
    for [change] in told(line, record(1, viewers=5, timestamp=5 * 10**6)).values():
        assert (change.viewers, change.contributing, change.fresh) == (5, 1, 1)


def summaries(*records):
    twin = Twin()
    for sent in records:
        read_at = NOW * 1000
        assert twin.feed(Record(sent.value, sent.key, sent.timestamp, read_at)) is None
    # What goes stale does so where timers run, and none do here.
    twin.now = 0
    return {name: twin.scope(name) for name in twin.scopes()}


def published(line):
    line.drain()
    return {name: told[-1][1] for name, told in line.published().items()}


class TestFailures:
    """What our own code fails on leaves nothing in any scope."""

    async def test_a_record(self, line, monkeypatch):
        fail_at_666(monkeypatch)
        good = [record(0, viewers=5), record(1, viewers=7), record(2, viewers=3)]
        told(line, good[0], record(1, viewers=666), good[1])
        told(line, record(2, viewers=666, venue="prado"))
        told(line, record(2, viewers=666), good[2], record(5, viewers=666))
        assert published(line) == summaries(*good)

    async def test_a_row(self, line, monkeypatch):
        fold = Row.fold_sealed
        other = [record(0, viewers=1, broadcast="b2"), record(20, viewers=2, broadcast="b2")]
        good = [record(0, viewers=5)]
        told(line, *good, other[0])

        def fail(row):
            fold(row)
            if row.newest_at == (START + 20) * MINUTE and row.span.peak == 5:
                raise ZeroDivisionError

        monkeypatch.setattr(Row, "fold_sealed", fail)
        told(line, record(20, viewers=9), other[1])
        assert published(line) == summaries(*good, *other)
        assert line.broadcasts.rows[0].get(KEY).newest == START

    async def test_a_delta(self, line, monkeypatch):
        good = [record(0, viewers=5)]
        told(line, *good)
        add_row = module.ScopeDeltas.add_row

        def fail(deltas, platform, before, row, result):
            add_row(deltas, platform, before, row, result)
            if row.newest == START + 1:
                raise ZeroDivisionError

        monkeypatch.setattr(module.ScopeDeltas, "add_row", fail)
        good.append(record(1, viewers=4, broadcast="b2"))
        told(line, record(1, viewers=9))
        monkeypatch.setattr(module.ScopeDeltas, "add_row", add_row)
        told(line, good[1])
        assert published(line) == summaries(*good)


async def test_a_change_of_many_minutes_goes_in_parts_that_come_to_the_same(monkeypatch):
    results = []
    for most in (5_000, 7):
        monkeypatch.setattr(module, "MAX_MINUTES_PER_RECORD", most)
        line = begun(scope_history="1h")
        line.now += 10_000
        records = [record(3 * n, viewers=n % 7, joins=1) for n in range(60)]
        changes = told(line, *records)
        assert len(changes["world"]) == (1 if most > 60 else 27)
        assert all(change.minute == -1 for change in changes["world"][:-1])
        results.append(published(line))
    assert results[0] == results[1] == summaries(*records)


async def test_the_largest_change_fits_into_a_record():
    minutes = range(START, START + module.MAX_MINUTES_PER_RECORD)
    change = module.ScopeDelta(dict.fromkeys(minutes, 10**12), dict.fromkeys(minutes, 10**6))
    parts = change.split(module.MAX_MINUTES_PER_RECORD)
    assert [len(part.minutes) for part in parts] == [module.MAX_MINUTES_PER_RECORD, 0]
    assert len(module.encode_delta(parts[0])) < 200_000


async def test_nothing_of_a_batch_waits_for_the_garbage_collector(line):
    def told_of(minute):
        return [
            record(minute, viewers=n, venue=f"v{n % 7}", broadcast=f"b{n}", joins=1)
            for n in range(50)
        ]

    line.send(told_of(0))
    line.drain()
    gc.collect()
    gc.disable()
    try:
        for minute in range(1, 20):
            line.send(told_of(minute))
            line.drain()
        assert gc.collect() < 50, "batches are kept alive by circles of references"
    finally:
        gc.enable()
