"""Sends the demo's records, by the code that sends those of `live-audience replay`."""

from __future__ import annotations

import asyncio
import time
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final

from agents import kafka
from agents.topics.sending import BATCH_BYTES, Sender
from streams.routing import partition_for
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agents.demo.record import SourceRecord
    from streams.settings import Settings

_TELL_EVERY: Final = 500
_KNOWN: Final = 10_000


async def send(
    settings: Settings, records: Iterable[SourceRecord], on_progress: Callable[[int], None]
) -> None:
    """Send records in their order, without waiting in between.

    Their Kafka timestamp is the time of sending now, as in a replay, not that of the years in which
    they were sent first: Kafka keeps records by their timestamp, and at its next look would delete
    what is years old (seen: within 3 s all of them were gone from a topic that keeps a week).

    Args:
        settings: Brokers, topics, partitioner; the topics have as many partitions as they say.
        records: What to send.
        on_progress: Told at times how many were sent so far.

    Raises:
        LiveAudienceError: The broker did not take them.
    """
    # Of the same few broadcasts come many records, one after the other.
    partition_of = lru_cache(maxsize=_KNOWN)(
        partial(partition_for, partitions=settings.partitions, partitioner=settings.partitioner)
    )
    async with kafka.producer(settings, max_batch_size=BATCH_BYTES) as producer:
        sender = Sender(producer, Topics.of(settings).events.name)
        done = 0
        for record in records:
            now = time.time_ns() // 1_000_000
            await sender.add(partition_of(record.key), record.key, record.value, now)
            done += 1
            if done % _TELL_EVERY == 0:
                on_progress(done)
                # Making the records may take longer than sending them: others get their turn.
                await asyncio.sleep(0)
        await sender.flush()
        on_progress(done)
