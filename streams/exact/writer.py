"""The ledger: one partition's transactional writer."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    IllegalOperation,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from streams.exact.batch import Placed
from streams.exact.deadline import close_within, with_deadline
from streams.exact.errors import SessionLost, TooLarge
from streams.exact.position import POSITION_KEY, Position, encode_position

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from streams.exact.batch import Output
    from streams.exact.limits import Limits
    from streams.exact.settings import ExactSettings

#: Never appended to.
_NO_HEADERS: list[tuple[str, bytes]] = []

#: Outputs are appended so many at a time: each takes some microseconds.
_OUTPUTS_PER_STEP = 2_000


class _ProducerBatches:
    """Fills batches for one topic and partition, as many as its records need.

    Args:
        producer: Whose batches they are.
        topic: The topic.
        size: How many bytes a batch holds at most, but for one with a single record.
        limit: How many the topic takes, None if that is not known.
    """

    def __init__(
        self, producer: AIOKafkaProducer, topic: str, size: int, limit: int | None
    ) -> None:
        self._producer = producer
        self._topic = topic
        self._size = size
        self._limit = limit
        self.batches: list[Any] = []
        # Once they are written: the offset of the first record of each.
        self.begins: list[int] = []

    def _next(self) -> Any:
        batch = self._producer.create_batch()
        if self._limit is not None and self._limit < self._size:  # aiokafka has one size for all
            batch._builder = DefaultRecordBatchBuilder(  # noqa: SLF001  # shown nowhere
                2,
                compression_type=0,
                is_transactional=1,
                producer_id=-1,
                producer_epoch=-1,
                base_sequence=0,
                batch_size=self._limit,
            )
        self.batches.append(batch)
        return batch

    def append_rows(self, rows: Iterable[tuple[bytes, bytes | None]], timestamp: int) -> None:
        """Append many records without headers: the hot path.

        They go straight into the batch's builder: `append` as aiokafka shows it takes longer than
        what it calls.
        """
        batch = self.batches[-1] if self.batches else self._next()
        number, append = batch._relative_offset, batch._builder.append  # noqa: SLF001  # shown nowhere
        for key, value in rows:
            if (
                append(number, timestamp, key, value, _NO_HEADERS) is None
            ):  # full; an empty one never is
                batch._relative_offset = number  # noqa: SLF001
                batch = self._next()
                number, append = 0, batch._builder.append  # noqa: SLF001
                append(0, timestamp, key, value, _NO_HEADERS)
            number += 1
        batch._relative_offset = number  # noqa: SLF001

    def append(self, output: Output, timestamp: int) -> None:
        """Append one record with its headers."""
        batch = self.batches[-1] if self.batches else self._next()
        for target in (batch, None):
            if (target or self._next()).append(
                timestamp=output.timestamp or timestamp,
                key=output.key,
                value=output.value,
                headers=list(output.headers),
            ) is not None:
                return

    def last(self) -> tuple[int, int]:
        """Which batch has the record that was appended last, and its place in there."""
        return len(self.batches) - 1, self.batches[-1].record_count() - 1

    def measure(self) -> None:
        """Look at what is to be sent before it is.

        Raises:
            TooLarge: A record of it is larger than the topic takes.
        """
        limit = self._limit
        if limit is None:
            return
        for batch in self.batches:
            if (size := batch.size()) > limit:
                raise TooLarge(self._topic, size, limit, is_record=True, in_transaction=False)


class Written(NamedTuple):
    """What a transaction has made durable.

    Attributes:
        end: The changelog's offset behind the last record written.
        placed: Where outputs with a mark lie, in their order.
    """

    end: int
    placed: list[Placed]


class TransactionalWriter:
    """Makes batches of one partition durable: rows, position and outputs in one transaction.

    `start` takes the partition over: whoever held its transactional id before is fenced, and what
    he left open is aborted. After any error the ledger is not used again: aiokafka's producer does
    not survive a failed transaction (seen), and what became of it only Kafka knows.
    """

    def __init__(
        self,
        settings: ExactSettings,
        source: TopicPartition,
        changelog: str,
        place: Callable[[str, bytes | None], int],
        limits: Limits,
    ) -> None:
        self._limits = limits
        self._settings = settings
        self._source = source
        self._changelog = TopicPartition(changelog, source.partition)
        self._partition_for = place
        self._producer = AIOKafkaProducer(
            **settings.client,
            client_id=f"{settings.client_id}-ledger-{source.topic}-{source.partition}",
            transactional_id=settings.transactional_id(source.topic, source.partition),
            transaction_timeout_ms=int(settings.transaction_timeout * 1000),
            acks="all",
            max_batch_size=settings.max_batch_bytes,
            max_request_size=2**31 - 1,  # the topics say what is too large, not the client
            request_timeout_ms=int(settings.deadline * 1000),
            retry_backoff_ms=20,
        )
        # One that has written nothing yet would ask for all topics of the cluster every 5 minutes
        # and whenever a connection breaks: seconds of the loop where there are many. The others
        # are added as they are written to.
        self._producer.client.set_topics([source.topic])

    async def start(self) -> None:
        """Take the partition over.

        Raises:
            SessionLost: The broker did not let us in time.
        """
        what = (
            f"starting the transactional producer of {self._source.topic}/{self._source.partition}"
            " (a broker that cannot replicate its transaction state never answers: see its"
            " transaction.state.log.replication.factor)"
        )
        async with with_deadline(self._settings.deadline, what):
            await self._producer.start()

    async def stop(self) -> None:
        """Let go of the producer, whatever state it is in."""
        await close_within(2.0, self._producer.stop())
        await close_within(1.0, self._producer.client.close())

    async def commit(
        self,
        rows: dict[bytes, bytes | None],
        position: Position,
        outputs: list[Output],
    ) -> Written:
        """Make one batch durable.

        Args:
            rows: Encoded rows by key, None to delete.
            position: How far the source is read with this batch.
            outputs: What else goes out.

        Returns:
            Where it lies.

        Raises:
            Fenced: Another worker owns the partition.
            SessionLost: Its outcome is unknown or it failed; what became of it is in Kafka.
            TooLarge: A topic does not take what is to be sent; nothing of it was.
        """
        timestamp = int(time.time() * 1000)
        topics = {self._changelog.topic, *(output.topic for output in outputs)}
        async with with_deadline(self._settings.deadline, "asking what topics take"):
            await self._limits.look(self._producer.client, topics)
        writers = {self._changelog: (changelog := self._writer(self._changelog))}
        changelog.append_rows(rows.items(), timestamp)
        changelog.append_rows([(POSITION_KEY, encode_position(position))], timestamp)
        marked: list[tuple[object, TopicPartition, int, int]] = []
        for count, output in enumerate(outputs, 1):
            if not count % _OUTPUTS_PER_STEP:
                await asyncio.sleep(0)
            partition = output.partition
            if partition is None:
                partition = self._partition_for(output.topic, output.key)
            target = TopicPartition(output.topic, partition)
            writer = writers.get(target)
            if writer is None:
                writer = writers[target] = self._writer(target)
            writer.append(output, timestamp)
            if output.mark is not None:
                marked.append((output.mark, target, *writer.last()))
        try:
            for writer in writers.values():
                writer.measure()
        except TooLarge as error:
            await self._limits.look_again(self._producer.client, error.topic)
            raise
        try:
            end = await self._commit_transaction(writers, position)
        except SessionLost as error:
            error.in_transaction = True
            raise
        placed = [
            Placed(mark, target.partition, writers[target].begins[number] + place)
            for mark, target, number, place in marked
        ]
        return Written(end, placed)

    def _writer(self, target: TopicPartition) -> _ProducerBatches:
        limit = self._limits.of(target.topic)
        return _ProducerBatches(self._producer, target.topic, self._settings.max_batch_bytes, limit)

    async def _commit_transaction(
        self, writers: dict[TopicPartition, _ProducerBatches], position: Position
    ) -> int:
        producer, settings = self._producer, self._settings
        what = f"the transaction of {self._source.topic}/{self._source.partition}"
        async with with_deadline(settings.deadline, what, reads={self._source.topic}):
            await producer.begin_transaction()
            written = asyncio.gather(*(self._write(tp, w) for tp, w in writers.items()))
            offsets = producer.send_offsets_to_transaction(
                {self._source: position.offset}, settings.group
            )
            # Both are awaited before the commit: aiokafka would commit without a batch that failed.
            try:
                ends, _ = await asyncio.gather(written, offsets)
            except IllegalOperation as error:
                # The transaction failed while more was to be sent: why is what matters.
                await producer._txn_manager.wait_for_transaction_end()  # noqa: SLF001  # shown nowhere
                raise SessionLost(f"{what}: {error}") from error
            await producer.commit_transaction()
        return int(ends[0])

    async def _write(self, target: TopicPartition, writer: _ProducerBatches) -> int:
        end = 0
        for batch in writer.batches:
            count, size = batch.record_count(), batch.size()
            future = await self._producer.send_batch(
                batch, target.topic, partition=target.partition
            )
            try:
                begin = (await future).offset
            except (MessageSizeTooLargeError, RecordListTooLargeError) as error:
                self._limits.refused(target.topic, size, count)
                raise TooLarge(
                    target.topic, size, None, is_record=count == 1, in_transaction=True
                ) from error
            writer.begins.append(begin)
            end = begin + count
        return end
