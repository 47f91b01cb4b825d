"""What takes webhooks: the tables `[[endpoint]]` of the configuration."""

import ipaddress
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from agents.gateway.parts import Part, Platform, SecretFrom, Slug
from agents.gateway.sources import SOURCES
from agents.gateway.subscribing.settings import Subscribe, problems_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agents.gateway.observation import Kind
    from agents.gateway.sources import Source

Header = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$", max_length=100)]
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
    # Channels that are subscribed to: to no others the handshake of a hub says yes.
    subscribed: Annotated[tuple[str, ...], Field(max_length=10_000)] = ()
    # How the gateway subscribes to them by itself.
    subscribe: Subscribe | None = None

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
        yield from problems_of(self.source, self.subscribed, self.subscribe)
        if (self.source == "hmac") != (self.hmac is not None):
            yield "hmac: is for the source hmac, which needs it"
