"""What a sender delivered, and the two ways in which it is turned away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Sequence


class Unverified(Exception):
    """A delivery that is not proven to be its sender's.

    Args:
        reason: one of a few words, as metrics count it: `signature`, `time`, `missing`,
            `repeated`, `malformed`.
        detail: one line for the log; never a secret, a signature or a body.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Unreadable(Exception):
    """A verified delivery that cannot be mapped; its message says why, in one line."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request, as it came.

    Attributes:
        method: GET or POST.
        headers: names in lower case with their values, in their order and with repetitions.
        query: the part of the address behind the question mark, not decoded.
        body: the raw bytes.
        received: microseconds since 1970 UTC.
    """

    method: str
    headers: Sequence[tuple[str, str]]
    query: str
    body: bytes
    received: int

    def header(self, name: str) -> str | None:
        """The value of a header that may be missing.

        Raises:
            Unverified: it is there more than once: two programs might each look at another one.
        """
        found = [value for each, value in self.headers if each == name]
        if len(found) > 1:
            raise Unverified("repeated", f"the header {name} is there {len(found)} times")
        return found[0] if found else None

    def required(self, name: str) -> str:
        """The value of a header.

        Raises:
            Unverified: it is missing, empty, or there more than once.
        """
        value = self.header(name)
        if not value:
            raise Unverified("missing", f"the header {name} is missing")
        return value

    def form(self) -> dict[str, str]:
        """The fields of a form that was posted; of a name that is repeated, the last one.

        Raises:
            Unreadable: it is not UTF-8, or has over 100 fields.
        """
        return fields(self.body)


def fields(encoded: bytes | str) -> dict[str, str]:
    """The fields of a form or a query.

    Raises:
        Unreadable: it is not UTF-8, or has over 100 fields.
    """
    try:
        text = encoded.decode() if isinstance(encoded, bytes) else encoded
        return dict(
            parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
        )
    except ValueError as error:
        raise Unreadable(f"the form cannot be read: {error}") from None


_MOST_FIELDS = 100
