"""What is asked of a worker from outside: its offsets, its scrapes, and how old its figures are."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from statistics import median, quantiles
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError
from rounds import Stage
from subject import Subject

from streams.names import Names
from streams.routing import partition_for

_SCRAPES = 5
_HEALTH_EVERY = 0.002
_PROBE_EVERY = 0.1
_ASK_EVERY = 0.01
_SCRAPE_EVERY = 10.0
_PROBE_PATIENCE = 60.0
_PLATFORM, _BROADCAST = "fliggy", "probe"
_FIRST_VIEWERS = 1_000_000_000
"""More than any other, so that the probe is the largest of all and thus exported."""

KEY = f"{_PLATFORM}:{_BROADCAST}".encode()
"""The key of the probe's events."""

Shown = Callable[[str, int, int], None]


Offsets = dict[TopicPartition, int]
"""How far a consumer group is, by partition."""


@asynccontextmanager
async def committed(stage: Stage, group: str) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """Give what says how many events are durable: the offsets are in the rows' transactions."""
    name = Names.of(stage.settings(group)).broadcasts_group
    async with group_offsets(stage.brokers, name) as offsets:

        async def ask() -> int:
            return sum((await offsets()).values())

        yield ask


@asynccontextmanager
async def group_offsets(brokers: str, name: str) -> AsyncIterator[Callable[[], Awaitable[Offsets]]]:
    """Give what says which offsets a consumer group has committed."""
    client = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await client.start()
    try:
        coordinator = await _coordinator(client, name)

        async def ask() -> Offsets:
            offsets = await client.list_consumer_group_offsets(name, coordinator)
            return {partition: each.offset for partition, each in offsets.items()}

        yield ask
    finally:
        await client.close()


async def _coordinator(client: AIOKafkaAdminClient, name: str) -> int:
    """Find a group's coordinator; a new broker has none until its first group is there."""
    async with asyncio.timeout(_PROBE_PATIENCE):
        while True:
            try:
                return int(await client.find_coordinator(name))
            except GroupCoordinatorNotAvailableError:
                await asyncio.sleep(_ASK_EVERY)


async def _scrape(worker: Subject, encoding: str) -> tuple[float, bytes]:
    """Scrape once: seconds, and the text as it is when unpacked."""
    began = time.perf_counter()
    async with worker.http.get(
        "/metrics", headers={"Accept": "text/plain", "Accept-Encoding": encoding}
    ) as answer:
        answer.raise_for_status()
        body = await answer.read()
    return time.perf_counter() - began, body


async def _health(worker: Subject, longest: list[float]) -> None:
    """Ask for /healthz again and again, and keep the longest time that it took."""
    while True:
        began = time.perf_counter()
        await worker.status("/healthz")
        longest[0] = max(longest[0], time.perf_counter() - began)
        await asyncio.sleep(_HEALTH_EVERY)


@asynccontextmanager
async def _watched(worker: Subject) -> AsyncIterator[list[float]]:
    longest = [0.0]
    task = asyncio.create_task(_health(worker, longest))
    try:
        yield longest
    finally:
        task.cancel()
        await asyncio.wait([task])


async def scrapes(worker: Subject, told: Shown) -> dict[str, Any]:
    """Scrape a worker that has nothing else to do, some times, while /healthz is asked."""
    told("scraping", 0, 0)
    async with _watched(worker) as before:
        await asyncio.sleep(1)
    found: dict[str, list[float]] = {"identity": [], "gzip": []}
    body = b""
    async with _watched(worker) as longest:
        for encoding, seconds in found.items():
            for _ in range(_SCRAPES):
                took, body = await _scrape(worker, encoding)
                seconds.append(took)
                await asyncio.sleep(0.2)
    exported = sum(line.startswith(b"audience_viewers{") for line in body.splitlines())
    return {
        "seconds": round(median(found["identity"]), 4),
        "first_seconds": round(found["identity"][0], 4),
        "gzip_seconds": round(median(found["gzip"]), 4),
        "bytes": len(body),
        "exported": exported,
        "healthz_longest": round(longest[0], 4),
        "healthz_longest_before": round(before[0], 4),
    }


