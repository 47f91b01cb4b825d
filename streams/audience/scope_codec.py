"""Scopes as their changelog holds them, and the changes on their way to them.

As in `codec`: each is a MessagePack array whose first element says what it is and in which format.
A change to the fields of `Head`, `Chunk` or `Change` is a new format with the next number, and what
older workers wrote stays readable.
"""

from __future__ import annotations

from typing import Final

import msgspec

from streams.audience.formats import raise_if_newer
from streams.audience.scope import Change, Chunk, Head

_encoder: Final = msgspec.msgpack.Encoder()
_rows: Final[msgspec.msgpack.Decoder[Head | Chunk]] = msgspec.msgpack.Decoder(Head | Chunk)
_changes: Final[msgspec.msgpack.Decoder[Change]] = msgspec.msgpack.Decoder(Change)


def encode_scope(row: Head | Chunk) -> bytes:
    """A head or chunk as bytes; the reverse of `decode_scope`."""
    return _encoder.encode(row)


def decode_scope(value: bytes) -> Head | Chunk:
    """The head or chunk that a record of the changelog holds.

    Raises:
        NewerFormat: a newer version of this package wrote it.
        msgspec.DecodeError: it is damaged, or was never such a record.
    """
    try:
        return _rows.decode(value)
    except msgspec.ValidationError:
        raise_if_newer(value, ("h1", "c1"), "the scopes' changelog")
        raise


def encode_change(change: Change) -> bytes:
    """A change as bytes; the reverse of `decode_change`."""
    return _encoder.encode(change)


def decode_change(value: bytes) -> Change:
    """The change that a record on its way to a scope holds.

    Raises:
        NewerFormat: a newer version of this package wrote it.
        msgspec.DecodeError: it is damaged, or was never such a record.
    """
    try:
        return _changes.decode(value)
    except msgspec.ValidationError:
        raise_if_newer(value, ("d1",), "the topic of the scopes' sums")
        raise
