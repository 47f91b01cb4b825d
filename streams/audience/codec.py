"""Rows and tombstones as the changelog holds them.

Each is a MessagePack array whose first element says what it is and in which format: `r3` is a row
in format 3, `t2` a tombstone in format 2. A change to the fields of `Row`, `Cell`, `Totals`,
`PastEnd`, `KeptMinutes` or `Tombstone` is a new format with the next number. A row in
format 2 is read: it knew nothing of where its sealed minutes lie. Format 1 is not read.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from streams.audience.formats import check_format
from streams.audience.row import Row
from streams.audience.runs import Tombstone

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final[msgspec.msgpack.Decoder[Row | Tombstone]] = msgspec.msgpack.Decoder(Row | Tombstone)


def _former_row() -> type[msgspec.Struct]:
    """A row as format 2 had it: without its last field."""
    fields: list[tuple[str, type] | tuple[str, type, Any]] = []
    for field in msgspec.structs.fields(Row)[:-1]:
        if field.default_factory is not msgspec.NODEFAULT:
            raise AssertionError(field.name)
        if field.default is msgspec.NODEFAULT:
            fields.append((field.name, field.type))
        else:
            fields.append((field.name, field.type, field.default))
    return msgspec.defstruct(
        "FormerRow", fields, array_like=True, tag="r2", forbid_unknown_fields=True, gc=False
    )


_former: Final[msgspec.msgpack.Decoder[msgspec.Struct]] = msgspec.msgpack.Decoder(_former_row())


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
        if (row := _decode_former(value)) is not None:
            return row
        check_format(value, ("r2", "r3", "t2"), "the changelog")
        raise


def _decode_former(value: bytes) -> Row | None:
    try:
        former = _former.decode(value)
    except msgspec.ValidationError:
        return None
    return Row(*msgspec.structs.astuple(former))
