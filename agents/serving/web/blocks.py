"""Fetches single records of the topic of sealed minutes, from where they are known to lie."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    KafkaError,
    NotLeaderForPartitionError,
    OffsetOutOfRangeError,
    for_code,
)
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.memory_records import MemoryRecords

from agents.kafka import client_options
from agents.serving.web.sealed import MADE_ANEW, BlockError
from streams.audience.kept import HEADER, decode_block
from streams.errors import LiveAudienceError

if TYPE_CHECKING:
    from streams.audience.kept import MinuteBlock, Place
    from streams.settings import Settings

#: Fetches that are under way at once, of all readers together. Each brings one record batch: at
#: most what one transaction has written to a partition.
_AT_ONCE: Final = 8
_WAIT_MS: Final = 500
#: Of a batch the broker gives all, however little is asked for.
_ONE_BATCH: Final = 1
#: The record is known to be committed, though a transaction that began before it may still be open.
_READ_UNCOMMITTED: Final = 0
#: An old leader is believed once.
_TRIES: Final = 2
_GONE: Final = "they are no longer in the topic (AUDIENCE_MINUTES_RETENTION)"


class KafkaBlocks:
    """Fetches blocks from Kafka, by a connection that is opened when it is first needed.

    Args:
        settings: Brokers and security.
        topic: The topic of sealed minutes.
    """

    def __init__(self, settings: Settings, topic: str) -> None:
        self._settings = settings
        self._topic = topic
        self._client: AIOKafkaClient | None = None
        self._opening = asyncio.Lock()
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def block(self, name: bytes, place: Place) -> MinuteBlock:
        """The block that lies at a place.

        Args:
            name: The key of its record.
            place: Where.

        Raises:
            BlockError: It is not there, or cannot be fetched.
        """
        async with self._turns:
            try:
                content = await self._fetch(TopicPartition(self._topic, place.partition), place)
            except OffsetOutOfRangeError:
                raise BlockError(_GONE) from None
            except (KafkaError, LiveAudienceError, OSError, TimeoutError) as error:
                raise BlockError(f"Kafka does not give them: {_said(error)}") from error
            return _block(content, name, place)

    async def close(self) -> None:
        """Close the connection; it is opened again when it is needed."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _fetch(self, target: TopicPartition, place: Place) -> bytes:
        """The record batch that has an offset, and perhaps some behind it.

        Raises:
            KafkaError: Kafka does not give it.
        """
        async with self._opening:
            client = await self._connected()
        request = FetchRequest(
            _WAIT_MS,
            1,
            _ONE_BATCH,
            _READ_UNCOMMITTED,
            [(self._topic, [(target.partition, place.offset, _ONE_BATCH)])],
        )
        for again in range(_TRIES - 1, -1, -1):
            leader = client.cluster.leader_for_partition(target)
            if leader in (None, -1):
                await client.force_metadata_update()
                leader = client.cluster.leader_for_partition(target)
            if leader in (None, -1):
                raise NotLeaderForPartitionError("the partition has no leader now")
            response = await client.send(leader, request)
            ((_, ((_, code, *others),)),) = response.topics
            error = for_code(code)
            if error is NotLeaderForPartitionError and again:
                await client.force_metadata_update()
                continue
            if code:
                raise error()
            return bytes(others[-1])
        raise AssertionError

    async def _connected(self) -> AIOKafkaClient:
        if self._client is None:
            options: dict[str, Any] = client_options(self._settings)
            client = AIOKafkaClient(
                **options,
                request_timeout_ms=int(self._settings.query_timeout.total_seconds() * 1000),
            )
            try:
                await client.bootstrap()
                await client.set_topics([self._topic])
            except BaseException:
                await client.close()
                raise
            self._client = client
        return self._client


def _block(content: bytes, name: bytes, place: Place) -> MinuteBlock:
    """The block of the record that has a place's offset.

    Raises:
        BlockError: There is no such record, or no block in it.
    """
    records = MemoryRecords(content)
    while records.has_next():
        for record in records.next_batch():
            if record.offset < place.offset:
                continue
            if record.offset > place.offset:
                raise BlockError(_GONE)
            value = dict(record.headers).get(HEADER)
            if record.key != name or value is None:
                raise BlockError(MADE_ANEW)
            try:
                return decode_block(value)
            except msgspec.DecodeError as error:
                raise BlockError(f"another version has written them: {error}") from error
    raise BlockError(_GONE)


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__
