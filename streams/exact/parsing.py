"""Records of a batch one by one, in Python: what the C decoder will not read.

Slow, and careful: what can be read of a record is kept, and one that cannot be read costs no other.
"""

from __future__ import annotations

from operator import lt
from typing import TYPE_CHECKING, Final, NamedTuple

from aiokafka.record.default_records import DefaultRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streams.exact.batch_header import Header

    _Bytes = bytes | memoryview

#: How much is kept of what cannot be read: of its value, its key, its headers in all.
KEPT_BYTES: Final = 512 * 1024
KEPT_KEY_BYTES: Final = 64 * 1024
KEPT_HEADER_BYTES: Final = 64 * 1024

#: More headers of one record are not read: each takes some 100 bytes and 3 us, and 3 bytes at least
#: of what came.
MAX_HEADERS: Final = 10_000

_APPEND_TIME: Final = 0x08


class Unreadable(NamedTuple):
    """A record that cannot be read, or what else of a batch cannot.

    Attributes:
        offset: Its offset; of several records the first one's.
        timestamp: Its Kafka timestamp in ms as far as it is known, else that of its batch.
        key: Its key, up to 64 KiB of it; None if it has none or none can be read.
        value: Its value, up to 512 KiB of it; where none can be read, the bytes as they came.
        headers: Its headers, as far as they can be read.
        size: How many bytes it has in all, decompressed where that could be done.
        records: How many records it stands for.
        detail: Why it cannot be read, for people.
        key_bytes: How long the key is, -1 for none.
        value_bytes: How long the value is, -1 for none.
    """

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    size: int
    records: int
    detail: str
    key_bytes: int
    value_bytes: int


class _Damaged(ValueError):
    """A record is not what it must be."""


def varint(data: _Bytes, at: int) -> tuple[int, int]:
    """Read a zigzag varint.

    Returns:
        It, and where it ends.

    Raises:
        ValueError: It does not end within the data or within ten bytes.
    """
    result = shift = 0
    for place in range(at, min(at + 10, len(data))):
        byte = data[place]
        result |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004  # the mark that another byte follows
            return (result >> 1) ^ -(result & 1), place + 1
        shift += 7
    raise _Damaged("a number does not end")


def parse_records(
    content: memoryview, header: Header, offset: int, given: int, count: int
) -> Iterator[DefaultRecord | Unreadable]:
    """Read the records of a piece, from one on.

    Args:
        content: What lies behind the batch's header, not compressed.
        header: The header.
        offset: What the first one's offset is if it does not say.
        given: How many records were given before.
        count: How many there are with those.

    Yields:
        Records as aiokafka's decoder gives them, and what cannot be read, in their order.
    """
    at = number = 0
    while number < count:
        length, begin, why = 0, at, ""
        try:
            length, begin = varint(content, at)
        except _Damaged as error:
            why = str(error)
        size = len(content) - begin
        if not 0 < length <= size:
            left = count - max(number, given)
            why = why or f"one has {length} bytes where {size} are left"
            detail = f"{left} records cannot be told apart: {why}"
            yield _unreadable(content[at:], header, offset, left, detail)
            return
        at = begin + length
        number += 1
        body = content[begin:at]
        found = _record(body, header, offset)
        offset = found.offset + 1
        if number > given:
            yield found


def are_in_place(offsets: list[int], header: Header, given: int) -> bool:
    """Say whether records of a batch lie where they must.

    A broker sees to how many records a batch has, and not to what each says of its own place. A
    position behind one that says too much would leave others out.

    Args:
        offsets: Those of the records, one behind the other.
        header: The batch's.
        given: How many of its records come before them.
    """
    if not offsets:
        return True
    least = header.base_offset + given
    if header.is_dense:
        return offsets == list(range(least, least + len(offsets)))
    return least <= offsets[0] and offsets[-1] < header.next_offset and is_growing(offsets)


def is_growing(offsets: list[int]) -> bool:
    """Say whether each offset is larger than the one before."""
    return all(map(lt, offsets, offsets[1:]))


