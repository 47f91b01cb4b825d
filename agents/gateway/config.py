"""The gateway's configuration: one TOML file, checked as a whole."""

import ipaddress
import re
import tomllib
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, model_validator

from agents.gateway.parts import Part, Platform, SecretFrom, Slug, wrong_base
from agents.gateway.poll_config import Poll
from agents.gateway.sources import SOURCES
from streams.errors import MisuseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agents.gateway.observation import Kind
    from agents.gateway.sources import Source

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
Header = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$", max_length=100)]


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


Secrets = Annotated[tuple[SecretFrom, ...], Field(max_length=2)]


class HmacOptions(Part):
    """How a sender of the source `hmac` signs."""

    header: Header
    prefix: str = ""
    encoding: Literal["hex", "base64"] = "hex"
    digest: Literal["sha1", "sha256", "sha384", "sha512"] = "sha256"
    id_header: Header | None = None
    id_signed: bool = False
    time_header: Header | None = None
    separator: Annotated[str, Field(max_length=3)] = "."
    window: Annotated[int, Field(ge=1, le=86_400)] = 300

    @model_validator(mode="after")
    def _id_has_a_header(self) -> Self:
        if self.id_signed and self.id_header is None:
            raise ValueError("id_signed needs id_header")
        if not self.separator and (self.id_signed or self.time_header):
            # Without one, a byte could move from the id to the time or to the body.
            raise ValueError("a signed id or time needs a separator")
        return self


class Mapped(Part):
    """Where the fields of a JSON body are: names joined by dots."""

    channel: str = "channel"
    at: str = ""
    kind: str = ""
    broadcast: str = ""
    started: str = ""
    viewers: str = ""
    views: str = ""
    title: str = ""
    kinds: dict[str, Literal["sample", "started", "ended", "ignored"]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _kinds_have_a_field(self) -> Self:
        if self.kinds and not self.kind:
            raise ValueError("kinds needs kind: the field whose values it translates")
        return self

    def kind_of(self, value: object) -> "Kind | None":
        """The kind that a body's value stands for; None if it is of no interest."""
        if not self.kind:
            return "sample"
        found = self.kinds.get(str(value), "ignored") if self.kinds else value
        # (Not a set: what a sender writes may be a list, which no set can look up.)
        return found if found in ("sample", "started", "ended") else None


class Endpoint(Part):
    """One address that takes webhooks: `/hooks/NAME`, or `/hooks/NAME/SECRET`."""

    name: Slug
    source: str
    platform: Platform | None = None
    secrets: Secrets = ()
    path_secrets: Secrets = ()
    networks: tuple[str, ...] = ()
    resume_seconds: Annotated[int, Field(ge=0, le=3600)] = 60
    ack_seconds: Annotated[float, Field(ge=0.1, le=30)] = 2.0
    body_bytes: Annotated[int, Field(ge=1, le=2**20)] = 65_536
    concurrency: Annotated[int, Field(ge=1, le=10_000)] = 200
    mapping: Mapped | None = None
    hmac: HmacOptions | None = None
    # Channels whose feeds were subscribed to at a hub: to no others its handshake says yes.
    subscribed: tuple[str, ...] = ()

    @property
    def kind(self) -> "Source":
        """Its source."""
        return SOURCES[self.source]

    @model_validator(mode="after")
    def _fits_its_source(self) -> Self:
        source = SOURCES.get(self.source)
        if source is None:
            raise ValueError(f"source: must be one of {', '.join(SOURCES)}, got {self.source!r}")
        problems = [*self._secrets_that_do_not_fit(source), *self._parts_that_do_not_fit()]
        for network in self.networks:
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                problems.append(f"networks: {error}")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _secrets_that_do_not_fit(self, source: "Source") -> "Iterator[str]":
        if source.signed and not self.secrets:
            yield "secrets: is missing, for this source signs"
        if not source.signed and not self.path_secrets:
            yield "path_secrets: is missing, for this source signs nothing"
        if source.needs_path_secret and not self.path_secrets:
            yield "path_secrets: is missing, for not all that this source sends is signed"
        if not source.signed and not source.has_key and self.secrets:
            yield "secrets: this source signs nothing; use path_secrets"

    def _parts_that_do_not_fit(self) -> "Iterator[str]":
        generic = self.source in {"hmac", "standard-webhooks"}
        if generic and self.mapping is None:
            yield "mapping: is missing"
        if not generic and self.mapping is not None:
            yield "mapping: this source needs none"
        if generic and self.platform is None:
            yield "platform: is missing"
        if (self.source == "youtube") != bool(self.subscribed):
            yield "subscribed: is for the source youtube, which needs it: ids of channels"
        if (self.source == "hmac") != (self.hmac is not None):
            yield "hmac: is for the source hmac, which needs it"


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
    # Where senders come in, as they know it; only `gateway check --ask` looks at it.
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
