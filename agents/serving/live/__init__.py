"""What this worker owns, as those who read it see it: the metrics and the HTTP API."""

from __future__ import annotations

from agents.serving.live.broadcasts import LiveBroadcasts
from agents.serving.live.scopes import LiveScopes, is_always_exported
from agents.serving.live.selection import TopSelection
from agents.serving.live.slices import TimeSlice
from agents.serving.live.store import FoundRow, QueryableStore, viewers_of

__all__ = [
    "FoundRow",
    "LiveBroadcasts",
    "LiveScopes",
    "QueryableStore",
    "TimeSlice",
    "TopSelection",
    "is_always_exported",
    "viewers_of",
]
