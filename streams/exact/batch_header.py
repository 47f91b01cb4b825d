"""The header of a record batch of format 2, as Kafka's protocol has it."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

#: base offset, length, leader epoch, magic, CRC, attributes, last offset delta, first and largest
#: timestamp, producer id and epoch, base sequence, number of records.
_HEADER: Final = struct.Struct(">qiibIhiqqqhii")
HEADER_BYTES: Final = _HEADER.size


class Header(NamedTuple):
    """What a batch of format 2 says of itself, as Kafka's protocol names it."""

    base_offset: int
    length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    first_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    record_count: int

    @property
    def next_offset(self) -> int:
        """The offset behind the batch."""
        return self.base_offset + max(0, self.last_offset_delta) + 1

    @property
    def is_dense(self) -> bool:
        """Whether it has all records that it was produced with: compaction takes some."""
        return self.record_count == self.last_offset_delta + 1

    @property
    def records(self) -> int:
        """How many records it may hold at most, at least 1."""
        return max(1, min(self.record_count, self.last_offset_delta + 1))

    def pack(self) -> bytes:
        """The bytes of it."""
        return _HEADER.pack(*self)


def read_header(view: memoryview) -> Header:
    """Read the header of a batch of at least `HEADER_BYTES`."""
    return Header(*_HEADER.unpack_from(view))
