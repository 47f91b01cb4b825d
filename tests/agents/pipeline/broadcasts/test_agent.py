"""Batches of viewer events, worked off without Kafka."""

import asyncio
import json
from datetime import UTC, datetime

import orjson
import pytest
from aiokafka.structs import ConsumerRecord, TopicPartition
from memory_pipeline import fail_at_666

from agents.entries import broadcast_rows
from agents.pipeline.broadcasts import agent as module
from agents.pipeline.broadcasts import publishing
from agents.pipeline.broadcasts.agent import BroadcastProcessor
from streams import audience
from streams.audience import Row, Tombstone
from streams.exact import Batch
from streams.settings import Settings
from streams.topics import Topics

T0 = 1_600_000_000  # a whole minute is 20 s later
NOW = float(T0 + 10**6)  # long after the events


def event(minute=0, *, broadcast="louvre-1", at=None, **fields):
    at = T0 + 20 + 60 * minute if at is None else at
    text = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"platform": "fliggy", "broadcast": broadcast, "at": text, **fields}


SOURCE = TopicPartition("viewer-events", 0)


class Bench:
    """One partition and its agent."""

    def __init__(self, **settings):
        self.settings = Settings(partitions=1, **settings)
        self.topics = Topics.of(self.settings)
        self.work = BroadcastProcessor(self.settings, self.topics)
        self.rows = broadcast_rows()
        self.work.restored(0, self.rows, NOW, NOW, 1)
        self.offset = 0

    def record(self, value, *, key=None, timestamp=None, log_append=False):
        if isinstance(value, dict):
            key = f"{value['platform']}:{value['broadcast']}".encode() if key is None else key
            value = orjson.dumps(value)
        timestamp = int(NOW * 1000) if timestamp is None else timestamp
        self.offset += 1
        return ConsumerRecord(
            SOURCE.topic, 0, self.offset - 1, timestamp, int(log_append), key, value, None, 0, 0, ()
        )

    def batch(self, *values, now=NOW, caught_up=False):
        records = [v if isinstance(v, ConsumerRecord) else self.record(v) for v in values]
        batch = Batch(SOURCE, records, self.rows, caught_up=caught_up, read_at=now)
        with batch:
            self.work.process_batch(batch)
        assert batch._done.exception() is None
        encoded = {k: None if r is None else audience.encode(r) for k, r in batch.changed.items()}
        self.rows.commit(batch.changed, encoded)
        self.work.committed(batch)
        return batch

    def summaries(self, batch):
        return [
            orjson.loads(output.value)
            for output in batch.outputs
            if output.topic == self.topics.broadcast_summaries.name
        ]

    def refused(self, batch):
        return [
            (dict(output.headers)["reason"].decode(), dict(output.headers)["source"].decode())
            for output in batch.outputs
            if output.topic == self.topics.rejected.name
        ]


KEY = b"fliggy:louvre-1"


@pytest.fixture
async def bench():
    return Bench()


async def test_counts_by_platform_and_reason(bench):
    batch = bench.batch(
        event(30, viewers=5), event(1, viewers=5), b"{", event(31, viewers=True), {**event(32)}
    )
    counters = batch.result
    assert counters.accepted == {"fliggy": 2}
    assert counters.late == {"fliggy": 1}
    assert counters.rejected == {"": 1, "fliggy": 1}
    assert counters.reasons == {"late": 1, "malformed": 1, "invalid": 1}
    assert bench.refused(batch) == [
        ("late", "viewer-events/0/1"),
        ("malformed", "viewer-events/0/2"),
        ("invalid", "viewer-events/0/3"),
    ]


async def test_a_future_event_is_refused_by_its_kafka_timestamp(bench):
    at_seconds = T0 + 20
    good = bench.record(event(0), timestamp=(at_seconds - 120) * 1000)
    bad = bench.record(event(0), timestamp=(at_seconds - 120) * 1000 - 1)
    batch = bench.batch(good, bad)
    assert bench.refused(batch) == [("future", "viewer-events/0/1")]
    assert batch.result.clock_skew == 120.0
    assert "AUDIENCE_FUTURE" in dict(batch.outputs[0].headers)["detail"].decode()


