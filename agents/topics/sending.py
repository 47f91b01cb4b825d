"""Sends many records fast: by partition, in batches made here."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from streams.errors import InputError

if TYPE_CHECKING:
    import asyncio

    from aiokafka import AIOKafkaProducer

BATCH_BYTES: Final = 256 * 1024
# Enough to keep the broker busy; beyond it waiting is better than memory.
_IN_FLIGHT: Final = 32


class Sender:
    """Collects records into batches and keeps some of these in flight.

    Args:
        producer: started; its `max_batch_size` is the size of the batches.
        topic: where to.

    Attributes:
        sent: how many records the broker has acknowledged.
    """

    def __init__(self, producer: AIOKafkaProducer, topic: str) -> None:
        self._producer = producer
        self._topic = topic
        self._open: dict[int, Any] = {}
        self._in_flight: deque[tuple[asyncio.Future[Any], int]] = deque()
        self.sent = 0

    async def add(
        self, partition: int, key: bytes | None, value: bytes | None, timestamp: int
    ) -> None:
        """Add a record; sends the partition's batch if that is full.

        Args:
            partition: where it goes.
            key: its key.
            value: its value.
            timestamp: milliseconds since 1970 UTC.

        Raises:
            KafkaError: an earlier batch was not stored.
            InputError: the record is larger than any batch may be.
        """
        if partition in self._open:
            added = self._open[partition].append(key=key, value=value, timestamp=timestamp)
            if added is not None:
                return
            await self._send(partition)
        batch = self._open[partition] = self._producer.create_batch()
        if batch.append(key=key, value=value, timestamp=timestamp) is None:
            raise InputError(f"a record of {len(value or b'')} bytes is too large to be sent")

    async def push(self) -> None:
        """Send what has been added, without waiting for the broker's answer."""
        for partition in list(self._open):
            await self._send(partition)

    async def flush(self) -> None:
        """Send what has been added, and wait until all of it is stored.

        Raises:
            KafkaError: some of it was not stored.
        """
        await self.push()
        while self._in_flight:
            await self._settle()

    async def _send(self, partition: int) -> None:
        batch = self._open.pop(partition)
        while len(self._in_flight) >= _IN_FLIGHT:
            await self._settle()
        future = await self._producer.send_batch(batch, self._topic, partition=partition)
        # Of several that fail the first is raised; the others are not to be reported by asyncio.
        future.add_done_callback(_seen)
        self._in_flight.append((future, batch.record_count()))

    async def _settle(self) -> None:
        future, count = self._in_flight.popleft()
        await future
        self.sent += count


def _seen(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
