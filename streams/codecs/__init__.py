"""Compiled codecs: each has another path beside it, and leaves to that what it doubts.

That path is also the way of a batch in which a codec has shown a defect (`agents/pipeline`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import structlog

from streams import compiled

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.codecs.scanner import EventScanner

log = structlog.get_logger(__name__)


def new_scanner() -> EventScanner | None:
    """Make a scanner of plain viewer events; None where what runs is not compiled."""
    scanner = _codec("scanner")
    return None if scanner is None else scanner.EventScanner()


def misplaced() -> Callable[[list[bytes], int, int, int], set[bytes]] | None:
    """Give what tells keys in the wrong partition; None where what runs is not compiled."""
    placement = _codec("placement")
    return None if placement is None else placement.misplaced


def _codec(name: str) -> Any:
    if not compiled.status().compiled:
        return None
    try:
        return importlib.import_module(f"streams.codecs.{name}")
    except ImportError as error:  # made for another machine, or for another contract
        log.warning("a compiled codec cannot be used: all goes on, slower", codec=name, why=error)
        return None
