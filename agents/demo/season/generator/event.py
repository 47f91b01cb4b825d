"""A viewer event as the season's platforms send it: what they do not tell is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET, UnsetType

from streams.viewer_event import Kind  # noqa: TC001 - msgspec reads the annotation

if TYPE_CHECKING:
    from collections.abc import Callable

GivenCount = int | UnsetType
"""A number that may be left out."""


class Event(msgspec.Struct, omit_defaults=True, gc=False):
    """The JSON object of a record, its fields in the contract's order.

    `viewers` may be null as well as absent: both are unknown.
    """

    platform: str
    broadcast: str
    at: str
    kind: Kind = "sample"
    viewers: int | UnsetType | None = UNSET
    joins: GivenCount = UNSET
    views: GivenCount = UNSET
    venue: str | None = None
    programme: str | None = None
    title: str | None = None
    revision: int = 0


encode: Callable[[Event], bytes] = msgspec.json.Encoder().encode
"""The value of a record."""
