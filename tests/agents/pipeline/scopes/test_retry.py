"""What a change that cannot be read, or that our own code fails on, costs the scopes: itself."""

import msgspec
import orjson
import pytest
from memory_pipeline import Line
from prometheus_client import CollectorRegistry

from agents.pipeline.scopes import agent as module
from agents.pipeline.scopes.agent import ScopesListener, heads
from agents.serving.live import LiveScopes
from agents.serving.metrics.pipeline import PipelineMetrics
from streams.audience import NewerFormat
from streams.audience.bounds import LARGEST_SUM, LAST_MINUTE, held
from streams.audience.scope import CHUNK, ScopeChunk, ScopeHead, ScopeUpdate
from streams.audience.scope_codec import encode_delta, encode_scope
from streams.audience.scope_delta import ScopeDelta
from streams.clock import ManualClock

START = 26_500_000
NAME = "audience_scope_skipped_total"


class Bench:
    """One partition of sums, with the agent over it and what it counts."""

    def __init__(self):
        self.line = Line(1)
        self.stage = self.line.scopes
        self.registry = CollectorRegistry()
        meter = PipelineMetrics(self.registry, ManualClock(0))
        stage = meter.stages.of("scopes", "scope-deltas")
        self.following = ScopesListener(self.stage.work, LiveScopes(), meter, stage, ManualClock(0))

    def add(self, name, audience, minute=START, **sums):
        delta = ScopeDelta(
            {minute: audience},
            {minute: 1},
            viewers=audience,
            contributing=1,
            minute=minute,
            **sums,
        )
        self.raw(name.encode(), encode_delta(delta))

    def raw(self, key, value):
        self.line.append(self.line.topics.scope_deltas.name, 0, key, value, 0)

    def batch(self, seconds=10.0):
        self.line.now += seconds
        batch = self.stage.batch(0, 1_000)
        self.following.committed(batch, 0.1, 0.1)
        return batch

    def summaries(self, batch):
        return {output.key.decode(): orjson.loads(output.value) for output in batch.outputs}

    def heads(self):
        return dict(heads(self.stage.rows[0]))

    def skipped(self):
        return {
            reason: int(self.registry.get_sample_value(NAME, {"reason": reason}))
            for reason in ("malformed", "error")
        }


@pytest.fixture
async def bench():
    return Bench()


def change(**fields):
    """A change as it could never have been written by us."""
    values = {
        "minutes": {START: 1}, "known": {START: 1}, "viewer_minutes": 0, "joins": 0, "views": 0,
        "peak_sum": 0, "broadcasts": 0, "live": 0, "viewers": 0, "contributing": 0, "fresh": 0,
        "minute": START, "timestamp": 0, **fields,
    }  # fmt: skip
    return msgspec.msgpack.encode(["d2", *values.values()])


