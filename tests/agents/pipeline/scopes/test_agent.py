"""The agent of the scopes: when it publishes, what it counts, what it refuses."""

import orjson
import pytest
from memory_pipeline import Line
from prometheus_client import CollectorRegistry

from agents.pipeline.scopes import agent as module
from agents.pipeline.scopes.agent import ScopesListener, heads
from agents.serving.live import LiveScopes
from agents.serving.metrics.pipeline import PipelineMetrics
from streams.audience import NewerFormat
from streams.audience.scope import CHUNK
from streams.audience.scope_codec import encode_delta
from streams.audience.scope_delta import ScopeDelta
from streams.clock import ManualClock

START = 26_500_000


class Bench:
    """One partition of sums, with the agent over it."""

    def __init__(self, **settings):
        self.line = Line(1, **settings)
        self.stage = self.line.scopes
        self.told = {}

    def send(self, name, minute, audience, **sums):
        """A broadcast more in a minute; where that is the newest, it is all who watch now."""
        told = self.told.setdefault(name, {})
        before = told[max(told)] if told else 0
        told[minute] = told.get(minute, 0) + audience
        delta = ScopeDelta(
            {minute: audience},
            {minute: 1},
            viewers=told[max(told)] - before,
            contributing=1,
            minute=minute,
            timestamp=minute * 60_000,
            **sums,
        )
        self.raw(name, encode_delta(delta))

    def raw(self, name, value):
        self.line.append(self.line.topics.scope_deltas.name, 0, name.encode(), value, 0)

    def batch(self, seconds=0.0, **options):
        """Work off all that waits, so many seconds later; the summaries it publishes."""
        self.line.now += seconds
        batch = self.stage.batch(0, 1_000, **options)
        return {
            output.key.decode(): orjson.loads(output.value)
            for output in batch.outputs
            if output.topic == self.line.topics.scope_summaries.name
        }

    def head(self, name):
        return dict(heads(self.stage.rows[0]))[name.encode()]


@pytest.fixture
async def bench():
    return Bench()


async def test_the_first_change_is_published_at_once(bench):
    bench.send("venue:louvre", START, 5)
    told = bench.batch()
    assert told.keys() == {"venue:louvre"}
    assert told["venue:louvre"]["viewers"] == 5
    assert not bench.head("venue:louvre").publish_pending


async def test_then_at_most_once_a_second(bench):
    told = []
    for n in range(30):
        bench.send("world", START + n, n)
        told += [bench.batch(0.1)]
    assert [n for n, summaries in enumerate(told) if summaries] == [0, 10, 20]
    assert told[20]["world"]["viewers"] == 20
    assert bench.head("world").publish_pending
    assert bench.batch(1)["world"]["viewers"] == 29
    assert bench.batch(10) == {}


async def test_each_scope_by_itself(bench):
    bench.send("world", START, 1)
    bench.batch()
    bench.send("venue:louvre", START, 1)
    bench.send("world", START, 1)
    assert bench.batch(0.5).keys() == {"venue:louvre"}
    assert bench.batch(0.5).keys() == {"world"}


async def test_what_is_due_survives_a_crash(bench):
    for number, minute in enumerate((START, START + 1)):
        bench.send("world", minute, 5 + number)
        assert bool(bench.batch(0.1)) == (number == 0)
    bench.stage.start()
    assert bench.batch(0.1) == {}
    bench.line.now += 60
    bench.stage.start()
    assert bench.batch()["world"]["viewers"] == 6
    bench.stage.start()
    assert bench.batch(60) == {}


async def test_what_was_published_in_a_lost_batch_is_published_again(bench):
    bench.send("world", START, 5)
    assert bench.batch(lost=True)
    assert bench.batch(0.1)
    bench.send("world", START + 1, 6)
    bench.batch(0.1)
    assert bench.batch(1, lost=True)
    assert bench.batch(0.1)["world"]["viewers"] == 6
    assert bench.batch(5) == {}


async def test_what_changes_no_figure_is_not_published(bench):
    bench.send("world", START, 5, joins=1)
    bench.batch()
    bench.send("world", START - 9, 4)
    assert bench.batch(5) == {}  # neither the newest minute nor the peak
    bench.send("world", START - 9, 4)
    assert bench.batch(5)["world"]["peak"] == 8


async def test_a_clock_set_back_stops_nothing_for_long(bench):
    bench.send("world", START, 5)
    bench.batch()
    bench.send("world", START, 5)
    assert bench.batch(-3_600)["world"]["viewers"] == 10


async def test_a_batch_publishes_no_more_than_it_may_and_the_longest_due_first(bench, monkeypatch):
    monkeypatch.setattr(module, "_MAX_PUBLISHED_PER_BATCH", 3)
    for n in range(5):
        bench.send(f"venue:v{n}", START, 5)
    assert bench.batch().keys() == {"venue:v0", "venue:v1", "venue:v2"}
    bench.send("venue:v0", START, 5)
    bench.send("venue:v5", START, 5)
    assert bench.batch(1).keys() == {"venue:v3", "venue:v4", "venue:v0"}
    assert bench.batch().keys() == {"venue:v5"}