AT = T0 + 20
"""When the events of minute 0 happen, in seconds."""


@pytest.mark.parametrize(
    ("timestamp", "log_append", "now", "is_taken"),
    [
        # The broker's clock can be trusted, whatever the worker's says.
        (AT - 120, True, AT - 10**6, True),
        (AT - 121, True, AT + 10**6, False),
        # A producer's is as wrong as its `at`: the worker's counts too, with 10 minutes of margin.
        (AT, False, AT - 720, True),
        (AT, False, AT - 721, False),
        (AT - 121, False, AT + 10**6, False),
        # None is given: the worker's alone counts.
        (0, True, AT - 720, True),
        (0, False, AT - 721, False),
    ],
)
async def test_the_future_is_judged_by_a_clock_that_can_be_trusted(
    timestamp, log_append, now, is_taken
):
    for count in (1, 2):  # one alone, and several at once
        bench = Bench()
        records = [
            bench.record(
                event(0, viewers=n), timestamp=timestamp * 1000 or -1 * n, log_append=log_append
            )
            for n in range(count)
        ]
        batch = bench.batch(*records, now=float(now))
        assert batch.result.accepted == ({"fliggy": count} if is_taken else {})
        assert batch.result.reasons == ({} if is_taken else {"future": count})
        if is_taken:
            assert batch.result.clock_skew == AT - (min(timestamp, now) if timestamp else now)


async def test_one_that_is_far_ahead_and_right_hides_none_that_is_not(bench):
    """What is refused as `future` does not depend on what it is read with."""
    right = bench.record(event(0), timestamp=AT * 1000, log_append=True)
    wrong = bench.record(event(0), timestamp=(AT - 200) * 1000, log_append=True)
    batch = bench.batch(right, wrong, now=float(AT - 600))
    assert bench.refused(batch) == [("future", "viewer-events/0/1")]
    assert batch.result.clock_skew == 600


async def test_a_refused_record_is_handed_on_as_it_came(bench):
    batch = bench.batch(bench.record(b"x" * 600_000, key=b"key"), bench.record(None, key=None))
    long, empty = batch.outputs
    assert long.key == b"key"
    assert long.value == b"x" * 512 * 1024
    assert dict(long.headers)["truncated"] == b"600000"
    assert (empty.key, empty.value) == (None, None)
    assert "truncated" not in dict(empty.headers)


async def test_published_when_it_ends_changes_after_its_end_and_resumes(bench):
    assert bench.summaries(bench.batch(event(0, viewers=5))) == []
    ended = bench.batch(event(10, kind="ended"))
    assert [s["status"] for s in bench.summaries(ended)] == ["ended"]
    after = bench.batch(event(9, viewers=50))
    assert [(s["status"], s["peak"]) for s in bench.summaries(after)] == [("ended", 50)]
    assert bench.summaries(bench.batch(event(-30))) == []  # a count alone
    assert bench.summaries(bench.batch(event(20, viewers=7))) == []  # within the tolerance
    resumed = bench.batch(event(21, viewers=7))
    assert [(s["status"], s["ended_at"]) for s in bench.summaries(resumed)] == [("live", None)]
    assert bench.summaries(bench.batch(event(22, viewers=7))) == []


