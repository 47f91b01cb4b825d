"""What has its format's name in it, and what to say when that is too new."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from streams.errors import LiveAudienceError

if TYPE_CHECKING:
    from collections.abc import Collection

_FORMAT: Final = re.compile(r"[a-z]+[0-9]+")

#: All that is written now, and all that was written before and is read no more.
_KNOWN: Final = frozenset({"r2", "r3", "t2", "h2", "c2", "d2"})
_OLD: Final = frozenset({"r1", "t1", "h1", "c1", "d1"})


class NewerFormat(LiveAudienceError):
    """A topic of our own holds what a newer version has written."""


class UnsupportedFormat(LiveAudienceError):
    """A topic of our own holds what an older version has written, which is not read."""


def check_format(value: bytes, known: Collection[str], place: str) -> None:
    """Say so if it is for its format that a record could not be decoded.

    Args:
        value: A MessagePack array whose first element names its format, perhaps damaged.
        known: The formats that belong there.
        place: Where it comes from, for people.

    Raises:
        UnsupportedFormat: it names a format that is read no more.
        NewerFormat: it names a format that this version does not know.
        msgspec.DecodeError: it is not even MessagePack.
    """
    try:
        record = msgspec.msgpack.decode(value)
    except RecursionError:
        return  # nothing that any version writes is so deep
    if not (isinstance(record, list) and record and isinstance(record[0], str)):
        return
    written = record[0]
    if written in _OLD:
        raise UnsupportedFormat(
            f"{place} holds a record in format {written}, which an older version has written, and "
            f"this version of live-audience reads {', '.join(known)}: stop all workers, "
            "start with another AUDIENCE_GROUP or delete the group's internal topics, and the "
            "figures are rebuilt from viewer-events"
        )
    if _FORMAT.fullmatch(written) and written not in _KNOWN:
        raise NewerFormat(
            f"{place} holds a record in format {written}, and this version of live-audience reads "
            f"{', '.join(known)}: a newer version has written it; upgrade this worker to that "
            "version or a later one (rolling back needs a rebuild from viewer-events)"
        )
