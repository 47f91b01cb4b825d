"""Reads the table of open broadcasts of all gateways: who makes a poll's calls needs all of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from agents import kafka
from agents.gateway.heads import Heads
from agents.topics.admin import partitions_of
from streams.errors import LiveAudienceError
from streams.exact.position import OPERATION_KEY, POSITION_KEY

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from aiokafka import AIOKafkaConsumer

    from agents.gateway.heads import Head
    from agents.gateway.ledger import Ledger
    from agents.gateway.processor import Processor
    from streams.settings import Settings

log = structlog.get_logger(__name__)

_POLL_MS: Final = 500
_PAUSE: Final = 2.0
#: What of the changelog is no row.
_NO_ROWS: Final = frozenset({POSITION_KEY, OPERATION_KEY})


class View:
    """The partitions of this gateway, and the heads of all: what pollers and subscribers see.

    Args:
        settings: brokers.
        topic: the changelog of the table.
        work: what has the partitions of this gateway.
        polled: under which names channels are told of that are polled.

    Attributes:
        is_complete: whether the heads were read up to where the changelog ended.
    """

    def __init__(
        self, settings: Settings, topic: str, work: Processor, polled: Iterable[str]
    ) -> None:
        self._settings = settings
        self._topic = topic
        self._work = work
        self._polled = tuple(polled)
        self._heads = Heads(self._polled)
        self._before = 0
        self.is_complete = False

    @property
    def owned(self) -> Container[int]:
        """The partitions that this gateway has."""
        return self._work.owned

    @property
    def ledger(self) -> Ledger:
        """What is known of subscriptions and budgets in these partitions."""
        return self._work.ledger

    @property
    def version(self) -> int:
        """Another number whenever a broadcast was opened or ended, or a partition came or went."""
        return self._before + self._heads.version + self._work.version

    def heads_of(self, endpoint: str) -> Mapping[str, Head]:
        """The newest broadcast of each channel that is told of under a name."""
        return self._heads.of(endpoint)

    async def run(self) -> None:
        """Read until cancelled; begin anew after an error."""
        while True:
            try:
                async with kafka.reader(self._settings) as consumer:
                    await self._follow(consumer)
            except (LiveAudienceError, KafkaError, OSError) as error:
                log.warning("the table cannot be read; it is tried again", reason=str(error))
            await asyncio.sleep(_PAUSE)

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        count = (await partitions_of(self._settings, [self._topic]))[self._topic]
        partitions = [TopicPartition(self._topic, number) for number in range(count)]
        consumer.assign(partitions)
        begins = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        for partition in partitions:
            consumer.seek(partition, begins[partition])
        # What was known stays in force until as much is known anew.
        heads = Heads(self._polled)
        waiting = {each for each in partitions if begins[each] < ends[each]}
        while True:
            if heads is not self._heads and not waiting:
                self._before += self._heads.version + 1
                self._heads, self.is_complete = heads, True
            batches = await consumer.getmany(timeout_ms=_POLL_MS)
            for records in batches.values():
                for record in records:
                    if record.key not in _NO_ROWS:
                        _take(heads, record.key, record.value)
                await asyncio.sleep(0)
            waiting = {each for each in waiting if await consumer.position(each) < ends[each]}


def _take(heads: Heads, key: bytes, value: bytes | None) -> None:
    try:
        heads.take(key, value)
    except msgspec.MsgspecError:
        log.exception("a row of the table cannot be read: it is passed by")
