"""What is known of a refused record, and how many there are of which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from streams.settings.types import SLUG

if TYPE_CHECKING:
    from collections.abc import Collection

    from aiokafka.structs import ConsumerRecord

_MICROSECONDS: Final = 1000  # in a millisecond, in which Kafka counts


@dataclass(frozen=True, slots=True)
class Refused:
    """One refused record.

    Attributes:
        at: When it came: its Kafka timestamp, in microseconds since 1970 UTC. Where that was too
            far from then to be kept, the time of its refusal.
        reason: Why it was refused; empty where a stranger has written it.
        platform: The one that it names, else that of its key; empty where neither is valid.
        detail: The reason in words.
        source: Where it lay: `topic/partition/offset`.
        records: How many it stands for.
        key: Its key, perhaps cut.
        value: Its value, perhaps cut.
    """

    at: int
    reason: str
    platform: str
    detail: str
    source: str
    records: int
    key: bytes | None
    value: bytes | None

    @classmethod
    def of(cls, record: ConsumerRecord) -> Refused:
        """What a record of the topic says, whoever has written it."""
        # Ours stand behind the record's own, which have none of their names.
        headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
        count = headers.get("records", "")
        return cls(
            at=record.timestamp * _MICROSECONDS,
            reason=headers.get("reason", ""),
            platform=_platform(record.key, record.value),
            detail=headers.get("detail", ""),
            source=headers.get("source", ""),
            records=int(count) if count.isdecimal() else 1,
            key=record.key,
            value=record.value,
        )

    def document(self) -> dict[str, Any]:
        """It as JSON tells it: bytes as text, and what is not UTF-8 in them escaped."""
        return {
            "at": self.at,
            "reason": self.reason,
            "platform": self.platform or None,
            "detail": self.detail,
            "source": self.source,
            "records": self.records,
            "key": _text(self.key),
            "value": _text(self.value),
        }


@dataclass(frozen=True, slots=True)
class Choice:
    """Which refused records are looked for.

    Attributes:
        since: The first microsecond since 1970 UTC.
        until: The microsecond before which they must have come; none for no end.
        reasons: Their reasons; none for all.
        platforms: Their platforms; none for all.
    """

    since: int
    until: int | None = None
    reasons: Collection[str] = ()
    platforms: Collection[str] = ()

    def takes(self, refused: Refused) -> bool:
        """Whether a record is one of them."""
        return (
            self.since <= refused.at
            and (self.until is None or refused.at < self.until)
            and (not self.reasons or refused.reason in self.reasons)
            and (not self.platforms or refused.platform in self.platforms)
        )


@dataclass(slots=True)
class Count:
    """How many records of one reason and platform there are, and from when to when.

    Attributes:
        records: How many.
        first: When the earliest came, in microseconds since 1970 UTC.
        last: When the latest came.
        detail: What was said of the latest one read.
    """

    records: int = 0
    first: int = 0
    last: int = 0
    detail: str = ""

    def add(self, refused: Refused) -> None:
        """Count one more."""
        self.first = min(self.first, refused.at) if self.records else refused.at
        self.last = max(self.last, refused.at)
        self.records += refused.records
        self.detail = refused.detail


def _platform(key: bytes | None, value: bytes | None) -> str:
    try:
        document = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        document = None
    named = document.get("platform") if isinstance(document, dict) else None
    if isinstance(named, str) and SLUG.fullmatch(named):
        return named
    before = (key or b"").partition(b":")[0].decode(errors="replace")
    return before if SLUG.fullmatch(before) else ""


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode(errors="backslashreplace")