async def test_ended_then_final_then_gone_then_new(bench):
    bench.batch(event(0, viewers=5), event(1, kind="ended"))
    wait = 16 * 60  # lateness and margin
    early = bench.batch(now=NOW + wait - 1, caught_up=True)
    assert not early.outputs or not bench.summaries(early)
    behind = bench.batch(now=NOW + wait + 10, caught_up=False)
    assert behind.is_empty
    final = bench.batch(now=NOW + wait + 10, caught_up=True)
    assert [s["status"] for s in bench.summaries(final)] == ["final"]
    assert final.result.finalised == 1
    row = bench.rows.get(KEY)
    assert (row.final, row.fresh, row.contribution) == (True, False, None)
    idle = bench.batch(event(2, viewers=0), event(-30), now=NOW + wait + 20)
    assert bench.refused(idle) == [("late", "viewer-events/0/3")]
    assert bench.summaries(idle) == []
    # Its last event has the same Kafka timestamp as all others.
    day = 12 * 3_600 + wait
    stays = bench.batch(now=NOW + day - 1, caught_up=True)
    assert not stays.outputs or not bench.summaries(stays)
    gone = bench.batch(now=NOW + day + 10, caught_up=True)
    [last] = bench.summaries(gone)
    assert (last["status"], last["events"], last["late"]) == ("final", 3, 1)
    assert isinstance(bench.rows.get(KEY), Tombstone)
    assert gone.result.finalised == 0
    late = bench.batch(event(2, viewers=9), now=NOW + day + 20)
    assert bench.refused(late) == [("late", "viewer-events/0/4")]
    assert not late.changed
    month = day + 36 * 86_400
    expired = bench.batch(now=NOW + month, caught_up=True)
    assert expired.changed == {KEY: None}
    assert dict(bench.rows.items()) == {}
    new = bench.batch(event(5), now=NOW + month + 40)
    assert new.result.accepted == {"fliggy": 1}
    assert bench.rows.get(KEY).run is None


async def test_a_final_one_goes_on_after_an_outage(bench):
    bench.batch(event(0, viewers=5))
    final = bench.batch(now=NOW + 3_000, caught_up=True)
    assert [s["status"] for s in bench.summaries(final)] == ["final"]
    again = bench.batch(event(40, viewers=9), event(41, viewers=8), now=NOW + 3_010)
    assert [(s["status"], s["peak"]) for s in bench.summaries(again)] == [("live", 9)]
    later = bench.batch(now=NOW + 6_000, caught_up=True)
    told = [(s["status"], s["minutes_live"], s["minutes_carried"]) for s in bench.summaries(later)]
    assert told == [("final", 42, 2)]


async def test_a_new_run_makes_the_former_one_final_and_is_another_broadcast(bench):
    bench.batch(event(0, viewers=5), event(1, kind="ended"))
    batch = bench.batch(
        event(70, kind="started"),
        event(71, viewers=7),
        event(2, viewers=4),
        event(72, kind="ended"),
    )
    summaries = [o for o in batch.outputs if o.topic == bench.topics.broadcast_summaries.name]
    told = {output.key.decode(): orjson.loads(output.value) for output in summaries}
    second = "fliggy/20200913T1337:louvre-1"
    assert told.keys() == {"fliggy:louvre-1", second}
    assert (told["fliggy:louvre-1"]["status"], told["fliggy:louvre-1"]["peak"]) == ("final", 5)
    assert (told[second]["status"], told[second]["peak"]) == ("ended", 7)
    assert told[second]["run"] == "2020-09-13T13:37:00Z"
    assert bench.refused(batch) == [("late", "viewer-events/0/4")]
    assert batch.result.finalised == 1


async def test_what_is_late_is_told_by_what_sealed_its_minute(bench):
    bench.batch(event(0, viewers=5), event(1, kind="ended"), event(62, kind="started"))
    batch = bench.batch(event(61, viewers=5), event(47, viewers=5))
    run, newest = (dict(output.headers)["detail"].decode() for output in batch.outputs)
    assert "up to 2020-09-13T13:28:00Z (AUDIENCE_RESTART_GAP" in run
    assert "15 min or more before" in newest
    assert "AUDIENCE_LATENESS" in newest


async def test_an_expired_tombstone_gives_way_at_once(bench):
    bench.rows.load(KEY, audience.encode(Tombstone(10**7, expires=int(NOW * 1000) - 1)))
    batch = bench.batch(event(0))
    assert batch.result.accepted == {"fliggy": 1}
    assert isinstance(bench.rows.get(KEY), Row)


async def test_a_silent_one_is_final_without_an_end(bench):
    bench.batch(event(0, viewers=5), now=NOW)
    final = bench.batch(now=NOW + 16 * 60 + 10, caught_up=True)
    assert [(s["status"], s["ended_at"]) for s in bench.summaries(final)] == [("final", None)]