GOOD = encode_delta(ScopeDelta({START: 7}, {START: 1}, minute=START))
UNREADABLE = {
    "no MessagePack": (b"world", b"x"),
    "cut": (b"world", GOOD[:-1]),
    "empty": (b"world", b""),
    "null": (b"world", None),
    "another type": (b"world", msgspec.msgpack.encode({"a": 1})),
    "a row": (b"world", encode_scope(ScopeHead())),
    "too few": (b"world", msgspec.msgpack.encode(["d2", {}])),
    "too many": (b"world", msgspec.msgpack.encode(["d2", {}, {}, *range(20)])),
    "deep": (b"world", b"\x91" * 5_000),
    "a long array that is not there": (b"world", b"\xdd\xff\xff\xff\xff"),
    "texts": (b"world", change(joins="1")),
    "a sum beyond bounds": (b"world", change(views=2**62 + 1)),
    "a sum beyond 64 bits": (b"world", change(views=2**64 - 1)),
    "an audience beyond bounds": (b"world", change(minutes={START: -(2**63)})),
    "a minute beyond the years": (b"world", change(minutes={2**40: 1})),
    "a minute before 1970": (b"world", change(minutes={-1: 1})),
    "a newest minute beyond the years": (b"world", change(minute=LAST_MINUTE + 1)),
    "no key": (None, GOOD),
    "an empty key": (b"", GOOD),
    "a key that is no scope": (b"x", GOOD),
    "a kind without a name": (b"venue:", GOOD),
    "a chunk's key": (b"world/%d" % (START // CHUNK), GOOD),
    "a reserved key": (b"\x00position", GOOD),
    "a key that is not UTF-8": (b"venue:\xff", GOOD),
    "a long key": (b"venue:" + b"v" * 5_000, GOOD),
}


@pytest.mark.parametrize("name", UNREADABLE)
async def test_a_record_that_cannot_be_read_costs_itself_alone(bench, name, logged):
    bench.add("world", 5)
    bench.batch()
    bench.add("world", 1)
    bench.add("venue:louvre", 3)
    bench.raw(*UNREADABLE[name])
    bench.add("world", 2, START + 1)
    told = bench.summaries(bench.batch())
    assert (told["world"]["viewers"], told["world"]["peak"]) == (8, 6)
    assert told["venue:louvre"]["viewers"] == 3
    assert bench.heads().keys() == {b"world", b"venue:louvre"}
    assert bench.skipped() == {"malformed": 1, "error": 0}
    [line] = [entry for entry in logged if "was skipped" in entry["event"]]
    assert line["source"] == f"{bench.line.topics.scope_deltas.name}/0/3"
    assert line["detail"]
    bench.stage.start()
    assert bench.heads()[b"world"].peak() == (6, START)


async def test_a_change_with_the_first_and_the_last_minute_of_the_years_is_readable(bench):
    for minute in (0, LAST_MINUTE):
        bench.add("world", 5, minute)
    assert bench.summaries(bench.batch())["world"]["minute"] == "9999-12-31T23:59:00Z"
    assert bench.skipped() == {"malformed": 0, "error": 0}


async def test_many_that_cannot_be_read_do_not_fill_the_log(bench, logged):
    for _ in range(100):
        bench.raw(b"world", b"x")
    bench.add("world", 5)
    assert bench.summaries(bench.batch())["world"]["viewers"] == 5
    assert bench.skipped() == {"malformed": 100, "error": 0}
    assert len(logged) == 1 + 5 + 1


async def test_a_newer_version_still_ends_the_work(bench):
    bench.raw(b"world", b"x")
    bench.raw(b"world", b"\x92\xa2d9\x01")
    with pytest.raises(AssertionError, match=r"d9.*newer version"):
        bench.batch()


class TestOurOwnDefects:
    async def test_a_change_that_fails_alone(self, bench, monkeypatch, logged):
        add = ScopeUpdate.add

        def fail(scope, change, history):
            missed = add(scope, change, history)  # all of its work done
            if change.joins == 666:
                raise ZeroDivisionError("a \ud800 defect" + "x" * 10_000)
            return missed

        monkeypatch.setattr(ScopeUpdate, "add", fail)
        bench.add("world", 1, joins=1)
        bench.add("world", 2, joins=666)
        bench.add("world", 4, joins=1)
        bench.raw(b"world", b"x")
        bench.add("venue:louvre", 8, joins=666)
        bench.add("venue:orsay", 16)
        told = bench.summaries(bench.batch())
        assert {name: summary["viewers"] for name, summary in told.items()} == {
            "world": 5,
            "venue:orsay": 16,
        }
        assert told["world"]["joins"] == 2
        assert bench.skipped() == {"malformed": 1, "error": 2}
        details = [entry["detail"] for entry in logged if entry.get("reason") == "error"]
        assert len(details) == 2
        assert all(len(detail) < 600 and detail.isascii() for detail in details)

    async def test_a_scope_whose_changes_fail_together(self, bench, monkeypatch):
        update_head = ScopeUpdate.update_head

        def fail(scope):
            has_changed = update_head(scope)
            if scope.head.joins == 3:
                raise ZeroDivisionError("a defect")
            return has_changed

        bench.add("world", 5)
        bench.batch()
        monkeypatch.setattr(ScopeUpdate, "update_head", fail)
        for joins in (1, 2):
            bench.add("world", 1, START + CHUNK * joins, joins=joins)
            bench.add("venue:louvre", 1, joins=joins * 2)
        told = bench.summaries(bench.batch())
        assert told.keys() == {"venue:louvre"}
        assert bench.skipped() == {"malformed": 0, "error": 2}
        assert bench.heads()[b"world"].peak() == (5, START)
        assert b"world/%d" % (START // CHUNK + 1) not in bench.stage.rows[0]
        monkeypatch.setattr(ScopeUpdate, "update_head", update_head)
        bench.add("world", 1)
        assert bench.summaries(bench.batch())["world"]["peak"] == 6

    async def test_a_scope_that_cannot_be_published(self, bench, monkeypatch, logged):
        summary = module.scope_summary

        def fail(name, head):
            if name == "world":
                raise ZeroDivisionError("a defect")
            return summary(name, head)

        monkeypatch.setattr(module, "scope_summary", fail)
        bench.add("world", 1)
        bench.add("venue:louvre", 2)
        assert bench.summaries(bench.batch()).keys() == {"venue:louvre"}
        assert bench.heads()[b"world"].publish_pending
        said = len(logged)
        assert bench.batch().is_empty, "it would fail with every tick"
        assert len(logged) == said
        monkeypatch.setattr(module, "scope_summary", summary)
        bench.add("world", 1)
        assert bench.summaries(bench.batch())["world"]["viewers"] == 2
        assert bench.skipped() == {"malformed": 0, "error": 0}


@pytest.mark.parametrize("value", [b"damaged", b"", encode_scope(ScopeChunk())])
async def test_a_scope_whose_row_cannot_be_read_stays_as_it_is(bench, value, logged):
    bench.add("world", 5)
    bench.add("venue:louvre", 5)
    bench.batch()
    rows = bench.stage.rows[0]
    rows.load(b"world", value)
    bench.stage.start()
    bench.add("world", 1)
    bench.add("venue:louvre", 1)
    told = bench.summaries(bench.batch())
    assert told.keys() == {"venue:louvre"}
    assert told["venue:louvre"]["viewers"] == 6
    assert bench.skipped() == {"malformed": 0, "error": 1}
    assert bench.stage.rows[0].encoded(b"world") == value
    assert any("row cannot be read" in entry["event"] for entry in logged) or value[:1] == b"\x93"


async def test_a_scope_whose_chunk_cannot_be_read_stays_as_it_is(bench):
    bench.add("world", 5)
    bench.batch()
    key = b"world/%d" % (START // CHUNK)
    bench.stage.rows[0].load(key, b"damaged")
    bench.stage.start()
    before = bench.stage.rows[0].encoded(b"world")
    bench.add("world", 1)
    bench.add("venue:louvre", 1)
    assert bench.summaries(bench.batch()).keys() == {"venue:louvre"}
    assert bench.skipped() == {"malformed": 0, "error": 1}
    assert bench.stage.rows[0].encoded(b"world") == before


async def test_a_row_of_a_newer_version_still_ends_the_work(bench):
    bench.stage.rows[0].load(b"world", b"\x92\xa2h9\x01")
    with pytest.raises(NewerFormat):
        bench.stage.work.restored(0, bench.stage.rows[0])


async def test_sums_are_held_where_64_bits_end(bench):
    world = None
    for _ in range(5):
        for field in ("viewer_minutes", "joins", "views", "peak_sum"):
            bench.add("world", LARGEST_SUM // 2, **{field: LARGEST_SUM // 2})
        told = bench.summaries(bench.batch())
        world = told.get("world", world)  # once all are held, nothing changes any more
    assert [world[name] for name in ("viewer_minutes", "joins", "views", "peak_sum")] == (
        [LARGEST_SUM] * 4
    )
    assert (world["viewers"], world["peak"]) == (LARGEST_SUM, LARGEST_SUM)
    bench.add("world", 0, START + 1, views=-5)
    world = bench.summaries(bench.batch())["world"]
    assert world["views"] == LARGEST_SUM, "it says: so much or more"
    for _ in range(5):
        bench.add("world", -LARGEST_SUM, START + 2, joins=-LARGEST_SUM, peak_sum=-LARGEST_SUM)
    world = bench.summaries(bench.batch())["world"]
    assert world["viewers"] == LARGEST_SUM, "once held, it stays"
    assert bench.skipped() == {"malformed": 0, "error": 0}
    bench.stage.start()
    assert bench.heads()[b"world"].views == LARGEST_SUM


def test_what_is_held():
    assert held(1, 2) == 3
    assert held(LARGEST_SUM - 1, 1) == LARGEST_SUM
    assert held(LARGEST_SUM, -1) == LARGEST_SUM
    assert held(-LARGEST_SUM, -1) == -LARGEST_SUM
    assert held(-LARGEST_SUM, 5) == 5 - LARGEST_SUM
