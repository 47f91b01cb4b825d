"""The few wrong records of the demo: each would spoil a figure if it were counted.

They are what producers get wrong in earnest. The pipeline refuses each for its reason, keeps it in
the topic of refused records, and goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from agents.demo.museums import Museum, museums
from agents.demo.record import MINUTE, SECOND, SourceRecord, rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable


class Mistake(NamedTuple):
    """One wrong record.

    Attributes:
        reason: Why it is refused, in the contract's word.
        what: What is wrong with it, for people.
        record: The record itself.
    """

    reason: str
    what: str
    record: SourceRecord


class _Slip(NamedTuple):
    """How a right event of a museum, at a minute, is made wrong."""

    museum: str
    minute: int
    reason: str
    what: str
    spoil: Callable[[dict[str, Any]], bytes]
    key: bytes | None = None
    held_back: int = 0


def mistakes() -> list[Mistake]:
    """Return the wrong records, each once."""
    by_venue = {(museum.venue, museum.platform): museum for museum in museums()}
    return [_make(by_venue[slip.museum, _PLATFORM[slip.museum]], slip) for slip in _SLIPS]


def _make(museum: Museum, slip: _Slip) -> Mistake:
    at = museum.start + slip.minute * MINUTE + 30 * SECOND
    event = {
        "platform": museum.platform,
        "broadcast": museum.broadcast,
        "at": rfc3339(at),
        # Ten million: no peak would be right if one of these were counted.
        "viewers": 10_000_000,
        "venue": museum.venue,
    }
    sent = at + SECOND + slip.held_back
    key = museum.key if slip.key is None else slip.key
    return Mistake(slip.reason, slip.what, SourceRecord(key, slip.spoil(event), sent))


def _text(event: dict[str, Any]) -> bytes:
    return orjson.dumps(event | {"viewers": str(event["viewers"])})


def _timeless(event: dict[str, Any]) -> bytes:
    return orjson.dumps({name: value for name, value in event.items() if name != "at"})


def _mistyped(event: dict[str, Any]) -> bytes:
    # The years are so far apart that it is ahead of any clock, whenever the demo is run.
    return orjson.dumps(event | {"at": event["at"].replace("2020-", "2202-")})


_PLATFORM: Final = {
    "louvre": "fliggy",
    "versailles": "fliggy",
    "prado": "fliggy",
    "british-museum": "kuaishou",
}

_SLIPS: Final = (
    _Slip(
        "louvre", 30, "malformed", "cut off in the middle", lambda event: orjson.dumps(event)[:70]
    ),
    _Slip("louvre", 50, "invalid", "viewers written as text", _text),
    _Slip("prado", 15, "invalid", "no time", _timeless),
    _Slip("versailles", 20, "misrouted", "keyed by its venue", orjson.dumps, b"versailles"),
    _Slip("british-museum", 40, "future", "the year 2202 for 2020", _mistyped),
    _Slip("prado", 20, "late", "held back for 25 minutes", orjson.dumps, held_back=25 * MINUTE),
)
