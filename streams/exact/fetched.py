"""Fetched records by the thousand, straight from aiokafka's C decoder.

aiokafka makes each fetched record anew in Python (`PartitionRecords._consumer_record`), which costs
more than to fetch, check and decode it. So what it has fetched is taken over as a whole, and the
records are those of its C decoder: `offset`, `timestamp`, `key`, `value` and `headers`.

All else stays aiokafka's: `getmany` waits, keeps the position, raises errors and minds rebalances.
It takes from a fetch response what that gives when iterated: `hand_over` puts ours in the place of
aiokafka's, and that gives itself, once. So the next fetch is under way while this one is worked
off.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import chain, dropwhile, islice
from typing import TYPE_CHECKING, Any

from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiokafka import AIOKafkaConsumer, TopicPartition


def hand_over(consumer: AIOKafkaConsumer) -> None:
    """Have a started consumer's `getmany` give what was fetched as `Fetched`, one each time."""
    fetcher = consumer._fetcher  # noqa: SLF001  # shown nowhere
    if type(fetcher._records) is not _Responses:  # noqa: SLF001
        fetcher._records = _Responses(fetcher._records)  # noqa: SLF001


async def take(
    consumer: AIOKafkaConsumer, source: TopicPartition, timeout_ms: int
) -> Fetched | None:
    """Give what was fetched of a partition, or None if nothing comes in time.

    Args:
        consumer: One that hands over.
        source: The partition.
        timeout_ms: How long to wait for it.

    Raises:
        KafkaError: As `getmany` does.
    """
    fetched = await consumer.getmany(source, timeout_ms=timeout_ms)
    for found in fetched.get(source, ()):
        assert isinstance(found, Fetched)
        return found
    return None


class Fetched:
    """The committed records of one fetch response, of one partition.

    Attributes:
        end: The offset behind what was taken so far; once all is, that behind the response, past
            the markers of transactions and what was aborted.
        is_over: Whether all was taken.
        next_fetch_offset: Where aiokafka reads on.
    """

    def __init__(self, response: PartitionRecords) -> None:
        self.end: int = response.next_fetch_offset
        self.next_fetch_offset: int = response.next_fetch_offset
        self.is_over = False
        self._response: PartitionRecords | None = response
        self._records: Iterator[Any] = iter(())

    # -- for aiokafka ------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Fetched]:
        return self

    def __next__(self) -> Fetched:
        """Be handed over, once.

        Raises:
            CorruptRecordException: A checksum is wrong.
        """
        if self._response is None:
            raise StopIteration
        begin = self.next_fetch_offset
        # A broker gives whole batches, so the first may begin before the offset asked for.
        self._records = dropwhile(
            lambda record: record.offset < begin,
            chain.from_iterable(self._committed(self._response)),
        )
        self._response = None
        return self

    def _committed(self, response: PartitionRecords) -> list[Any]:
        """The batches that hold records and were not aborted, as `PartitionRecords` has them."""
        given = []
        theirs = response._records  # noqa: SLF001  # shown nowhere, like all below
        while theirs.has_next():
            batch = theirs.next_batch()
            if response._check_crcs and not batch.validate_crc():  # noqa: SLF001
                raise CorruptRecordException(f"Invalid CRC - {response._tp}")  # noqa: SLF001
            self.next_fetch_offset = batch.next_offset
            if response._isolation_level == READ_COMMITTED and batch.producer_id is not None:  # noqa: SLF001
                response._consume_aborted_up_to(batch.base_offset)  # noqa: SLF001
                aborted = response._aborted_producers  # noqa: SLF001
                if batch.is_control_batch and response._contains_abort_marker(batch):  # noqa: SLF001
                    aborted.discard(batch.producer_id)
                elif batch.is_transactional and batch.producer_id in aborted:
                    continue
            if not batch.is_control_batch:
                given.append(batch)
        return given

    # -- for us ------------------------------------------------------------------------------------

    def take(self, most: int) -> list[Any]:
        """Take the next records, up to `most`; fewer only if there are no more."""
        taken = list(islice(self._records, most))
        if len(taken) == most:
            self.end = taken[-1].offset + 1
        else:
            self.end = self.next_fetch_offset
            self.is_over = True
        return taken


class _Responses(OrderedDict[Any, Any]):
    """What aiokafka's fetcher keeps of what it has fetched, by partition."""

    def __setitem__(self, source: Any, result: Any) -> None:
        if type(result) is FetchResult and type(result._partition_records) is PartitionRecords:  # noqa: SLF001
            result._partition_records = Fetched(result._partition_records)  # noqa: SLF001
        super().__setitem__(source, result)
