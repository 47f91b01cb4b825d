"""Rows and tombstones as the changelog holds them.

Each is a MessagePack array whose first element says what it is and in which format: `r2` is a row
in format 2, `t2` a tombstone in format 2. A change to the fields of `Row`, `Cell`, `Totals`,
`PastEnd` or `Tombstone` is a new format with the next number. Format 1 is not read.
"""

from __future__ import annotations

from typing import Final

import msgspec

from streams.audience.formats import check_format
from streams.audience.row import Row
from streams.audience.runs import Tombstone

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final[msgspec.msgpack.Decoder[Row | Tombstone]] = msgspec.msgpack.Decoder(Row | Tombstone)


def encode(row: Row | Tombstone) -> bytes:
    """A row or tombstone as bytes; the reverse of `decode`."""
    return _encoder.encode(row)


def decode(value: bytes) -> Row | Tombstone:
    """The row or tombstone that a record of the changelog holds.

    Raises:
        UnsupportedFormat: an older version of this package wrote it.
        NewerFormat: a newer one did.
        msgspec.DecodeError: it is damaged, or was never such a record.
    """
    try:
        return _decoder.decode(value)
    except msgspec.ValidationError:
        check_format(value, ("r2", "t2"), "the changelog")
        raise
