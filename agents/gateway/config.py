"""The gateway's configuration: one TOML file, checked as a whole."""

import ipaddress
import re
import tomllib
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, model_validator

from agents.gateway.endpoint_config import Endpoint
from agents.gateway.parts import Part, SecretFrom, Slug, wrong_base
from agents.gateway.poll_config import Poll
from agents.gateway.subscribing.settings import needs_address
from streams.errors import MisuseError

if TYPE_CHECKING:
    from collections.abc import Iterator


__all__ = [
    "VARIABLE",
    "Config",
    "Endpoint",
    "GatewayConfigError",
    "Leg",
    "Poll",
    "Programme",
    "SecretFrom",
    "Venue",
    "load",
]

VARIABLE: Final = "AUDIENCE_GATEWAY"


class GatewayConfigError(MisuseError):
    """The configuration is wrong.

    Attributes:
        problems: one line each: where, and what is wrong.
    """

    def __init__(self, file: Path, problems: list[str]) -> None:
        self.problems = tuple(problems)
        count = len(problems)
        head = "1 mistake" if count == 1 else f"{count} mistakes"
        super().__init__("\n".join([f"{file} has {head}:", *(f"  {each}" for each in problems)]))


class Leg(Part):
    """A channel: as an endpoint tells of it, or a poll that has no endpoint."""

    endpoint: Slug
    channel: Annotated[str, Field(min_length=1, max_length=512)]


class Venue(Part):
    """Where the broadcasts of some channels take place."""

    name: Slug
    channels: Annotated[tuple[Leg, ...], Field(min_length=1)]


class Programme(Part):
    """One show over several channels: by channel, time, and title."""

    name: Slug
    channels: Annotated[tuple[Leg, ...], Field(min_length=1)]
    begins: datetime | None = None
    ends: datetime | None = None
    title: str = ""

    @model_validator(mode="after")
    def _is_right(self) -> Self:
        for name, at in (("begins", self.begins), ("ends", self.ends)):
            if at is not None and at.tzinfo is None:
                raise ValueError(f"{name}: must have an offset, as 2026-11-27T20:00:00Z")
        if self.begins and self.ends and self.begins >= self.ends:
            raise ValueError("ends: must be after begins")
        try:
            re.compile(self.title)
        except re.error as error:
            raise ValueError(f"title: is no regular expression: {error}") from None
        return self


class Config(Part):
    """All of the file."""

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 9640
    health_host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    health_port: Annotated[int, Field(ge=0, le=65_535)] = 9641
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    trust_proxies: tuple[str, ...] = ()
    # Where senders come in, as they know it: subscriptions name it, `gateway check --ask` looks.
    public: str = ""
    public_ca: Path | None = None
    # (That there is one is looked at below: pydantic does not count those that are wrong.)
    endpoint: tuple[Endpoint, ...] = ()
    poll: tuple[Poll, ...] = ()
    venue: tuple[Venue, ...] = ()
    programme: tuple[Programme, ...] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [endpoint.name for endpoint in self.endpoint] + [poll.name for poll in self.poll]
        problems = [] if names else ["endpoint: is missing: without one nothing is taken"]
        problems += [
            f"endpoint {name}: is there {names.count(name)} times"
            for name in sorted(set(names))
            if names.count(name) > 1
        ]
        problems += [*self._polls_that_do_not_fit(), *self._public_that_does_not_fit()]
        groups: list[tuple[str, tuple[Leg, ...]]] = [
            *((f"venue {venue.name}", venue.channels) for venue in self.venue),
            *((f"programme {each.name}", each.channels) for each in self.programme),
        ]
        problems += [
            f"{where}: there is no endpoint {leg.endpoint}"
            for where, legs in groups
            for leg in legs
            if leg.endpoint not in self.told
        ]
        taken: dict[Leg, str] = {}
        for venue in self.venue:
            for leg in venue.channels:
                other = taken.setdefault(leg, venue.name)
                if other != venue.name:
                    problems.append(
                        f"venue {venue.name}: {leg.endpoint} {leg.channel} is at {other} already"
                    )
        for network in self.trust_proxies:
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                problems.append(f"trust_proxies: {error}")
        if (self.tls_certificate is None) != (self.tls_key is None):
            problems.append("tls_certificate and tls_key: give both or none")
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @property
    def told(self) -> tuple[str, ...]:
        """Under which names channels are told of: those of endpoints, and of polls without."""
        return (
            *(each.name for each in self.endpoint),
            *(each.name for each in self.poll if each.endpoint is None),
        )

    def _public_that_does_not_fit(self) -> "Iterator[str]":
        if not self.public:
            yield from (
                f"public: is missing: {each.name} is to be subscribed to with its address"
                for each in self.endpoint
                if each.subscribe is not None and needs_address(each.source)
            )
            if self.public_ca is not None:
                yield "public_ca: is for public, which is missing"
            return
        if why := wrong_base(self.public):
            yield f"public: {why}"
            return
        is_usual = urlsplit(self.public).scheme == "https" and urlsplit(self.public).port in {
            None,
            443,
        }
        if not is_usual and any(each.source == "twitch" for each in self.endpoint):
            yield "public: Twitch sends to https and port 443 alone"

    def _polls_that_do_not_fit(self) -> "Iterator[str]":
        endpoints = {each.name: each for each in self.endpoint}
        polled: dict[str, str] = {}
        for poll in self.poll:
            if poll.endpoint is None:
                continue
            endpoint = endpoints.get(poll.endpoint)
            if endpoint is None:
                yield f"poll {poll.name}: there is no endpoint {poll.endpoint}"
                continue
            platform = endpoint.platform or endpoint.kind.platform
            if platform != poll.told_platform:
                yield (
                    f"poll {poll.name}: its platform is {poll.told_platform}, that of the endpoint "
                    f"{poll.endpoint} is {platform}"
                )
            other = polled.setdefault(poll.endpoint, poll.name)
            if other != poll.name:
                yield f"poll {poll.name}: {other} polls the endpoint {poll.endpoint} already"


def load(file: Path) -> Config:
    """Read and check the configuration.

    Raises:
        GatewayConfigError: with all that is wrong.
    """
    try:
        given = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise GatewayConfigError(file, [f"it cannot be read: {error}"]) from error
    try:
        return Config.model_validate(given)
    except ValidationError as error:
        problems = [
            line for details in error.errors() for line in _problem(details, given).splitlines()
        ]
        raise GatewayConfigError(file, problems) from error


def _problem(details: Any, given: dict[str, Any]) -> str:
    where: list[str] = []
    found: Any = given
    for step in details["loc"]:
        try:
            found = found[step]
        except (KeyError, IndexError, TypeError):
            found = None
        if isinstance(step, int) and isinstance(found, dict) and "name" in found:
            where.append(str(found["name"]))
        elif isinstance(step, int):
            where.append(f"number {step + 1}")
        else:
            where.append(str(step))
    said = details["msg"].removeprefix("Value error, ")
    if details["type"] == "extra_forbidden":
        said = "is no setting"
    if details["type"] == "missing":
        said = "is missing"
    place = " ".join(where)
    return f"{place}: {said}" if place else said
