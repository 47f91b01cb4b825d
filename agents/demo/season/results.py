"""What came of the season, read from Kafka as any reader would: committed, from the start."""

from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from agents.demo.results import WAIT_MS, reading_all
from streams.summaries import decode_broadcast_summary, decode_scope_summary
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from aiokafka import AIOKafkaConsumer

    from streams.settings import Settings
    from streams.summaries import BroadcastSummary, ScopeSummary

WORLD: Final = "world"


class ScopeTotals(NamedTuple):
    """Those figures of a scope that are sums over its broadcasts."""

    broadcasts: int = 0
    live: int = 0
    peak_sum: int = 0
    viewer_minutes: int = 0
    joins: int = 0
    views: int = 0


class Results:
    """The summaries and the refused records so far.

    Args:
        topics: Where they are read.
        broadcasts: How many broadcasts are to come.
        consumer: Reads them, each from its beginning.

    Attributes:
        broadcasts: The latest summary of each broadcast that has ended or did once, by key.
        scopes: The latest summary of each scope, by `world`, `venue:louvre`.
        refused: How many records were refused, by reason.
        ended: How many broadcasts have ended.
        events: How many records are in the figures of those.
        seen: How many records were read.
    """

    def __init__(
        self, topics: Topics, broadcasts: int, consumer: AIOKafkaConsumer | None = None
    ) -> None:
        self._topics = topics
        self._expected = broadcasts
        self._consumer = consumer
        self.broadcasts: dict[bytes, BroadcastSummary] = {}
        self.scopes: dict[str, ScopeSummary] = {}
        self.refused: Counter[str] = Counter()
        self.ended = 0
        self.events = 0
        self.seen = 0

    async def read(self) -> None:
        """Take in what has come since the last time; waits a moment where nothing has."""
        assert self._consumer is not None
        found = await self._consumer.getmany(timeout_ms=WAIT_MS)
        for partition, records in found.items():
            for record in records:
                self.take(partition.topic, record)

    def take(self, topic: str, record: Any) -> None:
        """Take in one record of one of the topics."""
        self.seen += 1
        if topic == self._topics.rejected.name:
            self.refused[dict(record.headers)["reason"].decode()] += 1
        elif topic == self._topics.scope_summaries.name:
            self.scopes[record.key.decode()] = decode_scope_summary(record.value)
        else:
            self._take_broadcast(record.key, decode_broadcast_summary(record.value))

    def _take_broadcast(self, key: bytes, summary: BroadcastSummary) -> None:
        before = self.broadcasts.get(key)
        if before is not None and before.status != "live":
            self.ended -= 1
            self.events -= before.events
        self.broadcasts[key] = summary
        if summary.status != "live":
            self.ended += 1
            self.events += summary.events

    def missing(self, sent: int) -> Iterator[str]:
        """Yield what does not agree yet with what was sent, a line each, for people.

        Beyond the counts: of every scope all that is a sum is added up here again, from the
        broadcasts' summaries.

        Args:
            sent: How many records were sent.
        """
        if self.ended != self._expected:
            yield f"{self.ended:,} broadcasts of {self._expected:,} have ended"
        kept = self.events + sum(self.refused.values())
        if kept != sent:
            yield f"{kept:,} records of {sent:,} are in the figures or refused"
        if self.ended != self._expected or kept != sent:
            return
        for name, wanted in scope_deltas(self.broadcasts).items():
            found = self.scopes.get(name)
            if found is None:
                yield f"{name}: no summary"
                continue
            for figure, value in wanted._asdict().items():
                if getattr(found, figure) != value:
                    yield f"{name}: {figure} is {getattr(found, figure):,} for {value:,}"


def scope_deltas(broadcasts: Mapping[bytes, BroadcastSummary]) -> dict[str, ScopeTotals]:
    """Add the broadcasts up by scope: what the scopes' own summaries must say."""
    sums: dict[str, ScopeTotals] = {}
    for summary in broadcasts.values():
        mine = (
            1,
            int(summary.status == "live"),
            summary.peak or 0,
            summary.viewer_minutes,
            summary.joins,
            summary.joins if summary.views is None else summary.views,
        )
        for name in _scopes_of(summary):
            so_far = sums.get(name, ScopeTotals())
            sums[name] = ScopeTotals(
                *(here + more for here, more in zip(so_far, mine, strict=True))
            )
    return sums


def _scopes_of(summary: BroadcastSummary) -> Iterator[str]:
    yield WORLD
    yield f"platform:{summary.platform}"
    yield f"venue:{summary.venue}"
    if summary.programme is not None:
        yield f"programme:{summary.programme}"


@asynccontextmanager
async def reading(settings: Settings, broadcasts: int) -> AsyncIterator[Results]:
    """Read what comes of so many broadcasts; the topics must be there.

    Raises:
        LiveAudienceError: What went wrong with the broker.
    """
    topics = Topics.of(settings)
    outputs = (topics.broadcast_summaries, topics.scope_summaries, topics.rejected)
    async with reading_all(settings, *outputs) as consumer:
        yield Results(topics, broadcasts, consumer)
