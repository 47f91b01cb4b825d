"""Compiled codecs: each has another path beside it, and leaves to that what it doubts.

That path is also the way of a batch in which a codec has shown a defect (`agents/pipeline`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams import compiled

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.codecs.scanner import EventScanner


def new_scanner() -> EventScanner | None:
    """Make a scanner of plain viewer events; None where what runs is not compiled."""
    if not compiled.status().compiled:
        return None
    from streams.codecs.scanner import EventScanner  # noqa: PLC0415  # it is not always there

    return EventScanner()


def misplaced() -> Callable[[list[bytes], int, int, int], set[bytes]] | None:
    """Give what tells keys in the wrong partition; None where what runs is not compiled."""
    if not compiled.status().compiled:
        return None
    from streams.codecs import placement  # noqa: PLC0415  # as above

    return placement.misplaced
