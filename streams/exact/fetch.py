"""Reads the records of fetch responses by the thousand, straight from aiokafka's C decoder.

aiokafka makes each fetched record anew in Python (`PartitionRecords._consumer_record`), which costs
more than to fetch, check and decode it. So what it has fetched is taken over as a whole, and the
records are those of its C decoder: `offset`, `timestamp`, `key`, `value` and `headers`. How a batch
is read, also one that aiokafka would not read, is in `decoding.py`.

All else stays aiokafka's: `getmany` waits, keeps the position, raises errors, handles rebalances.
It iterates over what it holds of a fetch response. `use_raw_records` replaces that by our
`FetchResponse`, which yields itself, once. So the next fetch is under way while this one is
processed.
"""

from __future__ import annotations

import asyncio
import struct
from collections import OrderedDict, deque
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiokafka.consumer import fetcher as theirs
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.legacy_records import LegacyRecordBatch
from aiokafka.record.memory_records import MemoryRecords

from streams.exact.batch_header import HEADER_BYTES, read_header
from streams.exact.decoding import (
    MAX_RECORD_BYTES,
    BatchReader,
    padded,
    unreadable_batch,
)
from streams.exact.legacy import LegacyReader
from streams.exact.plain_batches import PlainBatches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiokafka import AIOKafkaConsumer, TopicPartition

    from streams.exact.parsing import Unreadable

#: Offset, length, then 4 bytes that depend on the format, and the format's number.
_FRAME: Final = struct.Struct(">qi4xb")
_OVERHEAD: Final = 12
_LEAST_LEGACY: Final = 14
_FORMAT_2: Final = 2

#: The attributes of a batch that is compressed, of a transaction or a marker of one's end.
_NOT_PLAIN: Final = 0x37

#: Batches are read by the run, of up to about so many bytes.
_RUN_BYTES: Final = 1 << 19

#: One call of `take` works through about so many bytes.
STEP_BYTES: Final = 1 << 19

#: A header may come as 3 bytes, and takes about so many in memory.
_BYTES_OF_HEADER: Final = 100


