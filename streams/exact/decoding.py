"""The records of one record batch, in bounded memory, whatever its producer made of it.

What is read quickly and well is read by aiokafka's C decoder: a batch as it came, or, where it is
compressed or long, piece by piece as batches that are neither. Where that fails, the piece is read
again in Python, record by record (`parsing.py`): what can be read is given, and what cannot be read
as `Unreadable`. Nothing in here raises because of what a batch holds.
"""

from __future__ import annotations

import time
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final

from aiokafka.record.default_records import DefaultRecordBatch

from streams.exact.batch_header import HEADER_BYTES, Header, read_header
from streams.exact.compression import CompressionError, open_reader
from streams.exact.parsing import (
    KEPT_BYTES,
    KEPT_HEADER_BYTES,
    KEPT_KEY_BYTES,
    MAX_HEADERS,
    Unreadable,
    are_in_place,
    header_count,
    parse_headers,
    parse_records,
    varint,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from streams.exact.compression import Reader

#: What is compressed or long is read in pieces of this size.
PIECE_BYTES: Final = 1 << 19

#: A batch that is not compressed is read as it is up to this size.
_LONG_BYTES: Final = 1 << 20

#: Longer records are not read: they are told of with the beginning of their value.
MAX_RECORD_BYTES: Final = 1 << 22

#: A piece has so many records at most, for their lengths are read in Python.
_PIECE_RECORDS: Final = 50_000

_CODEC_MASK: Final = 0x07
_APPEND_TIME: Final = 0x08

#: Record by record is read for so long at a time, in seconds.
_SLOW_SECONDS: Final = 0.02

#: What the C decoder may look at behind the end of a batch that is damaged.
_PAD: Final = bytes(32)


def padded(view: memoryview) -> memoryview:
    """Copy a batch to where some bytes behind it may be looked at too."""
    return memoryview(bytes(view) + _PAD)[: len(view)]


def unreadable_batch(view: memoryview, header: Header, begin: int, detail: str) -> Unreadable:
    """Tell of a whole batch that it cannot be read.

    Args:
        view: The batch, header and all.
        header: Its header.
        begin: The first offset that is asked for: records before it are not counted.
        detail: Why.
    """
    first = max(begin, header.base_offset)
    return Unreadable(
        first,
        header.max_timestamp,
        None,
        bytes(view[:KEPT_BYTES]),
        (),
        len(view),
        max(1, min(header.records, header.next_offset - first)),
        f"a batch of {header.record_count} records {detail}",
        -1,
        len(view),
    )


class BatchReader:
    """Reads one batch of format 2.

    Args:
        view: The batch, header and all.
        batch: The same as aiokafka has it, not yet iterated.
        begin: The first offset that is wanted: a broker gives whole batches.
        largest: Longer records are not read, in bytes.
        given: How many of its records were given before the C decoder failed on it.

    Attributes:
        end: The offset behind what was given so far.
        is_over: Whether all was.
    """

    __slots__ = (
        "_begin",
        "_count",
        "_given",
        "_header",
        "_iterator",
        "_largest",
        "_left",
        "_piece",
        "_reader",
        "_rest",
        "_steps",
        "_view",
        "end",
        "is_over",
    )

    def __init__(
        self, view: memoryview, batch: Any, begin: int, largest: int, given: int | None = None
    ) -> None:
        self._header = header = read_header(view)
        self.end = max(begin, header.base_offset)
        self.is_over = False
        self._view = view
        self._begin = begin
        self._largest = largest
        # Of the batch and of its piece that is being read: records not yet given, records, given.
        self._left = self._count = max(0, min(header.record_count, header.last_offset_delta + 1))
        self._given = 0
        self._rest = b""
        self._reader: Reader | None = None
        self._steps: Iterator[Unreadable | None] | None = None
        self._iterator: Iterator[Any] | None = None
        self._piece = view[HEADER_BYTES:]
        if given is not None and self._left > given:
            self._given = given
            self._iterator = parse_records(
                self._piece, header, header.base_offset, given, self._count
            )
        elif given is None and not self._is_long and self._left:
            self._iterator = chain(batch)
        elif given is None or not self._left:
            self._steps = self._read_in_pieces()

    @property
    def is_slow(self) -> bool:
        """Whether it reads record by record."""
        return self._iterator is not None and type(self._iterator) is not chain

    @property
    def _is_long(self) -> bool:
        return bool(self._header.attributes & _CODEC_MASK) or len(self._view) > _LONG_BYTES

    def read(self, most: int, records: list[Any], unreadable: list[Unreadable]) -> int:
        """Read on for one step, which is bounded in time and memory.

        Args:
            most: Up to how many records.
            records: Where they go.
            unreadable: Where what cannot be read goes.

        Returns:
            About how many bytes were worked through.
        """
        before, lost = len(records), len(unreadable)
        worked = 0
        if self._iterator is None:
            worked = self._step(unreadable)
        elif not self._given:
            worked = len(self._piece)
        if self._iterator is not None:
            self._read_piece(self._iterator, most, records, unreadable)
        if self._iterator is None and self._steps is None:
            self.is_over = True
            self.end = self._header.next_offset
        else:
            end = max(
                records[-1].offset + 1 if len(records) > before else 0,
                unreadable[-1].offset + unreadable[-1].records if len(unreadable) > lost else 0,
            )
            self.end = max(self.end, min(end, self._header.next_offset))
        if self._header.base_offset < (begin := self._begin):
            records[before:] = [r for r in records[before:] if r.offset >= begin]
            unreadable[lost:] = [u for u in unreadable[lost:] if u.offset + u.records > begin]
        return worked

    def _read_piece(
        self, source: Iterator[Any], most: int, records: list[Any], unreadable: list[Unreadable]
    ) -> None:
        most = min(most, self._count - self._given)
        if type(source) is chain:  # the C decoder, which can be asked for an iterator but once
            before = len(records)
            is_sound = True
            passed = self._header.records - self._left
            try:
                records.extend(islice(source, most))
            except Exception:  # noqa: BLE001  # whatever it is, Python reads on
                is_sound = False
            offsets = [record.offset for record in records[before:]]
            if not are_in_place(offsets, self._header, passed + self._given):
                is_sound = False
                del records[before:]
            self._given += len(records) - before
            if not is_sound:
                self._iterator = parse_records(
                    self._piece,
                    self._header,
                    self._header.base_offset + passed,
                    self._given,
                    self._count,
                )
                return
        else:
            until = time.monotonic() + _SLOW_SECONDS
            for item in islice(source, most):
                if type(item) is Unreadable:
                    unreadable.append(item)
                    self._given += item.records
                else:
                    records.append(item)
                    self._given += 1
                if time.monotonic() > until:
                    break
        if self._given >= self._count:
            self._left -= self._given
            self._given = 0
            self._iterator = None

    # -- what is compressed or long ---------------------------------------------------------------

    def _step(self, unreadable: list[Unreadable]) -> int:
        if self._steps is None:
            return 0  # all that the batch may have was given
        try:
            found = next(self._steps)
        except StopIteration:
            self._steps = None
            return 0
        except ValueError as error:  # damaged, or not to be decompressed
            self._steps = None
            if self._left > 0:
                unreadable.append(self._unreadable_rest(str(error)))
            return 0
        if found is not None:
            unreadable.append(found)
            self._left -= found.records
        return PIECE_BYTES

    def _unreadable_rest(self, detail: str) -> Unreadable:
        """What is left of the batch, as one."""
        left, self._left = self._left, 0
        whole = unreadable_batch(self._view, self._header, max(self._begin, self.end), detail)
        return whole._replace(records=min(left, whole.records))

    def _read_in_pieces(self) -> Iterator[Unreadable | None]:
        """Make each piece what is read next; tells of records that are too long, and of time."""
        if self._left <= 0:
            if len(self._view) > HEADER_BYTES:
                yield unreadable_batch(
                    self._view, self._header, self._begin, "holds more than it says"
                )
            return  # compaction may leave an empty batch
        self._reader = open_reader(self._header.attributes & _CODEC_MASK, self._view[HEADER_BYTES:])
        while self._left > 0:
            content = self._read_bytes(PIECE_BYTES)
            is_last = len(content) < PIECE_BYTES
            if is_last:
                self._begin_piece(content, self._left)
                yield None
                return
            count, end, length = _whole_records(content)
            if not count and (length is None or length > self._largest):
                self._rest = content
                if length is None:
                    raise CompressionError("holds a record without a length")
                yield from self._pass_by(f"more than {self._largest} are not read")
                continue
            if not count:
                assert length is not None
                content += self._read_bytes(length + 10 - len(content))
                if (headers := header_count(content)) > MAX_HEADERS:
                    self._rest = content
                    yield from self._pass_by(f"with {headers} headers, over {MAX_HEADERS}")
                    continue
                count, end, _ = _whole_records(content)
                if not count:
                    raise CompressionError("ends within a record")
            self._rest = content[end:]
            # (What is told to be more than the batch has is not read.)
            self._begin_piece(content[:end], min(count, self._left))
            yield None

    def _begin_piece(self, content: bytes, count: int) -> None:
        header = self._header
        head = header._replace(attributes=header.attributes & ~_CODEC_MASK, record_count=count)
        whole = memoryview(b"".join((head.pack(), content, _PAD)))[: -len(_PAD)]
        self._piece = whole[HEADER_BYTES:]
        self._count = count
        self._iterator = chain(DefaultRecordBatch(whole))

    def _read_bytes(self, most: int) -> bytes:
        """Take the next bytes; fewer than `most` at the end alone."""
        assert self._reader is not None
        found, self._rest = [self._rest[:most]], self._rest[most:]
        missing = most - len(found[0])
        while missing and (piece := self._reader.read(missing)):
            found.append(piece)
            missing -= len(piece)
        return b"".join(found)

    def _pass_by(self, why: str) -> Iterator[Unreadable | None]:
        """Tell of a record that is not read, with its beginning, and hold none of it."""
        header = self._header
        length, at = varint(self._rest, 0)
        begin = at
        _, at = varint(self._rest, at)  # attributes
        ahead, at = varint(self._rest, at)
        delta, at = varint(self._rest, at)
        key_bytes, at = varint(self._rest, at)
        left = length - (at - begin)
        self._read_bytes(at)
        key, left = yield from self._take_part(key_bytes, left, KEPT_KEY_BYTES)
        value_bytes, at = varint(self._look(10), 0)
        self._read_bytes(at)
        value, left = yield from self._take_part(value_bytes, left - at, KEPT_BYTES)
        headers: tuple[tuple[str, bytes | None], ...] = ()
        if 0 <= left <= KEPT_HEADER_BYTES:
            headers = parse_headers(self._read_bytes(left))
        else:
            yield from self._skip(left)
        append_time = header.attributes & _APPEND_TIME
        offset = header.base_offset + min(max(0, delta), max(0, header.last_offset_delta))
        yield Unreadable(
            offset,
            header.max_timestamp if append_time else header.first_timestamp + ahead,
            key,
            value,
            headers,
            length,
            1,
            f"a record of {length} bytes: {why}",
            key_bytes,
            value_bytes,
        )

    def _take_part(
        self, size: int, left: int, most: int
    ) -> Generator[None, None, tuple[bytes | None, int]]:
        """Take a key or a value, the first of its bytes; tell what is left of the record."""
        if size < 0:
            return None, left
        size = min(size, max(0, left))
        found = self._read_bytes(min(size, most))
        yield from self._skip(size - len(found))
        return found, left - size

    def _look(self, least: int) -> bytes:
        """The next bytes, not taken."""
        if len(self._rest) < least:
            self._rest = self._read_bytes(least)
        return self._rest

    def _skip(self, count: int) -> Iterator[None]:
        while count > 0:
            found = len(self._read_bytes(min(count, PIECE_BYTES)))
            if not found:
                raise CompressionError("ends within a record")
            count -= found
            yield None


def _whole_records(content: bytes) -> tuple[int, int, int | None]:
    """Count the records that lie in some bytes as a whole.

    Returns:
        How many, where the last of them ends, and the length of the first that is not whole: None
        if it has none.
    """
    at = count = 0
    size = len(content)
    limit = size - 10  # the longest varint
    while count < _PIECE_RECORDS:
        if at < limit and (first := content[at]) < 0x80:  # noqa: PLR2004  # one byte tells it all
            length, begin = first >> 1 if not first & 1 else -1, at + 1
        elif at < limit and (second := content[at + 1]) < 0x80:  # noqa: PLR2004  # two bytes do
            length = ((first & 0x7F) | second << 7) >> 1 if not first & 1 else -1
            begin = at + 2
        else:
            try:
                length, begin = varint(content, at)
            except ValueError:
                return count, at, None if at <= limit else 0
        if length <= 0:
            return count, at, None
        if begin + length > size:
            return count, at, length
        at = begin + length
        count += 1
    return count, at, 0


__all__ = [
    "HEADER_BYTES",
    "MAX_RECORD_BYTES",
    "PIECE_BYTES",
    "BatchReader",
    "Header",
    "padded",
    "read_header",
    "unreadable_batch",
]
