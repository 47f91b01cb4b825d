"""What this worker owns, as those who read it see it: the metrics and the HTTP API."""

from __future__ import annotations

from agents.live.broadcasts import Found, LiveBroadcasts
from agents.live.selection import Selection
from agents.live.turns import Turns

__all__ = ["Found", "LiveBroadcasts", "Selection", "Turns"]
