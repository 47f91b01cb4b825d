"""Which venue and programme a channel's broadcast belongs to, by the configuration."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from streams import rfc3339

if TYPE_CHECKING:
    from datetime import datetime

    from agents.gateway.config import Config


class Places:
    """Knows venues and programmes.

    Args:
        config: the configuration in force.
    """

    def __init__(self, config: Config) -> None:
        self._venues = {
            (leg.endpoint, leg.channel): venue.name
            for venue in config.venue
            for leg in venue.channels
        }
        self._programmes = [
            (
                each.name,
                {(leg.endpoint, leg.channel) for leg in each.channels},
                0 if each.begins is None else _microseconds(each.begins),
                rfc3339.END if each.ends is None else _microseconds(each.ends),
                re.compile(each.title),
            )
            for each in config.programme
        ]

        self._legs = frozenset().union(*(legs for _, legs, *_ in self._programmes))

    def is_leg(self, endpoint: str, channel: str) -> bool:
        """Whether a channel is part of any programme."""
        return (endpoint, channel) in self._legs

    def venue(self, endpoint: str, channel: str) -> str | None:
        """The venue of a channel."""
        return self._venues.get((endpoint, channel))

    def programme(self, endpoint: str, channel: str, start: int, title: str | None) -> str | None:
        """The first programme that a broadcast fits.

        Args:
            endpoint: through which it is told of.
            channel: its channel.
            start: when it began, in microseconds since 1970 UTC.
            title: its title, if known; a programme that asks for one does not fit without.
        """
        for name, legs, begins, ends, pattern in self._programmes:
            if (
                (endpoint, channel) in legs
                and begins <= start < ends
                and (not pattern.pattern or (title is not None and pattern.search(title)))
            ):
                return name
        return None


def _microseconds(at: datetime) -> int:
    return rfc3339.microseconds(at.isoformat())
