"""A batch gives others a turn, and one that nobody waits for is left alone."""

import asyncio
import time

import orjson
import pytest
from aiokafka import TopicPartition
from aiokafka.record.default_records import DefaultRecord

from agents.entries import broadcast_rows
from agents.pipeline.broadcasts.agent import BroadcastProcessor, broadcasts
from streams import audience
from streams.exact import Batch, batch
from streams.settings import Settings
from streams.topics import Topics

SOURCE = TopicPartition("viewer-events", 0)
NOW = 1_790_400_000.0  # a day after the events


class Worker:
    """The agent at work on batches that a test hands it."""

    def __init__(self):
        settings = Settings(partitions=1)
        self.topics = Topics.of(settings)
        self.work = BroadcastProcessor(settings, self.topics)
        self.rows = broadcast_rows()
        self.queue = asyncio.Queue()
        self.assigned()

    def assigned(self):
        self.work.restored(0, self.rows, NOW, NOW, 1)

    async def __aenter__(self):
        self.task = asyncio.create_task(broadcasts(self, self.work))
        return self

    async def __aexit__(self, *error):
        self.task.cancel()
        await asyncio.wait({self.task})

    def __aiter__(self):
        return self

    async def __anext__(self):
        return await self.queue.get()

    def batch(self, records):
        found = Batch(SOURCE, records, self.rows, caught_up=True, read_at=NOW)
        self.queue.put_nowait(found)
        return found

    def commit(self, done):
        encoded = {k: audience.encode(row) for k, row in done.changed.items()}
        self.rows.commit(done.changed, encoded)
        self.work.committed(done)


def record(number, viewers, broadcast="b"):
    value = {
        "platform": "fliggy",
        "broadcast": broadcast,
        "at": "2026-09-25T12:00:00Z",
        "viewers": viewers,
    }
    key = f"fliggy:{broadcast}".encode()
    return DefaultRecord(number, int(NOW * 1000), 0, key, orjson.dumps(value), [])


async def test_the_loop_is_never_kept_for_long():
    slow = (b"[" + b"1e400," * 10_900 + b"1]")[:65_400]
    records = [DefaultRecord(n, int(NOW * 1000), 0, b"fliggy:b", slow, []) for n in range(200)]
    records += [record(200 + n, n, f"b{n % 3_000}") for n in range(6_000)]
    longest, began = 0.0, time.monotonic()
    async with Worker() as worker:
        work = asyncio.ensure_future(worker.batch(records).wait_processed())
        while not work.done():
            before = time.monotonic()
            await asyncio.sleep(0)
            longest = max(longest, time.monotonic() - before)
        await work
    assert longest < max(0.5, (time.monotonic() - began) / 4)


@pytest.mark.parametrize("defect", [False, True])
async def test_an_orphan_touches_nothing(monkeypatch, defect):
    """Its session is lost in its middle, and the partition is ours again before it goes on."""
    monkeypatch.setattr(batch, "BREATH_SECONDS", 0.0)
    async with Worker() as worker:
        first = worker.batch([record(0, 100)])
        await first.wait_processed()
        worker.commit(first)
        if defect:  # so that it is worked off again, record by record
            values = iter([ValueError("ours")])
            validate = worker.work.validate

            def fails_once(*args):
                for error in values:
                    raise error
                return validate(*args)

            monkeypatch.setattr(worker.work, "validate", fails_once)
        orphan = worker.batch([record(n, n, f"b{n % 500}") for n in range(1, 3_000)])
        waiting = asyncio.ensure_future(orphan.wait_processed())
        for _ in range(1_000):
            if len(orphan.changed) < 100:
                await asyncio.sleep(0)
        assert 100 <= len(orphan.changed) < 500, "in its middle"
        # What a partition does at its end, and the next one at its beginning.
        orphan.give_up()
        worker.work.lost(0)
        worker.assigned()
        committed = dict(worker.rows.items())
        changed = len(orphan.changed)
        done, _ = await asyncio.wait({waiting}, timeout=5)
        assert done
        assert waiting.cancelled()
        for _ in range(200):
            await asyncio.sleep(0)
        assert len(orphan.changed) == changed, "it was left"
        assert dict(worker.rows.items()) == committed
        assert not worker.rows._decoded, "what it took out did not come back"
        timers = worker.work.lifecycles[0]
        due = [[*clock.due(1e12)] for clock in (timers._silences, timers._wall)]
        assert due == [[b"fliggy:b"], [b"fliggy:b"]], "of silence and by the wall clock, of one row"
        # The same records come again, and count once.
        again = worker.batch([record(n, n, f"b{n % 500}") for n in range(1, 3_000)])
        await again.wait_processed()
        worker.commit(again)
        assert len(worker.rows) == 501
        assert sum(audience.decode(row).events for _, row in worker.rows.items()) == 3_000


async def test_one_that_was_given_up_before_its_turn_is_not_begun():
    async with Worker() as worker:
        orphan = worker.batch([record(0, 100)])
        orphan.give_up()
        after = worker.batch([record(1, 100)])
        await after.wait_processed()
        assert not orphan.changed
        assert not worker.task.done()


async def test_a_record_without_a_timestamp_is_taken_by_the_clock_and_no_defect():
    async with Worker() as worker:
        good = record(0, 100)
        odd = [DefaultRecord(n, -1, 0, good.key, good.value, []) for n in range(1, 40)]
        done = worker.batch([good, *odd])
        await done.wait_processed()
        assert done.result.reasons == {}
        assert done.result.accepted == {"fliggy": 40}
        assert done.changed[good.key].timestamp == int(NOW * 1000)