class KeptRecords(MemoryRecords):
    """What aiokafka makes of a fetch response's bytes, and the bytes."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.content = content


# aiokafka's fetcher shows the bytes of a response nowhere. For its other users this is the same.
theirs.MemoryRecords = KeptRecords


def use_raw_records(consumer: AIOKafkaConsumer, largest: int = MAX_RECORD_BYTES) -> None:
    """Have a started consumer's `getmany` return a whole `FetchResponse`, one each time.

    Args:
        consumer: It.
        largest: Records of more bytes are reported as unreadable.
    """
    fetcher = consumer._fetcher  # noqa: SLF001  # shown nowhere
    if type(fetcher._records) is not _RawRecords:  # noqa: SLF001
        fetcher._records = _RawRecords(fetcher._records, largest)  # noqa: SLF001


async def take(
    consumer: AIOKafkaConsumer, source: TopicPartition, timeout_ms: int
) -> FetchResponse | None:
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
        assert isinstance(found, FetchResponse)
        return found
    return None


class Taken(NamedTuple):
    """What was taken of a response, in the order of offsets each.

    Attributes:
        records: As aiokafka's decoder gives them.
        unreadable: What cannot be read.
    """

    records: list[Any]
    unreadable: list[Unreadable]

    @property
    def size(self) -> int:
        """How many entries it has in all."""
        return len(self.records) + len(self.unreadable)


class FetchResponse:
    """The committed records of one fetch response, of one partition.

    Args:
        response: What aiokafka made of it.
        largest: Records of more bytes are reported as unreadable.
        suspects: Where batches begin whose checksum was wrong when they were first fetched. They
            are fetched once more, for the network or one replica's disk may be the cause.
        highwater: The offset behind the last record that the partition held by then, None if that
            is not known: no position lies behind it, whatever a damaged batch says.

    Attributes:
        end: The offset behind what was taken so far; once all is, that behind the response, past
            the markers of transactions and what was aborted.
        is_over: Whether all was taken.
        next_fetch_offset: Where aiokafka reads on.
    """

    def __init__(
        self,
        response: PartitionRecords,
        largest: int = MAX_RECORD_BYTES,
        suspects: dict[TopicPartition, int] | None = None,
        highwater: int | None = None,
    ) -> None:
        self.end: int = response.next_fetch_offset
        self.next_fetch_offset: int = response.next_fetch_offset
        self.is_over = False
        self._begin: int = response.next_fetch_offset
        self._response: PartitionRecords | None = response
        self._largest = largest
        self._suspects = {} if suspects is None else suspects
        self._highwater = highwater
        self._readers: deque[PlainBatches | BatchReader | LegacyReader | Unreadable] = deque()

    # -- for aiokafka ------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[FetchResponse]:
        return self

    def __next__(self) -> FetchResponse:
        """Be handed over, once.

        Raises:
            CorruptRecordException: What was fetched is no batch at all.
        """
        if self._response is None:
            raise StopIteration
        self._look_through(self._response)
        self._response = None
        return self

    def _look_through(self, response: PartitionRecords) -> None:
        """Find the batches that hold records and were not aborted, as `PartitionRecords` does."""
        content = response._records.content  # noqa: SLF001  # shown nowhere, like all below
        whole, at, size = memoryview(content), 0, len(content)
        checks, begin = response._check_crcs, self._begin  # noqa: SLF001
        while size - at >= _FRAME.size:
            offset, length, kind = _FRAME.unpack_from(content, at)
            end = at + _OVERHEAD + length
            if length < (HEADER_BYTES - _OVERHEAD if kind >= _FORMAT_2 else _LEAST_LEGACY):
                if at:
                    return  # what comes before is taken first
                raise CorruptRecordException(
                    f"the broker gives bytes of {response._tp.topic}/{response._tp.partition} at "  # noqa: SLF001
                    f"offset {self.next_fetch_offset} that are no batch of records: see its log "
                    "and its disk, or let another replica lead"
                )
            if end > size:
                return  # cut off by the fetch's size: fetched anew
            view = whole[at:end]
            if end == size:
                view = padded(view)
            at = end
            if kind < _FORMAT_2:
                batch = LegacyRecordBatch(view, kind)
            else:
                batch = DefaultRecordBatch(view)
                if not batch.attributes & _NOT_PLAIN and (not checks or batch.validate_crc()):
                    # Most batches are such, and some have a single record: nothing else is asked.
                    self.next_fetch_offset = batch.next_offset
                    self._add(view, batch, offset, begin)
                    continue
            if not self._look_at(response, view, batch, offset, kind):
                return

    def _add(self, view: memoryview, batch: Any, offset: int, begin: int) -> None:
        """Take in a batch that is not compressed."""
        if offset < begin or len(view) > _RUN_BYTES:
            self._readers.append(BatchReader(view, batch, begin, self._largest))
            return
        readers = self._readers
        if not readers or type(run := readers[-1]) is not PlainBatches or run.size >= _RUN_BYTES:
            readers.append(run := PlainBatches())
        run.batches.append(batch)
        run.views.append(view)
        run.size += len(view)

    def _look_at(
        self, response: PartitionRecords, view: memoryview, batch: Any, offset: int, kind: int
    ) -> bool:
        """Take in one batch; tell whether to go on behind it."""
        transactional = kind >= _FORMAT_2 and response._isolation_level == READ_COMMITTED  # noqa: SLF001
        if transactional:
            response._consume_aborted_up_to(offset)  # noqa: SLF001
        aborted = response._aborted_producers  # noqa: SLF001
        is_aborted = transactional and batch.is_transactional and batch.producer_id in aborted
        if response._check_crcs and not is_aborted and not batch.validate_crc():  # noqa: SLF001
            if self._suspects.get(response._tp) != offset:  # noqa: SLF001
                self._suspects[response._tp] = offset  # noqa: SLF001
                return False
            self._readers.append(self._damaged(view, offset, kind))
            self.next_fetch_offset = max(self.next_fetch_offset, self._end_of_damaged(view, kind))
            return True
        self.next_fetch_offset = batch.next_offset
        if kind < _FORMAT_2:
            self._readers.append(LegacyReader(view, batch, self._begin, offset))
        elif batch.is_control_batch:
            if transactional and _is_abort(response, batch):
                aborted.discard(batch.producer_id)
        elif is_aborted:
            pass
        elif batch.compression_type:
            self._readers.append(BatchReader(view, batch, self._begin, self._largest))
        else:
            self._add(view, batch, offset, self._begin)
        return True

    def _damaged(self, view: memoryview, offset: int, kind: int) -> Unreadable:
        detail = (
            "has a wrong checksum, also when fetched once more: a broker's disk or memory has "
            "damaged it"
        )
        if kind < _FORMAT_2:
            return LegacyReader(view, None, self._begin, offset).unreadable(detail)
        return unreadable_batch(view, read_header(view), self._begin, detail)

    def _end_of_damaged(self, view: memoryview, kind: int) -> int:
        offset = self._readers[-1].offset  # type: ignore[union-attr]  # it was just put there
        said = read_header(view).next_offset if kind >= _FORMAT_2 else 0
        if self._highwater is not None:
            said = min(said, self._highwater)
        return max(offset + 1, said)

    # -- for us ------------------------------------------------------------------------------------

    def take(self, most: int, most_bytes: int = STEP_BYTES) -> Taken:
        """Take what comes next: one step, bounded in time and memory.

        Args:
            most: Up to how many records.
            most_bytes: About how many bytes are worked through. Where a step yields nothing, and
                the response is not over, the next one goes on.
        """
        records: list[Any] = []
        unreadable: list[Unreadable] = []
        readers = self._readers
        worked = 0
        while readers and worked < most_bytes and (left := most - len(records)) > 0:
            reader = readers[0]
            if isinstance(reader, PlainBatches):
                worked += reader.read(left, records)
                self.end = max(self.end, reader.end)
                if reader.is_over:
                    readers.popleft()
                    readers.extendleft(reader.after(self._begin, self._largest))
                continue
            if isinstance(reader, tuple):
                unreadable.append(reader)
                self.end = reader.offset + reader.records
                readers.popleft()
                continue
            worked += reader.read(left, records, unreadable)
            self.end = reader.end
            if reader.is_over:
                readers.popleft()
            elif isinstance(reader, BatchReader) and reader.is_slow:
                break  # it took its time
        if not readers:
            self.end = self.next_fetch_offset
            self.is_over = True
        return Taken(records, unreadable)

    async def fill(self, most: int, most_bytes: int) -> Taken:
        """Take up to so many records and about so many bytes, and let others have a turn.

        Fewer only if there are no more.
        """
        taken = self.take(most, min(most_bytes, STEP_BYTES))
        worked = STEP_BYTES + _size_of_headers(taken)
        while not self.is_over and len(taken.records) < most and worked < most_bytes:
            await asyncio.sleep(0)
            more = self.take(most - len(taken.records), min(most_bytes - worked, STEP_BYTES))
            taken.records.extend(more.records)
            taken.unreadable.extend(more.unreadable)
            if more.size:  # what is passed by holds nothing
                worked += STEP_BYTES + _size_of_headers(more)
        return taken


_headers_of: Final = attrgetter("headers")


def _size_of_headers(taken: Taken) -> int:
    return _BYTES_OF_HEADER * sum(map(len, map(_headers_of, taken.records)))


def _is_abort(response: PartitionRecords, batch: Any) -> bool:
    """Whether a control batch ends its transaction without effect."""
    try:
        return bool(response._contains_abort_marker(batch))  # noqa: SLF001  # as above
    except Exception:  # noqa: BLE001  # no marker that this version knows, so none of these
        return False


class _RawRecords(OrderedDict[Any, Any]):
    """What aiokafka's fetcher keeps of what it has fetched, by partition."""

    def __init__(self, before: Any, largest: int = MAX_RECORD_BYTES) -> None:
        self._largest = largest
        self._suspects: dict[Any, int] = {}
        super().__init__(before)

    def __setitem__(self, source: Any, result: Any) -> None:
        if type(result) is FetchResult and type(result._partition_records) is PartitionRecords:  # noqa: SLF001
            result._partition_records = FetchResponse(  # noqa: SLF001
                result._partition_records,  # noqa: SLF001
                self._largest,
                self._suspects,
                result._assignment.state_value(source).highwater,  # noqa: SLF001
            )
        super().__setitem__(source, result)
