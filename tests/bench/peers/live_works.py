"""What is measured while events come at an even pace: how old figures are, and who takes over."""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import checking
import probes
from aiokafka import AIOKafkaConsumer, TopicPartition
from contestant import Contestant, Place
from meters import spent, usage
from running import LIMIT, LOOK, Look, Running
from works import Bench, at_work, one_each, topic

from streams.routing import partition_for

BROADCASTS = 2_000
_WARM = 8.0
_SETTLED = 15.0
_SENDING = 40.0
_STALLED = 2.0
_AFTER_END = 120.0


@contextlib.asynccontextmanager
async def sender(
    place: Place, rate: int, seconds: float
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start a sender that is ready; it sends when it gets a line."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("sender.py")),
        *(place.stage.brokers, place.topic, str(place.stage.partitions)),
        *(str(BROADCASTS), str(rate), str(seconds)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        if await process.stdout.readline() != b"ready\n":
            raise RuntimeError("the sender has failed; what it said stands above")
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _told(process: asyncio.subprocess.Process) -> dict[str, Any]:
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError("the sender has failed; what it said stands above")
    process.stdin.close()
    await process.wait()
    return json.loads(line)


async def _durable(place: Place, workers: list[Running], events: int) -> None:
    """Wait until so many events are durable."""
    group = workers[0].contestant.group(place)
    assert group is not None
    async with asyncio.timeout(LIMIT), probes.group_offsets(place.stage.brokers, group) as ask:
        while sum((await ask()).values()) < events:
            for each in workers:
                if each.process.returncode is None:
                    each.check()
            await asyncio.sleep(LOOK)


async def latency(
    bench: Bench, contestant: Contestant, partitions: int, rate: int, seconds: float
) -> dict[str, Any]:
    """Measure from handing an event to the producer until its row can be read as committed."""
    stage = bench.stage(f"latency-{rate}", partitions, 0)
    async with topic(stage) as events_topic:
        place = bench.place(stage, contestant)
        async with (
            at_work(bench, contestant, place) as [running],
            sender(place, rate, seconds + 2 * _WARM) as sending,
        ):
            first = await one_each(bench, stage, events_topic)
            await _durable(place, [running], first)
            sending.stdin.write(b"go\n")
            bench.show(f"{contestant.name}: {rate:,} events/s", 0, 0)
            await asyncio.sleep(_WARM)
            before, sender_before = _look(running), usage(sending.pid)
            async with _follower(contestant, place) as follower:
                found = await probes.latency_to(
                    follower.watch, stage, events_topic, seconds, bench.show
                )
            after, sender_after = _look(running), usage(sending.pid)
            sent = await _told(sending)
    took = after.at - before.at
    cores = after.since(before, 1_000_000)  # CPU seconds, as of a million events
    sender_cpu = spent(sender_before, sender_after)
    others = cores["others"]
    if others is not None and sender_cpu is not None:
        others = round(max(0.0, others - sender_cpu / took), 3)
    return {
        **found,
        "cores": _share(cores["cpu"], took),
        "broker_cores": _share(cores["broker_cpu"], took),
        "transactions": round(follower.markers / took, 2),
        "memory": after.memory,
        "sent_late": sent["latest"],
        "others": others,
    }


def _look(running: Running) -> Look:
    return Look.now([running], running.place.stage.broker_pid)


def _share(seconds: float | None, of: float) -> float | None:
    return None if seconds is None else round(seconds / of, 4)


class _Follower:
    """Looks for the probe in its partition of a changelog.

    Attributes:
        markers: offsets without a record: the ends of transactions, for one partition.
    """

    def __init__(self, consumer: AIOKafkaConsumer, contestant: Contestant) -> None:
        self._consumer = consumer
        self._contestant = contestant
        self._next: int | None = None
        self.markers = 0

    async def watch(self, sent: list[float], seen: list[float], done: asyncio.Event) -> None:
        """Look until all that was sent is seen, or has not been for long."""
        end = float("inf")
        while not (done.is_set() and len(seen) == len(sent)) and time.perf_counter() < end:
            if done.is_set() and end == float("inf"):
                end = time.perf_counter() + _AFTER_END
            for records in (await self._consumer.getmany(timeout_ms=100)).values():
                now = time.perf_counter()
                for record in records:
                    if self._next is not None:
                        self.markers += record.offset - self._next
                    self._next = record.offset + 1
                    viewers = self._viewers(record.key, record.value)
                    if viewers is not None:
                        seen.extend([now] * (probes.reached(viewers) - len(seen)))

    def _viewers(self, key: bytes | None, value: bytes | None) -> int | None:
        if key is None or value is None or probes.KEY not in key:
            return None
        found = self._contestant.row(key, value)
        return None if found is None else found[1][2]


@contextlib.asynccontextmanager
async def _follower(contestant: Contestant, place: Place) -> AsyncIterator[_Follower]:
    """Follow the changelog's partition of the probe, from its present end on."""
    name = contestant.changelog(place)
    assert name is not None
    partition = TopicPartition(name, partition_for(probes.KEY, place.stage.partitions))
    async with AIOKafkaConsumer(
        bootstrap_servers=place.stage.brokers,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="latest",
    ) as consumer:
        consumer.assign([partition])
        await consumer.seek_to_end(partition)
        await consumer.position(partition)
        yield _Follower(consumer, contestant)


async def take_over(
    bench: Bench, contestant: Contestant, partitions: int, rate: int
) -> dict[str, Any]:
    """Kill one of two workers with SIGKILL while events come, and see when the other has all.

    Returns:
        `seconds` from the kill until each partition's events from before the kill and one from
        after it were durable; `stalled`, how many partitions had nothing durable for 2 s; `sent`
        and `counted`, events in all and in the rows in the end; `differ`, how many broadcasts'
        rows were not right.
    """
    stage = bench.stage(f"take-over-{rate}", partitions, 0)
    async with topic(stage) as events_topic:
        place = bench.place(stage, contestant)
        group = contestant.group(place)
        assert group is not None
        async with at_work(bench, contestant, place, 2) as workers:
            first = await one_each(bench, stage, events_topic)
            await _durable(place, workers, first)
            bench.show(f"{contestant.name}: two workers share the partitions", 0, 0)
            await asyncio.sleep(_SETTLED)
            async with sender(place, rate, _SENDING) as sending:
                sending.stdin.write(b"go\n")
                await asyncio.sleep(_WARM)
                ends = await _ends(stage.brokers, events_topic, partitions)
                killed = time.time()
                await workers[0].kill()
                bench.show(f"{contestant.name}: killed", 0, 0)
                seconds, stalled = await _passed(stage.brokers, group, ends, killed)
                sent = first + (await _told(sending))["sent"]
            await _durable(place, workers, sent)
            wanted = await checking.truth(stage.brokers, events_topic, partitions)
            found = await checking.rows(contestant, place)
    wrong = sum(found.get(key) != row for key, row in wanted.items())
    return {
        "seconds": round(seconds, 3),
        "stalled": stalled,
        "sent": sent,
        "counted": checking.counted(found),
        "differ": wrong,
    }


async def _ends(brokers: str, name: str, partitions: int) -> dict[TopicPartition, int]:
    async with AIOKafkaConsumer(bootstrap_servers=brokers) as consumer:
        return await consumer.end_offsets([TopicPartition(name, n) for n in range(partitions)])


async def _passed(
    brokers: str, group: str, ends: dict[TopicPartition, int], since: float
) -> tuple[float, int]:
    """Wait until each partition's committed offset is beyond an offset."""
    stalled, passed = -1, 0.0
    async with asyncio.timeout(LIMIT), probes.group_offsets(brokers, group) as ask:
        while True:
            offsets = await ask()
            behind = [each for each, end in ends.items() if offsets.get(each, 0) <= end]
            if stalled < 0 and time.time() - since >= _STALLED:
                stalled = len(behind)
            if not behind:
                passed = passed or time.time() - since
                if stalled >= 0:
                    return passed, stalled
            await asyncio.sleep(LOOK)
