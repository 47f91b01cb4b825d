"""What came out of the pipeline, read from Kafka as any reader would: committed, from the start."""

from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from aiokafka import TopicPartition

from agents import kafka
from agents.demo.input import accepted, refused
from streams.summaries import decode_broadcast_summary
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from aiokafka import AIOKafkaConsumer

    from streams.settings import Settings
    from streams.summaries import BroadcastSummary
    from streams.topics import Topic

WAIT_MS: Final = 200
"""How long a look at the topics waits where nothing has come."""


class Results:
    """The summaries and the refused records so far.

    Args:
        topics: Where they are read.
        consumer: Reads them, each from its beginning.

    Attributes:
        broadcasts: The latest summary of each broadcast, by key.
        refused: How many records were refused, by reason.
    """

    def __init__(self, topics: Topics, consumer: AIOKafkaConsumer | None = None) -> None:
        self._topics = topics
        self._consumer = consumer
        self.broadcasts: dict[bytes, BroadcastSummary] = {}
        self.refused: Counter[str] = Counter()

    @property
    def ended(self) -> int:
        """How many broadcasts have ended."""
        return sum(summary.status != "live" for summary in self.broadcasts.values())

    @property
    def complete(self) -> bool:
        """Whether all that was sent is in the figures, or among the refused where it belongs."""
        return next(self.missing(), None) is None

    def missing(self) -> Iterator[str]:
        """Yield what does not agree yet with what was sent, a line each, for people."""
        for key, count in accepted().items():
            summary = self.broadcasts.get(key)
            if summary is None or summary.status == "live":
                yield f"{key.decode()}: no summary that it ended"
            elif summary.events != count:
                yield f"{key.decode()}: {summary.events:,} events of {count:,}"
        for reason in sorted(refused() | self.refused):
            if self.refused[reason] != refused()[reason]:
                yield f"refused as {reason}: {self.refused[reason]} of {refused()[reason]}"

    async def read(self) -> None:
        """Take in what has come since the last time; waits a moment where nothing has."""
        assert self._consumer is not None
        found = await self._consumer.getmany(timeout_ms=WAIT_MS)
        for partition, records in found.items():
            for record in records:
                self.take(partition.topic, record)

    def take(self, topic: str, record: Any) -> None:
        """Take in one record of one of the topics."""
        if topic == self._topics.rejected.name:
            self.refused[dict(record.headers)["reason"].decode()] += 1
        else:
            self.broadcasts[record.key] = decode_broadcast_summary(record.value)


@asynccontextmanager
async def reading(settings: Settings) -> AsyncIterator[Results]:
    """Read the summaries and the refused records; the topics must be there.

    Raises:
        LiveAudienceError: What went wrong with the broker.
    """
    topics = Topics.of(settings)
    async with reading_all(settings, topics.broadcast_summaries, topics.rejected) as consumer:
        yield Results(topics, consumer)


@asynccontextmanager
async def reading_all(settings: Settings, *topics: Topic) -> AsyncIterator[AIOKafkaConsumer]:
    """Read topics from their beginning; they must be there.

    Raises:
        LiveAudienceError: What went wrong with the broker.
    """
    async with kafka.reader(settings) as consumer:
        partitions = [
            TopicPartition(topic.name, partition)
            for topic in topics
            for partition in range(topic.partitions)
        ]
        consumer.assign(partitions)
        for partition in partitions:
            # In so many words, for the topics are new: what comes first is to be read too.
            consumer.seek(partition, 0)
        yield consumer
