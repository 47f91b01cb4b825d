"""Reads one broadcast's row from the changelog, where the workers keep it; needs no worker."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from aiokafka import TopicPartition

from agents.topics.admin import partitions_of
from agents.topics.reading import read_on
from streams import audience
from streams.errors import LiveAudienceError
from streams.routing import partition_for
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aiokafka import AIOKafkaConsumer

    from streams.audience import Row, Tombstone
    from streams.exact.position import Position
    from streams.settings import Settings

_LOOK_SECONDS: Final = 0.2


class RowError(LiveAudienceError):
    """The row cannot be read; the message says what to do."""


@dataclass(slots=True)
class RowFollower:
    """One broadcast's row, as far as the changelog was read.

    Attributes:
        settings: Brokers, topics, group.
        key: The broadcast's key.
        partition: Where it is, or would be.
    """

    settings: Settings
    key: bytes
    partition: int = 0
    _begins: dict[TopicPartition, int] = field(default_factory=dict)
    _values: dict[int, bytes] = field(default_factory=dict)
    _positions: dict[int, Position] = field(default_factory=dict)

    async def open(self) -> None:
        """Find out which partitions of the changelog are to be read.

        Raises:
            LiveAudienceError: A topic is missing, or the broker does not tell.
        """
        topics = Topics.of(self.settings)
        events, changelog = topics.events.name, topics.broadcasts_changelog.name
        counts = await partitions_of(self.settings, [events, changelog])
        count = counts[events]
        if counts[changelog] != count:
            raise RowError(_half_moved(counts[changelog], count))
        numbers: Iterable[int] = range(count)
        if self.settings.partitioner != "any":  # else only its producers know where it lies
            self.partition = partition_for(self.key, count, self.settings.partitioner)
            numbers = (self.partition,)
        self._begins = {TopicPartition(changelog, number): 0 for number in numbers}

    async def catch_up(
        self, consumer: AIOKafkaConsumer, on_progress: Callable[[int], None] = lambda _read: None
    ) -> None:
        """Read on to where the changelog ends now.

        Args:
            consumer: One that reads what is committed.
            on_progress: Told how many records have been read.

        Raises:
            LiveAudienceError: It cannot be read, or an import or a repartition is not through.
        """
        # Imported here: it brings all of Faust along, which `--help` need not wait for.
        from streams.exact.position import MOVING, POSITION_KEY, decode_position  # noqa: PLC0415

        read = 0
        async for record in read_on(self.settings, consumer, self._begins):
            read += 1
            on_progress(read)
            number = record.partition
            self._begins[TopicPartition(record.topic, number)] = record.offset + 1
            if record.key == POSITION_KEY:
                self._positions[number] = decode_position(record.value)
            elif record.key == self.key:
                if record.value is None:
                    self._values.pop(number, None)
                else:
                    self._values[number] = record.value
        if self._values and self.partition not in self._values:
            self.partition = next(iter(self._values))
        position = self._positions.get(self.partition)
        if position is None:
            return
        events = Topics.of(self.settings).events.name
        count = (await partitions_of(self.settings, [events]))[events]
        if position.partitions == MOVING or position.partitions != count:
            raise RowError(_half_moved(position.partitions, count))

    @property
    def offset(self) -> int:
        """The next viewer event of the row's partition that is to come into the figures."""
        position = self._positions.get(self.partition)
        return 0 if position is None else position.offset

    @property
    def has_state(self) -> bool:
        """Whether a worker has ever committed anything of the partition."""
        return bool(self._positions)

    def row(self) -> Row | Tombstone | None:
        """What there is of the broadcast, None if it is not known.

        Raises:
            LiveAudienceError: Another version has written it.
        """
        value = self._values.get(self.partition)
        return None if value is None else audience.decode(value)

    async def end(self, consumer: AIOKafkaConsumer) -> int:
        """Where the viewer events of the row's partition end now."""
        source = TopicPartition(Topics.of(self.settings).events.name, self.partition)
        offset: int = (await consumer.end_offsets([source]))[source]
        return offset

    async def reach(self, consumer: AIOKafkaConsumer, offset: int, seconds: float) -> bool:
        """Wait until the viewer events before an offset are in the figures.

        Args:
            consumer: One that reads what is committed.
            offset: Of the row's partition.
            seconds: For how long at most.

        Returns:
            Whether they are.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while self.offset < offset:
            if loop.time() > until:
                return False
            await asyncio.sleep(_LOOK_SECONDS)
            await self.catch_up(consumer)
        return True


def _half_moved(have: int, events: int) -> str:
    return (
        f"the state has {have or 'other'} partitions and viewer-events {events}, or an import or a "
        "repartition is not through: `live-audience topics check` says what to do"
    )