async def test_what_was_read_just_now_is_not_finalised(bench):
    bench.batch(event(0, viewers=5), now=NOW)
    batch = bench.batch(event(1, viewers=6), now=NOW + 2_000, caught_up=True)
    assert batch.result.finalised == 0


async def test_silence_by_setting():
    bench = Bench(silence="1m", final_margin="0s")
    bench.batch(event(0, viewers=5), now=NOW)
    assert bench.batch(now=NOW + 59, caught_up=True).is_empty
    assert bench.batch(now=NOW + 66, caught_up=True).result.finalised == 1


async def test_many_at_once_are_finalised_bit_by_bit(bench):
    count = module._MAX_FINALISED_PER_BATCH * 2 + 100
    bench.batch(*[event(0, broadcast=f"b{n}", kind="ended") for n in range(count)], now=NOW)
    done = []
    while (batch := bench.batch(now=NOW + 2_000, caught_up=True)).result.finalised:
        done.append(batch.result.finalised)
    assert done == [module._MAX_FINALISED_PER_BATCH, module._MAX_FINALISED_PER_BATCH, 100]


async def test_names_may_come_late_and_stay_once_a_minute_is_sealed(bench):
    batch = bench.batch(
        event(1, venue="prado"),
        event(0, venue="louvre"),
        event(2, venue="orsay"),
        event(3, venue="louvre", programme="night"),
    )
    assert batch.result.relabelled == 0
    row = bench.rows.get(KEY)
    assert (row.venue, row.programme) == ("louvre", "night")
    bench.batch(event(30))
    batch = bench.batch(event(31, venue="prado"), event(32), event(33, venue="louvre"))
    assert batch.result.relabelled == 1
    assert bench.rows.get(KEY).venue == "louvre"


async def test_lateness_is_the_platforms_own():
    bench = Bench(lateness_by_platform="fliggy=2m")
    assert bench.batch(event(10), event(8)).result.late == {"fliggy": 1}


@pytest.mark.parametrize("value", [b"x", b"x" * 70_000, None, event(0, viewers=1)])
@pytest.mark.parametrize("partitioner", ["murmur2", "crc32", "any"])
async def test_a_key_that_is_too_long_is_refused_before_anything_else(value, partitioner):
    bench = Bench(partitioner=partitioner)
    long = [bench.record(value, key=b"k" * 1_025) for _ in range(2)]
    batch = bench.batch(event(0, viewers=1), *long, event(1, viewers=2))
    assert batch.result.accepted == {"fliggy": 2}
    assert batch.result.rejected == {"": 2}
    assert bench.refused(batch) == [
        ("misrouted", "viewer-events/0/0"),
        ("misrouted", "viewer-events/0/1"),
    ]
    refused = [o for o in batch.outputs if o.topic == bench.topics.rejected.name]
    details = [dict(output.headers)["detail"] for output in refused]
    assert all(b"the key has 1025 bytes, over the 1024 allowed" in detail for detail in details)


