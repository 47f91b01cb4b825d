"""What is polled: the tables `[[poll]]` of the configuration."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic looks at it
from typing import TYPE_CHECKING, Annotated, Final, Self

from pydantic import Field, model_validator

from agents.gateway.observation import Observation
from agents.gateway.parts import Part, Platform, SecretFrom, Slug, wrong_base
from agents.gateway.polling.platforms import PLATFORMS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agents.gateway.polling.platform import PolledPlatform

_MOST_CHANNELS: Final = 50_000


class Poll(Part):
    """One platform's API, asked for the viewers of some channels.

    Attributes:
        name: in metrics and logs; channels are told of under it, unless `endpoint` is given.
        source: which API.
        endpoint: the endpoint whose broadcasts are polled while they are open, besides `channels`.
        platform: of its viewer events, unless it is the source's name.
        secret: where its key is, where the source needs one.
        client_id: of the app, where the source has one.
        channels: what is always polled, as the API names it.
        budget: units that the platform allows, a day or a minute as the source has it.
        reserve: the part of the budget that is left to other programs.
        every_minutes: so many minutes lie between two samples of a broadcast.
        waiting_minutes: so many between two looks at a channel that is not live.
        absent_minutes: a broadcast of which the API tells nothing for so long has ended.
        timeout_seconds: how long an answer may take.
        api: base address of the API, if it is another one than the platform's own, or if each
            server has its own.
        login: base address from which tokens come, likewise.
        tls_ca: certificates that are trusted, in a PEM file, instead of the system's.
    """

    name: Slug
    source: str
    endpoint: Slug | None = None
    platform: Platform | None = None
    secret: SecretFrom | None = None
    client_id: Annotated[str, Field(max_length=200, pattern=r"^[!-~]*$")] = ""
    channels: Annotated[tuple[str, ...], Field(max_length=_MOST_CHANNELS)] = ()
    budget: Annotated[int, Field(ge=60, le=10**9)] | None = None
    reserve: Annotated[float, Field(ge=0, le=0.95)] = 0.05
    every_minutes: Annotated[int, Field(ge=1, le=60)] = 1
    waiting_minutes: Annotated[int, Field(ge=1, le=1440)] | None = None
    absent_minutes: Annotated[int, Field(ge=3, le=240)] = 10
    timeout_seconds: Annotated[float, Field(ge=1, le=30)] = 10.0
    api: str = ""
    login: str = ""
    tls_ca: Path | None = None

    @property
    def kind(self) -> PolledPlatform:
        """What knows its API."""
        return PLATFORMS[self.source]

    @property
    def told(self) -> str:
        """Under which name its channels are told of."""
        return self.endpoint or self.name

    @property
    def told_platform(self) -> str:
        """The platform of its viewer events."""
        return self.platform or self.source

    @property
    def key(self) -> bytes:
        """Of its row, which has what it spent; who has its partition makes its calls."""
        return Observation(self.name, "", "", "spent", 0).key

    @property
    def units(self) -> int:
        """Its budget."""
        return self.kind.units if self.budget is None else self.budget

    @property
    def waits(self) -> int:
        """Minutes between two looks at a channel that is not live."""
        return self.waiting_minutes or self.kind.waiting_minutes

    @model_validator(mode="after")
    def _fits_its_source(self) -> Self:
        kind = PLATFORMS.get(self.source)
        if kind is None:
            raise ValueError(f"source: must be one of {', '.join(PLATFORMS)}, got {self.source!r}")
        if problems := list(self._problems(kind)):
            raise ValueError("; ".join(problems))
        return self

    def _problems(self, kind: PolledPlatform) -> Iterator[str]:
        yield from self._keys_that_do_not_fit(kind)
        if not (kind.api or self.api):
            yield "api: is missing: the address of your server"
        if not self.channels and self.endpoint is None:
            yield "channels: give channels, or the endpoint whose broadcasts are polled"
        wrong = [each for each in self.channels if not kind.is_id(each)]
        if wrong:
            yield f"channels: must be {kind.ids_are}, got {wrong[0]!r}"
        if len(set(self.channels)) < len(self.channels):
            yield "channels: one is there twice"
        for name, address in (("api", self.api), ("login", self.login)):
            if address and (why := wrong_base(address)):
                yield f"{name}: {why}"

    def _keys_that_do_not_fit(self, kind: PolledPlatform) -> Iterator[str]:
        if kind.needs_login and not self.client_id:
            yield "client_id: is missing"
        if not kind.needs_login:
            if self.client_id:
                yield "client_id: this source has none"
            if self.login:
                yield "login: this source has none"
        if kind.needs_secret and self.secret is None:
            yield "secret: is missing"
        if not kind.needs_secret and self.secret is not None:
            yield "secret: this source has none"
