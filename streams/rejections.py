"""Why a record of viewer-events is refused (contract, section 2)."""

from enum import StrEnum


class Reason(StrEnum):
    """The reasons, in the order in which they are looked for: the first that applies is given.

    Only that a key is too long to be right (`MISROUTED`) is looked at before all of them.
    """

    MALFORMED = "malformed"
    """Not JSON, not UTF-8, not an object, larger than 65,536 bytes, or null."""
    INVALID = "invalid"
    """A field is missing, of another type, or out of range; the detail names the field."""
    MISROUTED = "misrouted"
    """The key is not `platform:broadcast`, or lies in another partition than it should."""
    FUTURE = "future"
    """`at` is too far after the record's Kafka timestamp."""
    LATE = "late"
    """Its minute is already sealed, or its broadcast is final."""
    ERROR = "error"
    """Our own code failed on it: a defect of this system."""


class Rejected(Exception):
    """A record is refused.

    Args:
        reason: one of the contract's reasons (its text does as well).
        detail: one line for people, of printable characters; names the field or the setting.
        platform: the one that the record names, if it is known to be valid; else empty.

    Raises:
        ValueError: there is no such reason.
    """

    def __init__(self, reason: Reason | str, detail: str, platform: str = "") -> None:
        self.reason = Reason(reason)
        self.detail = detail
        self.platform = platform
        super().__init__(self.reason, detail)

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"