class TestOurOwnDefects:
    """A record that our code fails on is refused as `error`; its row stays as it was."""

    @pytest.fixture
    def failing(self, monkeypatch):
        fail_at_666(monkeypatch)

    async def test_in_the_middle_of_a_batch(self, bench, failing):
        bench.batch(event(0, viewers=1))
        batch = bench.batch(
            event(1, viewers=2), event(2, viewers=666), event(3, viewers=4), event(-60), b"x"
        )
        assert bench.refused(batch)[0] == ("error", "viewer-events/0/2")
        assert batch.result.accepted == {"fliggy": 2}
        assert batch.result.reasons == {"error": 1, "late": 1, "malformed": 1}
        twin = Bench()
        twin.batch(event(0, viewers=1))
        twin.batch(event(1, viewers=2), event(3, viewers=4), event(-60))
        assert dict(bench.rows.items()) == dict(twin.rows.items())

    async def test_as_the_first_of_a_batch(self, bench, failing):
        bench.batch(event(0, viewers=1))
        before = dict(bench.rows.items())
        batch = bench.batch(event(2, viewers=666))
        assert not batch.changed
        assert dict(bench.rows.items()) == before
        assert audience.encode(bench.rows.get(KEY)) == before[KEY]

    async def test_twice_and_between_others(self, bench, failing):
        batch = bench.batch(
            event(0, viewers=1),
            event(1, viewers=666),
            event(1, broadcast="other", viewers=1),
            event(2, viewers=666),
            event(3, viewers=3),
        )
        assert batch.result.reasons == {"error": 2}
        twin = Bench()
        twin.batch(event(0, viewers=1), event(1, broadcast="other", viewers=1), event(3, viewers=3))
        assert dict(bench.rows.items()) == dict(twin.rows.items())

    async def test_when_a_row_is_finished(self, bench, monkeypatch):
        bench.batch(event(0, viewers=1), event(0, broadcast="other", viewers=1))
        before = dict(bench.rows.items())
        fold = Row.fold_sealed

        def fail(row):
            fold(row)
            if row.events == 2 and row.newest_at // 1_000_000 == T0 + 20 + 60 * 100:
                raise ZeroDivisionError("a defect")

        monkeypatch.setattr(Row, "fold_sealed", fail)
        batch = bench.batch(event(100, viewers=1), b"x", event(30, broadcast="other", viewers=2))
        assert sorted(bench.refused(batch)) == [
            ("error", "viewer-events/0/2"),
            ("malformed", "viewer-events/0/3"),
        ]
        assert batch.result.accepted == {"fliggy": 1}
        assert bench.rows.encoded(KEY) == before[KEY]
        assert bench.rows.encoded(b"fliggy:other") != before[b"fliggy:other"]

    async def test_in_half_of_a_large_batch(self, bench, failing, logged):
        begun = [event(0, broadcast=f"b{b}") for b in range(40)]
        bench.batch(*begun)
        good = [event(n, broadcast=f"b{b}", viewers=n + b) for n in range(10) for b in range(30)]
        bad = [event(n, broadcast=f"b{b}", viewers=666) for n in range(10) for b in range(0, 40, 2)]
        mixed = [told for pair in zip(good, bad + bad, strict=False) for told in pair]
        batch = bench.batch(*mixed)
        assert batch.result.reasons == {"error": len(mixed) - len(good)}
        assert batch.result.accepted == {"fliggy": len(good)}
        offsets = [int(source.rpartition("/")[2]) for _, source in bench.refused(batch)]
        assert offsets == sorted(offsets)
        twin = Bench()
        twin.batch(*begun)
        twin.batch(*good)
        assert dict(bench.rows.items()) == dict(twin.rows.items())
        told = [entry["event"] for entry in logged]
        assert told.count("internal error") == 5
        assert told.count("more internal errors in this batch, not logged one by one") == 1

    async def test_when_one_becomes_final(self, bench, monkeypatch, logged):
        ended = [event(0, broadcast=name, viewers=5, kind="ended") for name in ("a", "b", "c")]
        bench.batch(*ended, now=NOW)
        summary = publishing.summary

        def fail(platform, broadcast, row, status, figures=None):
            if (broadcast, status) == ("b", "final"):
                raise ZeroDivisionError("a defect")
            return summary(platform, broadcast, row, status, figures)

        monkeypatch.setattr(publishing, "summary", fail)
        batch = bench.batch(now=NOW + 2_000, caught_up=True)
        assert [s["broadcast"] for s in bench.summaries(batch)] == ["a", "c"]
        assert batch.result.finalised == 2
        assert not bench.rows.get(b"fliggy:b").final
        assert bench.batch(now=NOW + 2_001, caught_up=True).is_empty, (
            "it would fail with every tick"
        )
        monkeypatch.setattr(publishing, "summary", summary)
        later = bench.batch(now=NOW + 4_000, caught_up=True)
        assert [s["broadcast"] for s in bench.summaries(later)] == ["b"]

    async def test_in_compiled_code(self, bench, logged):
        """It costs no record: they are tried again by what is not compiled."""

        class Defective:
            def event(self, *_):
                raise ZeroDivisionError("a defect")

            events = event

        told = [event(n, broadcast=f"b{b}", viewers=n + b) for n in range(20) for b in range(3)]
        alone = event(0, broadcast="alone", viewers=1)
        bench.work._validator.scanner = Defective()
        batch = bench.batch(*told, alone, b"{")
        assert batch.result.accepted == {"fliggy": 61}
        assert batch.result.reasons == {"malformed": 1}
        twin = Bench()
        twin.batch(*told, alone)
        assert dict(bench.rows.items()) == dict(twin.rows.items())
        assert [entry["event"] for entry in logged] == [
            "internal error in a batch: retrying record by record"
        ]

    async def test_when_a_row_cannot_be_read(self, bench, logged):
        bench.batch(event(0, viewers=1), event(0, broadcast="other", viewers=1))
        bench.rows.load(KEY, b"damaged")
        batch = bench.batch(event(1, viewers=1), event(1, broadcast="other", viewers=2), b"{")
        assert bench.refused(batch) == [
            ("error", "viewer-events/0/2"),
            ("malformed", "viewer-events/0/4"),
        ]
        assert bench.rows.encoded(KEY) == b"damaged"
        assert batch.result.accepted == {"fliggy": 1}


