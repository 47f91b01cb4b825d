"""What a polled platform is: how its API is asked, and what its answers say. Pure."""

from __future__ import annotations

import abc
import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, ClassVar, Final, Literal, NamedTuple

from agents.gateway.polling.budget import Budget, MinuteBudget

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agents.gateway.sources.base import Sureness

#: What became of a call. `limited`: too many of them; `refused`: the key is not taken.
Outcome = Literal["answered", "limited", "refused", "failed", "timeout", "unreadable"]
OUTCOMES: tuple[Outcome, ...] = (
    "answered",
    "limited",
    "refused",
    "failed",
    "timeout",
    "unreadable",
)


_USER: Final = re.compile(r"[0-9]{1,20}", re.ASCII)
_OK, _TOO_MANY, _REFUSED = 200, 429, frozenset({401, 403})


@dataclass(frozen=True, slots=True)
class Found:
    """What an answer says of one channel; times in microseconds since 1970 UTC.

    Attributes:
        id: the channel, as it was asked for.
        status: whether it is live now.
        broadcast: the platform's id of the broadcast.
        started: its true start, if told.
        ended: its true end, if it is over.
        viewers: who watch now; None is unknown.
        views: views so far; None is unknown.
        title: for people.
        scheduled: when it is to start, if told.
    """

    id: str
    status: Literal["upcoming", "live", "over"]
    broadcast: str
    started: int | None = None
    ended: int | None = None
    viewers: int | None = None
    views: int | None = None
    title: str | None = None
    scheduled: int | None = None


class Verdict(NamedTuple):
    """What the head of an answer says.

    Attributes:
        outcome: what became of the call.
        pause: for how many seconds the platform asks to be left alone, if it says so.
        remaining: units that it says are left, if it does.
        why: for the log, in one line.
    """

    outcome: Outcome
    pause: float | None = None
    remaining: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of an API, as it came.

    Attributes:
        status: of HTTP.
        headers: by their names in lower case.
        body: of a bounded size.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class PolledPlatform(abc.ABC):
    """One platform's API.

    Attributes:
        name: as the configuration names it.
        about: one line for people.
        sureness: how it was tested.
        figures: what it tells.
        api: base address; empty where each server has its own, which the configuration names.
        login: base address from which tokens come; empty where a key is enough.
        token_path: where on it.
        needs_secret: whether a key or a token proves who asks.
        batch: ids that a call takes.
        units: what its budget is, unless configured otherwise.
        per: the time of the budget, for people.
        waiting_minutes: between two looks at a channel that is not live.
        ids_are: what channels are, for people.
        an_id: one that can be asked for, whether it is there or not.
    """

    name: ClassVar[str]
    about: ClassVar[str]
    sureness: ClassVar[Sureness]
    figures: ClassVar[str]
    api: ClassVar[str]
    login: ClassVar[str] = ""
    token_path: ClassVar[str] = "/oauth2/token"  # noqa: S105 - a path
    needs_secret: ClassVar[bool] = True
    batch: ClassVar[int]
    units: ClassVar[int]
    per: ClassVar[Literal["day", "minute"]]
    waiting_minutes: ClassVar[int]
    ids_are: ClassVar[str]
    an_id: ClassVar[str]

    @property
    def needs_login(self) -> bool:
        """Whether a token must be had first."""
        return bool(self.login)

    @abc.abstractmethod
    def is_id(self, channel: str) -> bool:
        """Whether the API can be asked for a channel: one wrong id may spoil a whole call."""

    @abc.abstractmethod
    def budget(self, units: int, reserve: float) -> Budget:
        """A budget of so many units.

        Raises:
            LiveAudienceError: the system does not know the platform's time zone.
        """

    @abc.abstractmethod
    def request(self, ids: Sequence[str]) -> tuple[str, list[tuple[str, str]]]:
        """Path and query of a call."""

    @abc.abstractmethod
    def headers(self, secret: str, client_id: str) -> dict[str, str]:
        """What proves who asks: with a key, or with a token."""

    @abc.abstractmethod
    def evaluate(self, answer: Answer, now: float) -> Verdict:
        """What the head of an answer says; what its body says is read only if it is right."""

    @abc.abstractmethod
    def read(self, body: bytes) -> list[Found]:
        """What an answer says; a row that cannot be read is left out, for it says nothing.

        Raises:
            Unreadable: all of it cannot be read.
        """


class PolledUsers(PolledPlatform):
    """A platform whose live streams are asked for by users' numbers, within so much a minute."""

    figures: ClassVar[str] = "starts, viewers; ends once a stream is missing for a while"
    batch: ClassVar[int] = 100
    per: ClassVar[Literal["day", "minute"]] = "minute"
    waiting_minutes: ClassVar[int] = 1
    ids_are: ClassVar[str] = "ids of users, which are numbers"
    an_id: ClassVar[str] = "1"

    def is_id(self, channel: str) -> bool:
        """Whether it is an id of a user."""
        return _USER.fullmatch(channel) is not None

    def budget(self, units: int, reserve: float) -> Budget:
        """So many units a minute."""
        return MinuteBudget(units, reserve)


def evaluated(answer: Answer, now: float) -> Verdict:
    """What a status means where headers and body say nothing more."""
    if answer.status == _OK:
        return Verdict("answered")
    why, pause = f"status {answer.status}", pause_of(answer.headers, now)
    if answer.status == _TOO_MANY:
        return Verdict("limited", pause, why=why)
    return Verdict("refused" if answer.status in _REFUSED else "failed", pause, why=why)


def pause_of(headers: Mapping[str, str], now: float) -> float | None:
    """The seconds that `Retry-After` asks for: it holds seconds or a date."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (TypeError, ValueError, OverflowError):
        return None
