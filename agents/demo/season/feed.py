"""The season on its way in: how far it is, how fast, and how far the worker is behind it."""

from __future__ import annotations

import time
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from agents import kafka
from agents.app import exact_settings
from agents.demo.record import rfc3339
from agents.demo.sending import send
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from aiokafka.admin import AIOKafkaAdminClient

    from agents.demo.record import SourceRecord
    from agents.demo.season.generator import Season
    from streams.settings import Settings

#: The pace is that of the last so many seconds.
_WINDOW: Final = 15.0
_LOOK_EVERY: Final = 1.0
_DAY: Final = len("2020-09-25")


class SeasonSender:
    """Sends a season as fast as the broker takes it.

    Args:
        season: What to send.

    Attributes:
        sent: How many records have been handed over.
        all_sent: Whether all were, and the broker has stored them.
    """

    def __init__(self, season: Season) -> None:
        self._season = season
        self._reached = season.broadcasts[0].start
        self.sent = 0
        self.all_sent = False

    @property
    def date(self) -> str:
        """The day that it has come to, in event time."""
        return rfc3339(self._reached)[:_DAY]

    async def run(self, settings: Settings) -> None:
        """Send all of it.

        Raises:
            LiveAudienceError: The broker did not take it.
        """
        await send(settings, self._records(), self._on_sent)
        self.all_sent = True

    def _records(self) -> Iterator[SourceRecord]:
        for record in self._season.records():
            self._reached = record.sent
            yield record

    def _on_sent(self, done: int) -> None:
        self.sent = done


class Progress:
    """How far the worker has come with what was sent.

    Args:
        client: Asks the broker.
        settings: Group and topics.

    Attributes:
        read: How many records are in the figures.
    """

    def __init__(self, client: AIOKafkaAdminClient, settings: Settings) -> None:
        self._client = client
        self._group = exact_settings(settings).group
        self._topic = Topics.of(settings).events.name
        self._looks: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])
        self.read = 0

    @property
    def pace(self) -> float:
        """Records a second that went into the figures lately."""
        (began, before), (ended, after) = self._looks[0], self._looks[-1]
        return (after - before) / (ended - began) if ended > began else 0.0

    async def look(self) -> None:
        """Ask how far it is; not more often than once a second."""
        now = time.monotonic()
        if now - self._looks[-1][0] < _LOOK_EVERY:
            return
        # Positions move in the same transactions as the figures. No transaction has written to
        # this topic, so there are as many records before a position as it says.
        offsets = await self._client.list_consumer_group_offsets(self._group)
        self.read = sum(
            stored.offset
            for partition, stored in offsets.items()
            if partition.topic == self._topic and stored.offset > 0
        )
        self._looks.append((now, self.read))
        while now - self._looks[0][0] > _WINDOW:
            self._looks.popleft()


@asynccontextmanager
async def following(settings: Settings) -> AsyncIterator[Progress]:
    """Follow the worker's progress.

    Raises:
        LiveAudienceError: What went wrong with the broker.
    """
    async with kafka.admin(settings) as client:
        yield Progress(client, settings)
