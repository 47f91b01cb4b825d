"""The events: realistic ones of about 150 bytes, the same for the same seed, and into Kafka."""

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import orjson
from aiokafka import AIOKafkaProducer

from streams.routing import partition_for

WORKLOADS = ("2000", "distinct")
A_MINUTE = 2_000
"""Events a minute of event time: one of each broadcast, where there are so many broadcasts."""

_PLATFORMS = ("fliggy", "kuaishou", "twitch", "youtube", "ivs", "bilibili")
_VENUES = ("louvre", "versailles", "uffizi", "prado", "hermitage", "rijksmuseum", "met", "tate")


class Record(NamedTuple):
    """One record of the topic; `timestamp` is Kafka's, in milliseconds."""

    key: bytes
    value: bytes
    timestamp: int


def records(workload: str, count: int, seed: int = 2020) -> Iterator[Record]:
    """Yield the events of a workload in the order of their timestamps, minute by minute.

    Each broadcast has one event a minute at a second of its own, a random walk of viewers, and
    tells what it is (`started`, title) with its first. In `distinct` no broadcast has a second.
    The last minute is the one before now, so that no retention touches them.
    """
    chance = random.Random(f"{seed}/{workload}")
    minutes = -(-count // A_MINUTE)
    first = int(time.time() // 60) - minutes
    seconds = sorted(chance.randrange(57_000) for _ in range(A_MINUTE))
    viewers = [int(chance.lognormvariate(5.5, 1.6)) for _ in range(A_MINUTE)]
    views = list(viewers)
    for number in range(count):
        minute, slot = divmod(number, A_MINUTE)
        at = (first + minute) * 60_000 + seconds[slot]
        watching = viewers[slot] = max(0, viewers[slot] + chance.randint(-20, 21))
        joins = chance.randint(0, 40)
        views[slot] += joins
        broadcast = number if workload == "distinct" else slot
        platform, venue = _PLATFORMS[broadcast % 6], _VENUES[broadcast % 8]
        name = f"{venue}-{broadcast:07d}"
        moment = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
        event = {
            "platform": platform,
            "broadcast": name,
            "at": moment.replace("+00:00", "Z"),
            "viewers": watching,
            "joins": joins,
            "views": views[slot],
            "venue": venue,
        }
        if workload != "distinct" and not minute:
            event |= {"kind": "started", "title": f"Live from the {venue}, {number}"}
        yield Record(f"{platform}:{name}".encode(), orjson.dumps(event), at + 150)


async def fill(brokers: str, topic: str, partitions: int, workload: str, count: int) -> float:
    """Write a workload into a topic, each record where its key belongs.

    Returns:
        Bytes of a value, on average.
    """
    size = 0
    async with AIOKafkaProducer(
        bootstrap_servers=brokers, max_batch_size=512 * 1024, acks="all"
    ) as producer:
        batches = [producer.create_batch() for _ in range(partitions)]
        for key, value, timestamp in records(workload, count):
            size += len(value)
            partition = partition_for(key, partitions)
            if batches[partition].append(key=key, value=value, timestamp=timestamp) is None:
                await _send(producer, batches[partition], topic, partition)
                batches[partition] = producer.create_batch()
                batches[partition].append(key=key, value=value, timestamp=timestamp)
        for partition, batch in enumerate(batches):
            if batch.record_count():
                await _send(producer, batch, topic, partition)
    return size / count


async def _send(producer: AIOKafkaProducer, batch: object, topic: str, partition: int) -> None:
    stored = await producer.send_batch(batch, topic, partition=partition)
    await stored
