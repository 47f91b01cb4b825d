"""What this worker owns, as those who read it see it: the metrics and the HTTP API."""

from __future__ import annotations

from agents.live.broadcasts import LiveBroadcasts
from agents.live.owned import Found, Owned, viewers_of
from agents.live.scopes import LiveScopes, is_always_exported
from agents.live.selection import Selection
from agents.live.turns import Turns

__all__ = [
    "Found",
    "LiveBroadcasts",
    "LiveScopes",
    "Owned",
    "Selection",
    "Turns",
    "is_always_exported",
    "viewers_of",
]
