"""Codecs that are compiled. Each has another path beside it, and leaves to that what it doubts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streams.codecs.scanner import EventScanner


def new_scanner() -> EventScanner | None:
    """Make a scanner of plain viewer events; None where it is not compiled."""
    try:
        from streams.codecs.scanner import EventScanner  # noqa: PLC0415  # may not be there
    except ImportError:
        return None
    return EventScanner()
