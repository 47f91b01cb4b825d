"""Finds times that jump: one mistyped year makes all that follows of its broadcast late."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from streams import rfc3339

_DAY: Final = rfc3339.DAY

#: So many broadcasts are known at most; the one unheard of for longest goes first.
_KEPT: Final = 50_000


class JumpDetector:
    """Compares the time of each event with that of the one before it of the same broadcast.

    A single event that is off is told once: that the next one is back where the others were is no
    second jump.

    Args:
        kept: of how many broadcasts it knows the last time, at most.
    """

    def __init__(self, kept: int = _KEPT) -> None:
        self._kept = kept
        #: By key: the last time, and the one before the jump if that was one.
        self._last: OrderedDict[str, tuple[int, int | None]] = OrderedDict()

    def look(self, number: int, key: str, at: int) -> str | None:
        """What is to be said of an event, None if its time does not jump.

        Args:
            number: its line.
            key: its broadcast's key.
            at: its time, in microseconds since 1970 UTC.
        """
        known = self._last.pop(key, None)
        if known is None:
            self._last[key] = at, None
            if len(self._last) > self._kept:
                self._last.popitem(last=False)
            return None
        last, before = known
        if abs(at - last) <= _DAY or (before is not None and abs(at - before) <= _DAY):
            self._last[key] = at, None
            return None
        self._last[key] = at, last
        days = abs(at - last) / _DAY
        what = (
            f"line {number}: the time of {key} jumps by {days:,.0f} days, "
            f"from {rfc3339.text(last)} to {rfc3339.text(at)}"
        )
        if at > last:
            return f"{what}; if that is a mistake, all that follows of it is late"
        return f"{what}; if that is a mistake, it is late"
