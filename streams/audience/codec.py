"""Rows and tombstones as the changelog holds them.

Each is a MessagePack array whose first element says what it is and in which format: `r1` is a row
in format 1, `t1` a tombstone in format 1.

A change to the fields of `Row`, `Cell` or `Tombstone` is a new format. The changed struct takes
the next number as its tag; the struct as it was stays, keeps its tag, joins the union below and is
upgraded after decoding. So a worker reads whatever older workers wrote. What a newer one wrote it
refuses, for it cannot know what that means.
"""

from __future__ import annotations

from typing import Final

import msgspec

from streams.audience.broadcast import Row
from streams.audience.formats import raise_if_newer
from streams.audience.tombstone import Tombstone

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final[msgspec.msgpack.Decoder[Row | Tombstone]] = msgspec.msgpack.Decoder(Row | Tombstone)


def encode(row: Row | Tombstone) -> bytes:
    """A row or tombstone as bytes; the reverse of `decode`."""
    return _encoder.encode(row)


def decode(value: bytes) -> Row | Tombstone:
    """The row or tombstone that a record of the changelog holds.

    Raises:
        NewerFormat: a newer version of this package wrote it.
        msgspec.DecodeError: it is damaged, or was never such a record.
    """
    try:
        return _decoder.decode(value)
    except msgspec.ValidationError:
        raise_if_newer(value, ("r1", "t1"), "the changelog")
        raise
