"""How the gateway subscribes by itself: the table `[endpoint.subscribe]` of the configuration."""

from __future__ import annotations

import re
from pathlib import Path  # noqa: TC003 - pydantic looks at it
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field

from agents.gateway.parts import Part, SecretFrom, wrong_base

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Of each source, what channels are.
_CHANNELS: Final = {
    "youtube": (
        re.compile(r"UC[A-Za-z0-9_-]{1,62}", re.ASCII),
        "ids of channels, which begin with UC",
    ),
    "twitch": (re.compile(r"[0-9]{1,20}", re.ASCII), "ids of users, which are numbers"),
    "kick": (re.compile(r"[0-9]{1,20}", re.ASCII), "ids of users, which are numbers"),
}
_APPS: Final = frozenset({"twitch", "kick"})


class Subscribe(Part):
    """How to subscribe to the channels of an endpoint.

    Attributes:
        client_id: of the app, at Twitch and Kick.
        secret: of the app, likewise.
        lease_seconds: for how long to subscribe, at YouTube's hub: it is renewed at half of it.
        timeout_seconds: how long an answer may take.
        api: base address of the API or the hub, if it is another one than the platform's own.
        login: base address from which tokens come, likewise.
        tls_ca: certificates that are trusted there, in a PEM file, instead of the system's.
    """

    client_id: Annotated[str, Field(max_length=200, pattern=r"^[!-~]*$")] = ""
    secret: SecretFrom | None = None
    lease_seconds: Annotated[int, Field(ge=10, le=864_000)] = 432_000
    timeout_seconds: Annotated[float, Field(ge=1, le=30)] = 10.0
    api: str = ""
    login: str = ""
    tls_ca: Path | None = None


def needs_address(source: str) -> bool:
    """Whether a subscription names the address to which it sends: Kick has it in the app."""
    return source != "kick"


def problems_of(
    source: str, subscribed: Sequence[str], subscribe: Subscribe | None
) -> Iterator[str]:
    """What is wrong with the subscriptions of an endpoint, in words."""
    if source not in _CHANNELS:
        if subscribed or subscribe is not None:
            yield f"subscribed, subscribe: are for the sources {', '.join(_CHANNELS)}"
        return
    pattern, channels = _CHANNELS[source]
    if not subscribed and (source == "youtube" or subscribe is not None):
        yield f"subscribed: is missing: {channels}"
    if wrong := [each for each in subscribed if not pattern.fullmatch(each)]:
        yield f"subscribed: must be {channels}, got {wrong[0]!r}"
    if len(set(subscribed)) < len(subscribed):
        yield "subscribed: one is there twice"
    if subscribe is not None:
        yield from _keys_that_do_not_fit(source, subscribe)
    elif subscribed and source in _APPS:
        yield "subscribed: needs the table subscribe, with client_id and secret of the app"


def _keys_that_do_not_fit(source: str, subscribe: Subscribe) -> Iterator[str]:
    has_app = source in _APPS
    for name, is_there in (
        ("client_id", bool(subscribe.client_id)),
        ("secret", subscribe.secret is not None),
    ):
        if has_app and not is_there:
            yield f"subscribe: {name}: of the app, is missing"
        if not has_app and is_there:
            yield f"subscribe: {name}: the hub takes none"
    if not has_app and subscribe.login:
        yield "subscribe: login: the hub has none"
    for name, address in (("api", subscribe.api), ("login", subscribe.login)):
        if address and (why := wrong_base(address)):
            yield f"subscribe: {name}: {why}"
