"""Rows and tombstones as the changelog holds them.

Each is a MessagePack array whose first element says what it is and in which format: `r1` is a row
in format 1, `t1` a tombstone in format 1.

A change to the fields of `Row`, `Cell` or `Tombstone` is a new format. The changed struct takes
the next number as its tag; the struct as it was stays, keeps its tag, joins the union below and is
upgraded after decoding. So a worker reads whatever older workers wrote. What a newer one wrote it
refuses, for it cannot know what that means.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from streams.audience.broadcast import Row
from streams.audience.tombstone import Tombstone
from streams.errors import LiveAudienceError

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final[msgspec.msgpack.Decoder[Row | Tombstone]] = msgspec.msgpack.Decoder(Row | Tombstone)

_KNOWN: Final = ("r1", "t1")
_FORMAT: Final = re.compile(r"[a-z]+[0-9]+")


class NewerFormat(LiveAudienceError):
    """A changelog holds what a newer version has written."""


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
    except msgspec.ValidationError as error:
        written = _format_of(value)
        if written is None or written in _KNOWN:
            raise
        raise NewerFormat(
            f"the changelog holds a row in format {written}, and this version of live-audience "
            f"reads {', '.join(_KNOWN)}: a newer version has written it; upgrade this worker to "
            "that version or a later one (rolling back needs a rebuild from viewer-events)"
        ) from error


def _format_of(value: bytes) -> str | None:
    """The format that a record names; None if it names none."""
    record = msgspec.msgpack.decode(value)
    if isinstance(record, list) and record:
        first = record[0]
        if isinstance(first, str) and _FORMAT.fullmatch(first):
            return first
    return None
