"""What can end the demo."""

from __future__ import annotations

from streams.errors import LiveAudienceError


class DemoError(LiveAudienceError):
    """The demo cannot go on, or a figure did not come out."""
