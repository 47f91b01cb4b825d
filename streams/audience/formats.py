"""Reading what has its format's name in it, and saying so when that is too new."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from streams.audience.codec import NewerFormat

if TYPE_CHECKING:
    from collections.abc import Collection

T = TypeVar("T")

_FORMAT: Final = re.compile(r"[a-z]+[0-9]+")


def read(
    decoder: msgspec.msgpack.Decoder[T], value: bytes, known: Collection[str], place: str
) -> T:
    """Decode a MessagePack array whose first element names its format.

    Args:
        decoder: Of the formats that are known.
        value: The record.
        known: Their names.
        place: Where it comes from, for people.

    Raises:
        NewerFormat: it names a format that is not known.
        msgspec.DecodeError: it is damaged, or was never such a record.
    """
    try:
        return decoder.decode(value)
    except msgspec.ValidationError as error:
        written = _format_of(value)
        if written is None or written in known:
            raise
        raise NewerFormat(
            f"{place} holds a record in format {written}, and this version of live-audience reads "
            f"{', '.join(known)}: a newer version has written it; upgrade this worker to that "
            "version or a later one"
        ) from error


def _format_of(value: bytes) -> str | None:
    """The format that a record names; None if it names none."""
    record = msgspec.msgpack.decode(value)
    if isinstance(record, list) and record and isinstance(record[0], str):
        return record[0] if _FORMAT.fullmatch(record[0]) else None
    return None
