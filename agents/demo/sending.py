"""Sends the demo's records, by the code that sends those of `live-audience replay`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from agents import kafka
from agents.cli.sending import BATCH_BYTES, Sender
from streams.routing import partition_for
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agents.demo.record import Sent
    from streams.settings import Settings

_TELL_EVERY: Final = 500


async def send(settings: Settings, records: Iterable[Sent], tell: Callable[[int], None]) -> None:
    """Send records in their order, without waiting in between.

    Their Kafka timestamp is the time of sending now, as in a replay, not that of the years in which
    they were sent first: Kafka keeps records by their timestamp, and at its next look would delete
    what is years old (seen: within 3 s all of them were gone from a topic that keeps a week).

    Args:
        settings: Brokers, topics, partitioner; the topics have as many partitions as they say.
        records: What to send.
        tell: Told at times how many were sent so far.

    Raises:
        LiveAudienceError: The broker did not take them.
    """
    partitioner, partitions = settings.partitioner, settings.partitions
    async with kafka.producer(settings, max_batch_size=BATCH_BYTES) as producer:
        sender = Sender(producer, Topics.of(settings).events.name)
        done = 0
        for record in records:
            partition = partition_for(record.key, partitions, partitioner)
            now = time.time_ns() // 1_000_000
            await sender.add(partition, record.key, record.value, now)
            done += 1
            if done % _TELL_EVERY == 0:
                tell(done)
        await sender.flush()
        tell(done)
