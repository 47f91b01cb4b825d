"""A record as a producer behind a platform would have sent it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class SourceRecord(NamedTuple):
    """One record: what it holds, and when it was sent.

    Attributes:
        key: `platform:broadcast`.
        value: A viewer event, JSON.
        sent: When a producer would have sent it, in microseconds since 1970: as a rule a moment
            after the event's own `at`. It gives their order.
    """

    key: bytes
    value: bytes
    sent: int


def key_of(platform: str, broadcast: str) -> bytes:
    """Return the key of a broadcast's records."""
    return f"{platform}:{broadcast}".encode()


def rfc3339(at: int) -> str:
    """Return microseconds since 1970 as RFC 3339 in UTC, with as many digits as needed."""
    moment = _EPOCH + timedelta(microseconds=at)
    return moment.isoformat().replace("+00:00", "Z")