def _record(body: memoryview, header: Header, expected: int) -> DefaultRecord | Unreadable:
    """Read one record, all that lies behind its length."""
    offset = timestamp = None
    key = value = None
    key_bytes, value_bytes = -1, len(body)
    is_read = False
    try:
        _, at = varint(body, 0)  # attributes
        ahead, at = varint(body, at)
        timestamp = (
            header.max_timestamp
            if header.attributes & _APPEND_TIME
            else header.first_timestamp + ahead
        )
        delta, at = varint(body, at)
        least = expected - header.base_offset
        if not least <= delta <= (least if header.is_dense else header.last_offset_delta):
            raise _Damaged(f"it is number {delta} where {least} was to come")
        offset = header.base_offset + delta
        key_bytes, at = varint(body, at)
        key, at = _bytes(body, at, key_bytes)
        value_bytes, at = varint(body, at)
        value, at = _bytes(body, at, value_bytes)
        is_read = True
        headers, at = _headers(body, at)
        if at != len(body):
            raise _Damaged(f"{len(body) - at} bytes are left over")
        return DefaultRecord(offset, timestamp, _timestamp_type(header), key, value, headers)
    except (ValueError, OverflowError) as error:
        if not is_read:
            value, value_bytes = bytes(body[:KEPT_BYTES]), len(body)
        return Unreadable(
            expected if offset is None else offset,
            header.max_timestamp if timestamp is None else timestamp,
            None if key is None else key[:KEPT_KEY_BYTES],
            None if value is None else value[:KEPT_BYTES],
            (),
            len(body),
            1,
            f"a record that is damaged: {error}",
            key_bytes if key is not None else -1,
            value_bytes,
        )


def _timestamp_type(header: Header) -> int:
    return int(bool(header.attributes & _APPEND_TIME))


def _bytes(body: memoryview, at: int, length: int) -> tuple[bytes | None, int]:
    if length < 0:
        return None, at
    if length > len(body) - at:
        raise _Damaged(f"{length} bytes are announced where {len(body) - at} are left")
    return bytes(body[at : at + length]), at + length


def _headers(body: _Bytes, at: int) -> tuple[list[tuple[str, bytes | None]], int]:
    body = memoryview(body)
    count, at = varint(body, at)
    if not 0 <= count <= len(body) - at:  # each takes two bytes or more
        raise _Damaged(f"{count} headers are announced where {len(body) - at} bytes are left")
    if count > MAX_HEADERS:
        raise _Damaged(f"of {count} headers none is read, for they are over {MAX_HEADERS}")
    headers = []
    for _ in range(count):
        length, at = varint(body, at)
        if length < 0:
            raise _Damaged("a header has no name")
        name, at = _bytes(body, at, length)
        assert name is not None
        length, at = varint(body, at)
        value, at = _bytes(body, at, length)
        # A name in another encoding harms nobody.
        headers.append((name.decode("utf-8", "backslashreplace"), value))
    return headers, at


def header_count(content: bytes) -> int:
    """How many headers the first record of some bytes says it has; 0 if it does not say."""
    try:
        _, at = varint(content, 0)
        for _ in range(3):  # attributes, timestamp, offset
            _, at = varint(content, at)
        for _ in range(2):  # key, value
            size, at = varint(content, at)
            at += max(0, size)
        return varint(content, at)[0]
    except ValueError:
        return 0


def parse_headers(content: bytes) -> tuple[tuple[str, bytes | None], ...]:
    """Read a record's headers, all there are or none."""
    try:
        return tuple(_headers(content, 0)[0])
    except ValueError:
        return ()


def _unreadable(
    rest: memoryview, header: Header, offset: int, records: int, detail: str
) -> Unreadable:
    return Unreadable(
        offset,
        header.max_timestamp,
        None,
        bytes(rest[:KEPT_BYTES]),
        (),
        len(rest),
        records,
        detail,
        -1,
        len(rest),
    )
