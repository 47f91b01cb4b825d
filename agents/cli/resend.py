"""Sends refused records again."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agents import kafka
from agents.topics.admin import partitions_of
from agents.topics.reading import read_to_end
from agents.topics.sending import BATCH_BYTES, Sender
from streams.routing import partition_for
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from aiokafka.structs import ConsumerRecord

    from streams.settings import Settings

#: Headers of records of which only a part was kept, or that stand for several.
_CUT = frozenset({"truncated", "key-bytes", "records"})


@dataclass(slots=True)
class ResendResult:
    """What became of the refused records.

    Attributes:
        sent: how many were sent again, by reason.
        other: how many were left alone for their reason.
        truncated: how many would have been sent, but only their first part was kept.
    """

    sent: Counter[str] = field(default_factory=Counter)
    other: int = 0
    truncated: int = 0


async def resend(
    settings: Settings, reasons: Collection[str], on_progress: Callable[[int], None]
) -> ResendResult:
    """Send refused records again, up to those that are there now.

    A record keeps its key and its bytes; its timestamp is the time of sending, so one that was
    from the future is validated anew.

    Args:
        settings: brokers, topics, partitioner.
        reasons: which to send.
        on_progress: told how many records have been read.

    Raises:
        LiveAudienceError: a topic is missing or the broker did not take them.
    """
    topics = Topics.of(settings)
    rejected, events = topics.rejected.name, topics.events.name
    counts = await partitions_of(settings, [rejected, events])
    result = ResendResult()
    async with (
        kafka.reader(settings) as consumer,
        kafka.producer(settings, max_batch_size=BATCH_BYTES) as producer,
    ):
        sender = Sender(producer, events)
        read = 0
        async for record in read_to_end(settings, consumer, rejected, counts[rejected]):
            read += 1
            on_progress(read)
            headers = dict(record.headers)
            reason = headers.get("reason", b"").decode(errors="replace")
            if reason not in reasons:
                result.other += 1
            elif not _CUT.isdisjoint(headers):
                result.truncated += 1
            else:
                partition = _partition(record, counts[events], settings)
                await sender.add(partition, record.key, record.value, time.time_ns() // 1_000_000)
                result.sent[reason] += 1
        await sender.flush()
    return result


def _partition(record: ConsumerRecord, partitions: int, settings: Settings) -> int:
    # Without a key it is refused wherever it lies.
    if record.key is None:
        return 0
    if settings.partitioner == "any":
        # Back to where it was: only the producers know where its key belongs.
        source = dict(record.headers).get("source", b"//0").decode()
        return int(source.rsplit("/", 2)[1] or 0) % partitions
    return partition_for(record.key, partitions, settings.partitioner)
