"""The museums' broadcasts of 2020 moved to now, going on in real time."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any, Final

import orjson

from agents import kafka
from agents.demo.museums import Museum, course, museums
from agents.demo.record import SECOND, SourceRecord, rfc3339
from agents.topics.sending import BATCH_BYTES, Sender
from streams.routing import partition_for
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agents.demo.observe.timeline import Timeline
    from streams.settings import Settings

_NOISE: Final = 0.015
_MINUTE: Final = 60.0


def silent_museum() -> Museum:
    """The broadcast that falls silent: the Louvre's on Fliggy."""
    return next(m for m in museums() if (m.platform, m.venue) == ("fliggy", "louvre"))


class Scenario:
    """All museums' broadcasts; they begin together, and each lasts as long as it did.

    Args:
        plan: How often each sends, and when one is silent.
        start: When it begins, in seconds since 1970.

    Attributes:
        quiet: Whether the one that falls silent is silent now.
    """

    def __init__(self, plan: Timeline, start: float) -> None:
        self._plan = plan
        self._start = start
        self._on_air = list(museums())
        self._begun: set[bytes] = set()
        # Not for secrets: the same evening each time.
        self._rng = random.Random("evening")  # noqa: S311 - see above
        self.quiet = False

    @property
    def over(self) -> bool:
        """Whether all broadcasts have ended."""
        return not self._on_air

    def due(self, now: float) -> Iterator[SourceRecord]:
        """Yield what the platforms send at this moment, in seconds since 1970."""
        elapsed = now - self._start
        self.quiet = self._plan.quiet(elapsed)
        for museum in tuple(self._on_air):
            if elapsed >= museum.made.minutes * _MINUTE:
                self._on_air.remove(museum)
                yield _event(museum, now, kind="ended")
            elif not (self.quiet and museum is silent_museum()):
                yield self._sample(museum, now, elapsed)

    def _sample(self, museum: Museum, now: float, elapsed: float) -> SourceRecord:
        fields: dict[str, Any] = {}
        if museum.key not in self._begun:
            self._begun.add(museum.key)
            fields["kind"] = "started"
        noise = 1 + _NOISE * (2 * self._rng.random() - 1)
        fields["viewers"] = round(course(museum.made.audience, int(elapsed / _MINUTE)) * noise)
        if museum.made.views is not None:
            fields["views"] = int(museum.made.views * elapsed / _MINUTE / museum.made.minutes)
        return _event(museum, now, **fields)


def _event(museum: Museum, now: float, **fields: Any) -> SourceRecord:
    at = int(now * SECOND)
    event = {
        "platform": museum.platform,
        "broadcast": museum.broadcast,
        "at": rfc3339(at),
        "venue": museum.venue,
        "programme": museum.programme,
        "title": museum.title,
        **fields,
    }
    return SourceRecord(museum.key, orjson.dumps(event), at)


async def send(
    settings: Settings, evening: Scenario, every: float, on_turn: Callable[[bool], None]
) -> None:
    """Send an evening in real time, until it is over.

    Args:
        settings: Brokers, topics, partitioner; the topics have as many partitions as they say.
        evening: What to send.
        every: Seconds between two events of a broadcast.
        on_turn: Told when a broadcast falls silent (True), and when it is there again (False).

    Raises:
        LiveAudienceError: The broker did not take them.
    """
    async with kafka.producer(settings, max_batch_size=BATCH_BYTES) as producer:
        sender = Sender(producer, Topics.of(settings).events.name)
        due = time.monotonic()
        while not evening.over:
            before = evening.quiet
            for key, value, sent in evening.due(time.time()):
                partition = partition_for(key, settings.partitions, settings.partitioner)
                await sender.add(partition, key, value, sent // 1000)
            await sender.flush()
            if evening.quiet != before:
                on_turn(evening.quiet)
            due += every
            await asyncio.sleep(max(0.0, due - time.monotonic()))