async def test_rows_by_scope_and_chunk(bench):
    bench.send("world", START, 5)
    bench.send("world", START + CHUNK, 5)
    bench.send("venue:louvre", START, 5)
    bench.batch()
    chunk = START // CHUNK
    assert set(bench.stage.rows[0]) == {
        b"world",
        b"venue:louvre",
        b"world/%d" % chunk,
        b"world/%d" % (chunk + 1),
        b"venue:louvre/%d" % chunk,
    }


async def test_a_change_rewrites_the_head_and_what_it_touches():
    bench = Bench()
    for n in range(10):
        bench.send("world", START + n * CHUNK, 5)
    bench.batch()
    bench.send("world", START, -1)
    changed = bench.stage.batch(0, 10).changed
    assert changed.keys() == {b"world", b"world/%d" % (START // CHUNK)}


async def test_closed_chunks_leave_the_changelog_and_closed_minutes_are_counted():
    bench = Bench(scope_history="1d")
    bench.send("world", START, 5)
    bench.batch()
    bench.send("world", START + 5_000, 4)
    bench.send("world", START, 3)
    bench.line.now += 1
    batch = bench.stage.batch(0, 10)
    assert batch.changed[b"world/%d" % (START // CHUNK)] is None
    assert batch.result.closed == 1
    assert bench.head("world").peak() == (5, START)
    assert set(bench.stage.rows[0]) == {
        b"world",
        b"world/%d" % ((START + 5_000) // CHUNK),
    }


async def test_the_minutes_of_a_scope_without_news_go_and_its_figures_stay():
    bench = Bench(scope_history="1d")
    for number in range(3):
        bench.send("world", START + number * CHUNK, 5 - number)
    bench.line.now = (START + 2 * CHUNK) * 60
    before = bench.batch()["world"]
    for seconds, chunks in ((86_400 - 10, 3), (20, 0)):
        assert bench.batch(seconds, caught_up=True) == {}
        assert len(bench.head("world").chunks) == chunks
    assert set(bench.stage.rows[0]) == {b"world"}
    bench.stage.start()  # also where it was restored since
    assert bench.batch(90_000, caught_up=True) == {}
    bench.send("world", START + CHUNK, 90, joins=1)
    after = bench.batch()["world"]
    assert after == before | {"joins": 1}  # of a minute that is gone the peak knows what it had
    bench.send("world", START + 5 * CHUNK, 6)
    assert bench.batch(5)["world"]["peak"] == 6
    assert len(bench.head("world").chunks) == 1


async def test_news_keep_a_scopes_minutes_also_if_they_are_old():
    bench = Bench(scope_history="1d")
    bench.line.now = START * 60
    bench.send("world", START, 5)
    bench.batch()
    bench.send("world", START + 720, 4)
    bench.batch(43_200)
    bench.batch(43_210, caught_up=True)
    assert len(bench.head("world").chunks) == 2
    bench.stage.start()
    bench.batch(0, caught_up=True)
    assert len(bench.head("world").chunks) == 2
    bench.batch(43_200, caught_up=True)
    assert bench.head("world").chunks == {}


async def test_a_partition_that_is_behind_lets_no_minutes_go():
    bench = Bench(scope_history="1d")
    bench.line.now = START * 60
    bench.send("world", START, 5)
    bench.batch()
    bench.batch(200_000)
    assert len(bench.head("world").chunks) == 1
    bench.batch(0, caught_up=True)
    assert bench.head("world").chunks == {}


async def test_what_is_counted_is_told_once_it_is_durable(bench):
    registry = CollectorRegistry()
    meter = PipelineMetrics(registry, ManualClock(0))
    live = LiveScopes()
    clock = ManualClock(1_060.0)
    stage = meter.stages.of("scopes", "scope-deltas")
    following = ScopesListener(bench.stage.work, live, meter, stage, clock)
    following.restored(0, bench.stage.rows[0], 0.1)
    await live.indexed()
    bench.send("world", START + 50_000, 5)
    bench.send("world", START, 5)
    batch = bench.stage.batch(0, 10)
    name = "audience_scope_closed_total"
    assert registry.get_sample_value(name) == 0
    following.committed(batch, 0.1, 0.1)
    assert registry.get_sample_value(name) == 1
    assert live.row(0, b"world").minute == START + 50_000
    committed = {"stage": "scopes", "outcome": "committed"}
    assert registry.get_sample_value("audience_transactions_total", committed) == 1
    assert registry.get_sample_value("audience_batch_records_sum", {"stage": "scopes"}) == 2
    recovery = {"stage": "scopes", "partition": "0"}
    assert registry.get_sample_value("audience_recovery_seconds", recovery) == 0.1
    assert (live.partitions, len(live)) == ([0], 1)
    following.committed(bench.stage.batch(0, 10), 0.1, 0.1)
    following.lost(0)
    assert registry.get_sample_value(name) == 1
    assert registry.get_sample_value("audience_recovery_seconds", recovery) is None
    assert live.partitions == []


async def test_changes_of_a_newer_format_end_the_work(bench):
    bench.raw("world", b"\x92\xa2d9\x01")
    with pytest.raises(AssertionError, match=r"d9.*newer version"):
        bench.batch()


async def test_rows_of_a_newer_format_end_the_work(bench):
    rows = bench.stage.new_rows()
    rows.load(b"world", b"\x92\xa2h9\x01")
    with pytest.raises(NewerFormat, match="h9"):
        bench.stage.work.restored(0, rows)
