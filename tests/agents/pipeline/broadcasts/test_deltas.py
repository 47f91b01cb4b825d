"""What a batch of viewer events sends to the scopes."""

import gc
from types import SimpleNamespace

import orjson
import pytest
from memory_pipeline import Line
from scope_oracle import scopes
from twin import Twin, text

from agents.pipeline.broadcasts import deltas as module
from streams.audience import MINUTE, Difference, Row
from streams.audience.scope_codec import decode_change

START = 26_500_000
KEY = b"fliggy:b1"


def record(minute, *, broadcast="b1", platform="fliggy", timestamp=0, **fields):
    at = int((START + minute) * MINUTE)
    event = {"platform": platform, "broadcast": broadcast, "at": text(at), **fields}
    return SimpleNamespace(
        partition=0,
        key=f"{platform}:{broadcast}".encode(),
        value=orjson.dumps(event),
        timestamp=at // 1000 + timestamp,
    )


@pytest.fixture
async def line():
    return Line(1)


def told(line, *records, **options):
    """What one batch of them sends, by scope."""
    line.send(records)
    batch = line.broadcasts.batch(0, 1_000, **options)
    changes = {}
    for output in batch.outputs:
        if output.topic == line.topics.scope_sums.name:
            changes.setdefault(output.key.decode(), []).append(decode_change(output.value))
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
    assert world.newest == START + 1
    assert world.timestamp == (START + 1) * 60_000 + 9
    [louvre] = changes["venue:louvre"]
    assert louvre.minutes == {START: 5, START + 1: 6, START + 2: 6, START + 3: 1}
    assert changes["programme:night"][0].minutes == dict.fromkeys(range(START, START + 3), 5)


async def test_a_batch_that_changes_nothing_sends_nothing(line):
    told(line, record(40, viewers=5))
    assert told(line, record(40, viewers=5), record(3, viewers=9)) == {}
    assert told(line) == {}


async def test_what_cancels_out_is_not_told(line):
    told(line, record(0, viewers=5), record(0, viewers=5, broadcast="b2"))
    one, other = record(0, viewers=6), record(0, viewers=4, revision=1, broadcast="b2")
    assert told(line, one, other) == {}
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
    figures = ("viewer_minutes", "joins", "views", "peak_sum", "broadcasts", "live")
    assert {name: by for name in figures if (by := getattr(world, name))} == changed
    assert (world.minutes, world.known, world.newest) == ({}, {}, -1)


async def test_one_that_ends_as_another_begins_changes_only_what_each_has_alone(line):
    told(line, record(0, viewers=5))
    changes = told(line, record(0, kind="ended"), record(1, viewers=5, broadcast="b2"))
    [world] = changes["world"]
    assert (world.minutes, world.known, world.live) == ({START + 3: 5}, {START + 3: 1}, 0)


async def test_the_venue_of_the_first_record_stays(line):
    told(line, record(0, viewers=5, venue="louvre"))
    changes = told(line, record(1, viewers=6, venue="prado"))
    assert changes.keys() == {"world", "platform:fliggy", "venue:louvre"}


async def test_a_final_broadcast_leaves_what_it_has_added(line):
    told(line, record(0, viewers=5, programme="night"))
    line.now += 10_000
    changes = told(line, caught_up=True)
    assert changes.keys() == {"world", "platform:fliggy", "venue:unknown", "programme:night"}
    for [change] in changes.values():
        assert (change.live, change.broadcasts, change.minutes, change.known) == (-1, 0, {}, {})


async def test_one_that_had_ended_changes_nothing_when_it_is_final(line):
    told(line, record(0, viewers=5), record(1, kind="ended"))
    line.now += 10_000
    batch = line.broadcasts.batch(0, 1, caught_up=True)
    assert batch.result.finalised == 1
    assert not [o for o in batch.outputs if o.topic == line.topics.scope_sums.name]


def summaries(*records, final=False):
    twins = {}
    for sent in records:
        event = orjson.loads(sent.value)
        known = dict.fromkeys(("viewers", "joins", "views", "venue", "programme", "title"))
        event = SimpleNamespace(**{"kind": "sample", "revision": 0, **known, **event})
        twins.setdefault(sent.key, Twin()).accept(event, sent.timestamp * 1000)
    for twin in twins.values():
        twin.final = final
    return scopes(twins)


def published(line):
    line.drain()
    return {name: told[-1][1] for name, told in line.published().items()}


class TestFailures:
    """What our own code fails on leaves nothing in any scope."""

    async def test_a_record(self, line, monkeypatch):
        accept = Row.accept_all

        def fail(row, told, before=None):
            late = accept(row, told, before)
            if any(event.viewers == 666 for event, _, _ in told):
                raise ZeroDivisionError
            return late

        monkeypatch.setattr(Row, "accept_all", fail)
        good = [record(0, viewers=5), record(1, viewers=7), record(2, viewers=3)]
        told(line, good[0], record(1, viewers=666), good[1])
        told(line, record(2, viewers=666, venue="prado"))
        told(line, record(2, viewers=666), good[2], record(5, viewers=666))
        assert published(line) == summaries(*good)

    async def test_a_row(self, line, monkeypatch):
        settle = Row.settle
        other = [record(0, viewers=1, broadcast="b2"), record(20, viewers=2, broadcast="b2")]
        good = [record(0, viewers=5)]
        told(line, *good, other[0])

        def fail(row):
            settle(row)
            if row.newest_at == (START + 20) * MINUTE and row.peak == 5:
                raise ZeroDivisionError

        monkeypatch.setattr(Row, "settle", fail)
        told(line, record(20, viewers=9), other[1])
        assert published(line) == summaries(*good, *other)
        assert line.broadcasts.rows[0].get(KEY).newest == START

    async def test_a_difference(self, line, monkeypatch):
        good = [record(0, viewers=5)]
        told(line, *good)
        take = Difference.take

        def fail(difference, before, row):
            take(difference, before, row)
            if row.newest == START + 1:
                raise ZeroDivisionError

        monkeypatch.setattr(Difference, "take", fail)
        good.append(record(1, viewers=4, broadcast="b2"))
        told(line, record(1, viewers=9))
        monkeypatch.setattr(Difference, "take", take)
        told(line, good[1])
        assert published(line) == summaries(*good)


async def test_a_change_of_many_minutes_goes_in_parts_that_come_to_the_same(monkeypatch):
    results = []
    for most in (5_000, 7):
        monkeypatch.setattr(module, "MAX_MINUTES_PER_RECORD", most)
        line = Line(1, scope_history="1h")
        records = [record(3 * n, viewers=n % 7, joins=1) for n in range(60)]
        changes = told(line, *records)
        assert len(changes["world"]) == (1 if most > 60 else 27)
        assert all(change.newest == -1 for change in changes["world"][:-1])
        results.append(published(line))
    assert results[0] == results[1] == summaries(*records)


async def test_the_largest_change_fits_into_a_record():
    minutes = range(START, START + module.MAX_MINUTES_PER_RECORD)
    change = module.Change(dict.fromkeys(minutes, 10**12), dict.fromkeys(minutes, 10**6))
    parts = module._parts(change)
    assert [len(part.minutes) for part in parts] == [module.MAX_MINUTES_PER_RECORD, 0]
    assert len(module.encode_change(parts[0])) < 200_000


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
