"""Batches in the formats before 2, which no broker of today writes and old topics may hold."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from streams.exact.compression import CompressionError, open_reader
from streams.exact.parsing import KEPT_BYTES, Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The most that such a batch may hold compressed: it is decompressed as a whole.
_MAX_BYTES: Final = 1 << 25

#: Where the attributes lie, and the key behind format 0's and format 1's header.
_ATTRIBUTES: Final = 17
_KEYS: Final = (18, 26)
_CODEC_MASK: Final = 0x07


class LegacyReader:
    """Reads one batch of format 0 or 1: a record, or several compressed ones.

    Args:
        view: The batch, header and all.
        batch: The same as aiokafka has it.
        begin: The first offset that is wanted.
        offset: The offset that the batch tells: its last record's.

    Attributes:
        end: The offset behind what was given so far.
        is_over: Whether all was.
    """

    __slots__ = ("_batch", "_begin", "_iterator", "_offset", "_view", "end", "is_over")

    def __init__(self, view: memoryview, batch: Any, begin: int, offset: int) -> None:
        self.end = begin
        self.is_over = False
        self._view = view
        self._batch = batch
        self._begin = begin
        self._offset = offset
        self._iterator: Iterator[Any] | None = None

    def read(self, most: int, records: list[Any], unreadable: list[Unreadable]) -> int:
        """Read on; as `BatchReader.read`."""
        worked = 0
        try:
            if self._iterator is None:
                worked = self._check_size()
                self._iterator = iter(self._batch)
            found = [record for _, record in zip(range(most), self._iterator, strict=False)]
            self.is_over = len(found) < most
        except Exception as error:  # noqa: BLE001  # whatever it is, the batch cannot be read
            unreadable.append(self.unreadable(f"cannot be read: {error!r}"))
            self.is_over = True
        else:
            records.extend(record for record in found if record.offset >= self._begin)
            if found:
                self.end = max(self.end, found[-1].offset + 1)
        if self.is_over:
            self.end = self._offset + 1
        return worked

    def unreadable(self, detail: str) -> Unreadable:
        """Tell of what is left of it that it cannot be read; of how many records is not known."""
        view = self._view
        return Unreadable(
            max(self._begin, min(self.end, self._offset)),
            -1,
            None,
            bytes(view[:KEPT_BYTES]),
            (),
            len(view),
            1,
            f"a batch in the format of Kafka before 0.11 {detail}",
            -1,
            len(view),
        )

    def _check_size(self) -> int:
        """Decompress it once without keeping it; tell how large it is.

        Raises:
            CompressionError: It is too large, or cannot be decompressed.
        """
        view = self._view
        codec = view[_ATTRIBUTES] & _CODEC_MASK
        if not codec:
            return len(view)
        at = _KEYS[min(view[_ATTRIBUTES - 1], 1)]
        (key_bytes,) = struct.unpack_from(">i", view, at)
        at += 4 + max(0, key_bytes)
        (size,) = struct.unpack_from(">i", view, at)
        reader = open_reader(codec, view[at + 4 : at + 4 + max(0, size)])
        found = 0
        while piece := reader.read(1 << 20):
            found += len(piece)
            if found > _MAX_BYTES:
                raise CompressionError(f"it holds more than {_MAX_BYTES} bytes")
        return found