async def scrapes_now_and_then(worker: Subject, seconds: float) -> dict[str, Any]:
    """Scrape a worker that is at work, as a Prometheus would."""
    end = time.monotonic() + seconds
    found = []
    while time.monotonic() < end:
        await asyncio.sleep(min(_SCRAPE_EVERY, seconds / 3))
        found.append((await _scrape(worker, "gzip"))[0])
    return {
        "count": len(found),
        "median": round(median(found), 4),
        "longest": round(max(found), 4),
    }


async def latency(
    worker: Subject, stage: Stage, topic: str, seconds: float, told: Shown
) -> dict[str, Any]:
    """Measure the time from handing an event to the producer until the API shows it."""
    return await latency_to(
        lambda sent, seen, done: _ask(worker, sent, seen, done), stage, topic, seconds, told
    )


async def latency_to(
    watch: Callable[[list[float], list[float], asyncio.Event], Coroutine[Any, Any, None]],
    stage: Stage,
    topic: str,
    seconds: float,
    told: Shown,
) -> dict[str, Any]:
    """Measure the time from handing an event to the producer until it is seen somewhere.

    Each event of the probe tells one viewer more than the one before; the figure of its viewers
    says which was the latest that came through.

    Args:
        watch: looks until all that was sent is seen, and appends to its second list when; `reached`
            says which event some viewers are of.
        stage: the broker and the partitions.
        topic: of the events.
        seconds: how long an event is sent each 0.1 s.
        told: shows how far it is.
    """
    sent: list[float] = []
    seen: list[float] = []
    done = asyncio.Event()
    asking = asyncio.create_task(watch(sent, seen, done))
    try:
        async with AIOKafkaProducer(bootstrap_servers=stage.brokers, acks="all") as producer:
            await _send(producer, stage, topic, seconds, sent, told)
        done.set()
        await asyncio.wait_for(asking, _PROBE_PATIENCE * 2)
    finally:
        asking.cancel()
        await asyncio.wait([asking])
    took = sorted(b - a for a, b in zip(sent, seen, strict=False))
    if not took:
        return {"sent": len(sent), "seen": 0, "p50": None, "p99": None, "max": None}
    hundredths = quantiles(took, n=100, method="inclusive") if len(took) > 1 else took * 99
    return {
        "sent": len(sent),
        "seen": len(took),
        "p50": round(hundredths[49], 4),
        "p99": round(hundredths[98], 4),
        "max": round(took[-1], 4),
    }


async def _send(
    producer: AIOKafkaProducer,
    stage: Stage,
    topic: str,
    seconds: float,
    sent: list[float],
    told: Shown,
) -> None:
    partition = partition_for(KEY, stage.partitions)
    began = time.perf_counter()
    count = max(1, int(seconds / _PROBE_EVERY))
    waiting = []
    for number in range(count):
        due = began + number * _PROBE_EVERY
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        told("real time", number, count)
        at = time.time()
        moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")
        value = (
            f'{{"platform":"{_PLATFORM}","broadcast":"{_BROADCAST}","at":"{moment}",'
            f'"viewers":{_FIRST_VIEWERS + number},"venue":"venue-probe"}}'
        ).encode()
        sent.append(time.perf_counter())
        waiting.append(
            await producer.send(
                topic, value, key=KEY, partition=partition, timestamp_ms=int(at * 1000)
            )
        )
    await asyncio.gather(*waiting)


def reached(viewers: int) -> int:
    """How many of the probe's events have come through when it has so many viewers."""
    return viewers - _FIRST_VIEWERS + 1


async def _ask(worker: Subject, sent: list[float], seen: list[float], done: asyncio.Event) -> None:
    """Ask until all that was sent is seen, or has not been for a minute."""
    end = float("inf")
    while not (done.is_set() and len(seen) == len(sent)) and time.perf_counter() < end:
        if done.is_set() and end == float("inf"):
            end = time.perf_counter() + _PROBE_PATIENCE
        found = await worker.document(f"/v1/broadcasts/{_PLATFORM}/{_BROADCAST}")
        now = time.perf_counter()
        if found is not None and found["viewers"] is not None:
            seen.extend([now] * (reached(found["viewers"]) - len(seen)))
        await asyncio.sleep(_ASK_EVERY)