async def test_the_agent_works_off_what_comes():
    bench = Bench()
    first = Batch(SOURCE, [bench.record(event(0))], bench.rows, caught_up=False, read_at=NOW)

    async def batches():
        yield first

    await module.broadcasts(batches(), bench.work)
    await asyncio.wait_for(first.wait_processed(), 1)
    assert first.result.accepted == {"fliggy": 1}


class Cut(Bench):
    """The topic had lost its beginning, up to a moment, when the rows were built."""

    since = (T0 + 600) * 1000

    def batch(self, *values, now=NOW, caught_up=False):
        records = [v if isinstance(v, ConsumerRecord) else self.record(v) for v in values]
        batch = Batch(
            SOURCE, records, self.rows, caught_up=caught_up, read_at=now, since=self.since
        )
        with batch:
            self.work.process_batch(batch)
        assert batch._done.exception() is None
        encoded = {k: None if r is None else audience.encode(r) for k, r in batch.changed.items()}
        self.rows.commit(batch.changed, encoded)
        self.work.committed(batch)
        return batch


# 10 minutes, 15 of the run gap, 15 of lateness, 1 of margin, 2 of future.
@pytest.mark.parametrize(("minute", "is_cut"), [(0, True), (42, True), (43, False), (60, False)])
async def test_what_may_have_begun_before_the_topic_does_is_counted_and_not_published(
    minute, is_cut
):
    bench = Cut(restart_gap="15m", run_gap="15m")
    batch = bench.batch(event(minute, viewers=5))
    assert batch.result.cut == is_cut
    batch = bench.batch(event(minute + 1, kind="ended"))
    assert batch.result.cut == 0
    assert len(bench.summaries(batch)) == (not is_cut)
    final = bench.batch(now=NOW + 10**6, caught_up=True)
    assert final.result.finalised == 1
    assert len(bench.summaries(final)) == (not is_cut)


async def test_what_another_group_has_refused_is_counted_and_not_sent_again(bench):
    bench.work.refused_before = {0: 2}
    batch = bench.batch(b"{", b"{", b"{", event(0, viewers=1))
    assert batch.result.reasons == {"malformed": 3}
    assert bench.refused(batch) == [("malformed", "viewer-events/0/2")]


async def test_what_is_for_people_is_mended_counted_and_costs_nothing():
    bench = Bench()
    long, lone = event(viewers=5, title="t" * 255), event(viewers=6, title="lone \ud83d")
    values = [orjson.dumps(long), json.dumps(lone).encode()]
    records = [bench.record(value, key=b"fliggy:louvre-1") for value in values]
    batch = bench.batch(*records)
    assert batch.result.accepted == {"fliggy": 2}
    assert batch.result.mended == {"title": 1, "surrogate": 1}
    assert batch.changed[b"fliggy:louvre-1"].title in ("t" * 200, "lone \ufffd")
