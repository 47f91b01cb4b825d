"""Broadcasts without number, one event a minute each; as a program, a sender in real time.

    python fleet.py BROKERS TOPIC PARTITIONS BROADCASTS VENUES SECONDS

sends each broadcast's event at its own second of the minute, for so many seconds. It prints a line
of JSON when it is done: what was sent, how late the latest was, and what the world must show of it.
A process of its own, so that what it costs does not stand between a probe and its clock.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # run as a script, from anywhere

from aiokafka import AIOKafkaProducer

from streams.murmur2 import murmur2_many

_PLATFORMS = ("fliggy", "kuaishou", "twitch", "youtube", "ivs", "bilibili")
_TICK = 0.05
_AT_ONCE = 20_000
_MINUTE = 60_000
_WALK = 21


class Fleet:
    """All broadcasts, and what each of them says in any minute.

    Args:
        broadcasts: how many; the n-th has its event n / broadcasts into the minute.
        venues: over how many venues they are spread, in turn.
        partitions: of the topic.
    """

    def __init__(self, broadcasts: int, venues: int, partitions: int) -> None:
        self.count = broadcasts
        names = [f"{_PLATFORMS[n % 6]}:live-{n:07d}" for n in range(broadcasts)]
        self.keys = [name.encode() for name in names]
        hashes = dict(murmur2_many(self.keys))
        self.partitions = bytes((hashes[key] & 0x7FFFFFFF) % partitions for key in self.keys)
        self._heads = [
            (
                f'{{"platform":"{_PLATFORMS[n % 6]}","broadcast":"live-{n:07d}",'
                f'"venue":"venue-{n % venues:05d}","at":"'
            ).encode()
            for n in range(broadcasts)
        ]

    def viewers(self, number: int, minute: int) -> int:
        """Say how many watch a broadcast: most have few, one in a thousand has very many."""
        usual = 60_000 if number % 1000 == 7 else number % 311
        return usual + (number * 7 + minute) % _WALK

    def joins(self, number: int, minute: int) -> int:
        """Say how many have joined a broadcast in a minute."""
        return (number + minute) % 40

    def value(self, number: int, at: int) -> bytes:
        """Make a broadcast's event; `at` in milliseconds since 1970."""
        minute = at // _MINUTE
        moment = _second(at // 1000)
        viewers = self.viewers(number, minute)
        return b'%s%s.%03dZ","viewers":%d,"joins":%d,"views":%d}' % (
            self._heads[number],
            moment,
            at % 1000,
            viewers,
            self.joins(number, minute),
            viewers * 3,
        )


_seconds: dict[int, bytes] = {}


def _second(at: int) -> bytes:
    known = _seconds.get(at)
    if known is None:
        known = _seconds[at] = (
            datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
        )
    return known


class Filling:
    """Batches of one topic, each sent when it is full.

    Attributes:
        bytes: of the values so far.
        joins: in them, which the world has to show in the end.
    """

    def __init__(self, fleet: Fleet, producer: AIOKafkaProducer, topic: str) -> None:
        self.bytes = self.joins = 0
        self._fleet = fleet
        self._producer = producer
        self._topic = topic
        self._batches: dict[int, object] = {}
        self._sent: list[asyncio.Future[object]] = []

    async def add(self, number: int, at: int) -> None:
        """Add a broadcast's event of one moment, in milliseconds since 1970."""
        fleet = self._fleet
        value, partition = fleet.value(number, at), fleet.partitions[number]
        self.bytes += len(value)
        self.joins += fleet.joins(number, at // _MINUTE)
        while True:
            batch = self._batches.get(partition)
            if batch is None:
                batch = self._batches[partition] = self._producer.create_batch()
            if batch.append(key=fleet.keys[number], value=value, timestamp=at) is not None:
                return
            await self._send(partition)

    async def flush(self) -> None:
        """Send what there is, and wait until the broker has it all."""
        await self.send()
        await asyncio.gather(*self._sent)

    async def send(self) -> None:
        """Send what there is."""
        for partition in list(self._batches):
            await self._send(partition)

    async def _send(self, partition: int) -> None:
        batch = self._batches.pop(partition)
        sent = await self._producer.send_batch(batch, self._topic, partition=partition)
        self._sent.append(sent)


def producer(brokers: str) -> AIOKafkaProducer:
    """Make a producer of large batches."""
    return AIOKafkaProducer(bootstrap_servers=brokers, max_batch_size=512 * 1024, acks="all")


async def fill(
    fleet: Fleet, brokers: str, topic: str, minutes: int, told: Callable[[int, int], None]
) -> Filling:
    """Write so many minutes before the present one into a topic, as fast as it goes."""
    first = int(time.time() // 60) - minutes
    async with producer(brokers) as client:
        filling = Filling(fleet, client, topic)
        for position, (number, at) in enumerate(_minutes(fleet.count, first, minutes)):
            await filling.add(number, at)
            if not position % _AT_ONCE:
                told(position, fleet.count * minutes)
        await filling.flush()
    return filling


def _minutes(count: int, first: int, minutes: int) -> Iterator[tuple[int, int]]:
    for minute in range(first, first + minutes):
        for number in range(count):
            yield number, minute * _MINUTE + number * _MINUTE // count


async def send(fleet: Fleet, brokers: str, topic: str, seconds: float) -> dict[str, float]:
    """Send each event when it is due."""
    sent, latest = 0, 0.0
    async with producer(brokers) as client:
        filling = Filling(fleet, client, topic)
        began = time.time()
        due = int(began * 1000 * fleet.count / _MINUTE)  # of all events since 1970
        while True:
            now = min(time.time(), began + seconds)
            until = int(now * 1000 * fleet.count / _MINUTE)
            for position in range(due, until):
                minute, number = divmod(position, fleet.count)
                await filling.add(number, minute * _MINUTE + number * _MINUTE // fleet.count)
            sent, due = sent + until - due, until
            await filling.send()
            latest = max(latest, time.time() - now)
            if now >= began + seconds:
                break
            await asyncio.sleep(_TICK)
        await filling.flush()
    wall = time.time() - began
    return {"sent": sent, "joins": filling.joins, "seconds": wall, "latest": latest}


if __name__ == "__main__":
    _brokers, _topic = sys.argv[1:3]
    _partitions, _broadcasts, _venues = map(int, sys.argv[3:6])
    _fleet = Fleet(_broadcasts, _venues, _partitions)
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(asyncio.run(send(_fleet, _brokers, _topic, float(sys.argv[6])))), flush=True)
