"""What a source is: what it verifies, and what it reads."""

from __future__ import annotations

import abc
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from agents.gateway.delivery import Delivery, Unreadable
from agents.gateway.observation import Kind, Observation
from streams import rfc3339
from streams.strict_json import loads

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agents.gateway.config import Endpoint

#: How sure it is that a source is right: tested against a real program, against vectors or
#: libraries of somebody else, or by the platform's documentation alone.
Sureness = Literal["real program", "foreign vectors", "documentation"]

LONGEST_NAME: Final = 512


@dataclass(frozen=True, slots=True)
class Verified:
    """What verification has found.

    Attributes:
        id: the message's id, signed or not; empty where the sender gives none.
        at: when the sender sent it, in microseconds since 1970 UTC, if it says so.
    """

    id: str = ""
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sender is told if all goes well."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a delivery means.

    Attributes:
        observations: none if it is of no interest.
        answer: what the sender is told once they are stored.
        warning: what an operator must be told, such as that a subscription was revoked.
    """

    observations: Sequence[Observation] = ()
    answer: Answer = field(default_factory=Answer)
    warning: str = ""


class Source(abc.ABC):
    """One kind of sender.

    Attributes:
        name: as the configuration names it.
        about: one line for people.
        sureness: how it was tested.
        signed: whether its deliveries are signed; where not, the endpoint needs a secret in its
            path.
        goes_on: whether its answer decides over the show: then it is always a success, whatever is
            broken behind.
        has_key: whether a sender that is not signed may prove that it knows a key; the secret in
            the path is needed all the same.
        needs_path_secret: whether a secret in the path is needed though it signs.
        figures: what it can tell.
        platform: of its viewer events, unless the endpoint names another one.
    """

    name: ClassVar[str]
    about: ClassVar[str]
    sureness: ClassVar[Sureness]
    signed: ClassVar[bool] = True
    goes_on: ClassVar[bool] = False
    has_key: ClassVar[bool] = False
    needs_path_secret: ClassVar[bool] = False
    figures: ClassVar[str]

    @property
    def platform(self) -> str:
        """The platform of its viewer events, unless the endpoint names another one."""
        return self.name

    @property
    def go_on(self) -> Answer:
        """What lets the show go on, for a source whose answer decides over it."""
        return Answer()

    @abc.abstractmethod
    def verify(
        self, delivery: Delivery, secrets: Sequence[bytes], endpoint: Endpoint, now: float
    ) -> Verified:
        """Check that a delivery is its sender's.

        Args:
            delivery: as it came.
            secrets: those in force.
            endpoint: with the options of its source.
            now: seconds since 1970 UTC.

        Raises:
            Unverified: it is not proven.
        """

    @abc.abstractmethod
    def read(self, delivery: Delivery, verified: Verified, endpoint: Endpoint) -> Reading:
        """Say what a verified delivery means.

        Raises:
            Unreadable: it cannot be mapped.
        """

    def observe(
        self, endpoint: Endpoint, channel: object, kind: Kind, at: int, **more: Any
    ) -> Observation:
        """Make an observation; lengths are checked here, whatever the source.

        Raises:
            Unreadable: the channel is no text of 1 to 512 characters.
        """
        return Observation(
            endpoint=endpoint.name,
            platform=endpoint.platform or self.platform,
            channel=name_of(channel, "channel"),
            kind=kind,
            at=at,
            **more,
        )


def name_of(value: object, what: str) -> str:
    """A name or an id that came from outside: a text or a whole number.

    Raises:
        Unreadable: it is neither, is empty, or is longer than 512 characters.
    """
    if type(value) is int:
        value = str(value)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_NAME:
        raise Unreadable(f"{what}: must be a text of 1 to {LONGEST_NAME} characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Unreadable(f"{what}: holds half a character") from None
    return value


def document(body: bytes) -> dict[str, Any]:
    """The JSON object of a body.

    Raises:
        Unreadable: it is none.
    """
    try:
        found = loads(body)
    except ValueError as error:
        raise Unreadable(f"the body is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise Unreadable("the body is no JSON object")
    return found


def within(given: Mapping[str, Any], *path: str) -> Any:
    """What stands at a path of names; None where there is nothing."""
    found: Any = given
    for name in path:
        if not isinstance(found, dict):
            return None
        found = found.get(name)
    return found


def time_of(value: object, what: str) -> int:
    """A time of RFC 3339, in microseconds since 1970 UTC.

    Raises:
        Unreadable: it is none.
    """
    try:
        if isinstance(value, str):
            return rfc3339.microseconds(value)
    except ValueError as error:
        raise Unreadable(f"{what}: {error}") from None
    raise Unreadable(f"{what}: must be a time of RFC 3339")


def seconds_of(value: object, what: str) -> int:
    """Unix seconds (a number, or a text of digits), in microseconds since 1970 UTC.

    Raises:
        Unreadable: it is none, or outside the years 1970 to 9999.
    """
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 11:  # noqa: PLR2004 - the year 5138
        value = int(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        at = int(value * rfc3339.SECOND) if 0 <= value < rfc3339.END / rfc3339.SECOND else -1
        if 0 <= at < rfc3339.END:
            return at
    raise Unreadable(f"{what}: must be a time in Unix seconds")


def milliseconds_of(value: object, what: str) -> int:
    """Unix milliseconds, in microseconds since 1970 UTC.

    Raises:
        Unreadable: it is no whole number, or outside the years 1970 to 9999.
    """
    if type(value) is int and 0 < value < rfc3339.END // 1000:
        return value * 1000
    raise Unreadable(f"{what}: must be a time in Unix milliseconds")


def count_of(value: object, what: str, most: int = 10**10) -> int | None:
    """A count, as a number or a text of digits; None and -1 are unknown.

    Raises:
        Unreadable: it is none.
    """
    if value is None or value == -1:
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 13:  # noqa: PLR2004 - over `most`
        value = int(value)
    if type(value) is int and 0 <= value <= most:
        return value
    raise Unreadable(f"{what}: must be a whole number from 0 to {most}")


def viewers_of(value: object) -> int | None:
    """A count of an API's answer: what is none is unknown, and takes nothing else with it."""
    try:
        return count_of(value, "count")
    except Unreadable:
        return None


def title_of(value: object) -> str | None:
    """A title, for people: cut to what the contract takes; nothing where it is no text."""
    return value[:200] if isinstance(value, str) and value else None
