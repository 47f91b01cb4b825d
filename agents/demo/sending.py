"""Sends the demo's records, each with the time at which it was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents import kafka
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agents.demo.record import Sent
    from streams.settings import Settings


async def send(settings: Settings, records: Iterable[Sent], tell: Callable[[int], None]) -> None:
    """Send records in their order; `tell` is told how many so far."""
    topic = Topics.of(settings).events.name
    done = 0
    async with kafka.producer(settings) as producer:
        for record in records:
            await producer.send(
                topic, record.value, key=record.key, timestamp_ms=record.sent // 1000
            )
            done += 1
            tell(done)
        await producer.flush()
