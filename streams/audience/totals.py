"""What a stretch of minutes comes to, so that it needs no more than a few numbers.

A stretch can be appended to, and two that follow one another merge into one (see `stretch`). So
minutes that may yet join the span, or leave it, are kept as stretches of their own.
"""

from __future__ import annotations

from typing import Final

import msgspec

MAX_WINDOW: Final = 60
"""Minutes of the longest window that has a peak, `peak_1h`."""


class Totals(msgspec.Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    """Figures of consecutive minutes up to `until`, as if nothing were observed before them.

    Minutes are minutes since 1970 UTC; -1 is none.

    Attributes:
        until: The last minute of the stretch.
        observed: How many minutes were observed.
        carried: How many carried, `until` included.
        viewer_minutes: Sum of the audience, observed or carried.
        joins: Sum of joins.
        views: Those of the newest minute that gives them; None without.
        peak: Greatest viewers; None if nothing was observed.
        peak_minute: The earliest minute that reached it.
        recent: Greatest viewers of minutes that may yet be the peak of a window: by ascending
            minute, each greater than all that follow.
        first_observed: The earliest observed minute.
        first_viewers: Its audience; None without.
        first_audience: The earliest audience > 0; None without.
        first_audience_minute: Its minute.
        last_observed: The newest observed minute.
        last_audience: Its audience; None without.
        peak_held: Greatest of the lesser of two successive observed minutes that are at most
            `carry` + 1 apart; 0 without.
    """

    until: int
    observed: int = 0
    carried: int = 0
    viewer_minutes: int = 0
    joins: int = 0
    views: int | None = None
    peak: int | None = None
    peak_minute: int = -1
    recent: dict[int, int] = {}
    first_observed: int = -1
    first_viewers: int | None = None
    first_audience: int | None = None
    first_audience_minute: int = -1
    last_observed: int = -1
    last_audience: int | None = None
    peak_held: int = 0

    def copy(self) -> Totals:
        """The same again, to be changed without this one."""
        copied = msgspec.structs.replace(self)
        copied.recent = self.recent.copy()
        return copied

    def peak_after(self, minute: int) -> int | None:
        """The greatest viewers of the minutes after `minute`, at most `MAX_WINDOW` of them."""
        for when, high in self.recent.items():
            if when > minute:
                return high  # those that follow are smaller
        return None
