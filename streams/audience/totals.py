"""What a stretch of minutes comes to, so that it needs no more than a few numbers.

A stretch can be appended to, and two that follow one another merge into one. So minutes that may
yet join the span, or leave it, are kept as stretches of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from streams.audience.bounds import LARGEST_SUM
from streams.audience.minute import MINUTE

if TYPE_CHECKING:
    from streams.audience.minute import Cell

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

    def carry_to(self, minute: int, carry: int) -> None:
        """Append minutes in which nothing was observed, up to and with `minute`.

        Args:
            minute: The new `until`; an earlier minute changes nothing.
            carry: For how many minutes an audience stands in.
        """
        audience, last = self.last_audience, self.last_observed
        if audience is not None:
            start, end = max(last, self.until), min(last + carry, minute)
            if start < end:
                self.carried += end - start
                self.viewer_minutes += audience * (end - start)
        self.until = max(self.until, minute)

    def append(
        self,
        minute: int,
        cell: Cell,
        carry: int,
        started: int | None = None,
        ended: int | None = None,
    ) -> None:
        """Append a minute after `until` of which something was said.

        Args:
            minute: The minute.
            cell: What was said.
            carry: For how many minutes an audience stands in.
            started: The start that a `started` gives, in microseconds since 1970 UTC. In its minute
                an audience of before it is not observed, and the audience is the high.
            ended: The end that stands. In its minute likewise, for an audience of after it.
        """
        if cell.joins is not None:
            self.joins += cell.joins
        if cell.views is not None:
            self.views = cell.views
        audience = cell.audience
        if audience is None or cell.at is None:
            self.carry_to(minute, carry)
            return
        high = audience if cell.higher is None else cell.higher
        if started is not None and started // MINUTE == minute:
            if minute * MINUTE + cell.at < started:
                self.carry_to(minute, carry)
                return
            high = audience
        if ended is not None and ended // MINUTE == minute:
            if minute * MINUTE + cell.at > ended:
                self.carry_to(minute, carry)
                return
            high = audience
        self._observe(minute, audience, high, carry)

    def append_all(  # noqa: C901  # one loop: calls would cost as much as its work
        self, minutes: list[tuple[int, Cell]], carry: int
    ) -> None:
        """Append minutes after `until` in their order, none of which is a border of the span.

        The hot path of `append`: it comes to the same.

        Args:
            minutes: Those of which something was said, with what was said.
            carry: For how many minutes an audience stands in.
        """
        # What changes with each minute is in local variables: to store a field costs more.
        last, level, peak, held = (
            self.last_observed,
            self.last_audience,
            self.peak,
            self.peak_held,
        )
        until, peak_minute, views = self.until, self.peak_minute, self.views
        is_quiet = self.first_audience is None
        observed = viewer_minutes = joins = 0
        recent, next_to = self.recent, carry + 1
        for minute, cell in minutes:
            if cell.joins is not None:
                joins += cell.joins
            if cell.views is not None:
                views = cell.views
            audience = cell.audience
            if audience is None:
                continue
            if level is None:
                self.first_observed, self.first_viewers = minute, audience
            else:
                gap = minute - last
                if level > held and audience > held and gap <= next_to:
                    held = level if level < audience else audience  # noqa: FURB136  # a call costs
                if gap > 1:
                    self.last_observed, self.last_audience, self.until = last, level, until
                    self.carry_to(minute - 1, carry)
            if is_quiet and audience:
                is_quiet = False
                self.first_audience, self.first_audience_minute = audience, minute
            last = until = minute
            level = audience
            observed += 1
            viewer_minutes += audience
            high = audience if cell.higher is None else cell.higher
            if peak is None or high > peak:
                peak, peak_minute = high, minute
            while recent:
                when, other = recent.popitem()
                if other > high:
                    recent[when] = other
                    break
            recent[minute] = high
        self.last_observed, self.last_audience, self.until = last, level, until
        self.peak, self.peak_minute, self.peak_held, self.views = peak, peak_minute, held, views
        self.observed += observed
        self.viewer_minutes += viewer_minutes
        self.joins += joins

    def _observe(self, minute: int, audience: int, high: int, carry: int) -> None:
        last = self.last_audience
        if last is None:
            self.first_observed, self.first_viewers = minute, audience
        else:
            if minute - self.until > 1:
                self.carry_to(minute - 1, carry)
            if minute - self.last_observed <= carry + 1:
                held = min(last, audience)
                self.peak_held = max(self.peak_held, held)
        if audience and self.first_audience is None:
            self.first_audience, self.first_audience_minute = audience, minute
        self.last_observed, self.last_audience, self.until = minute, audience, minute
        self.observed += 1
        self.viewer_minutes += audience
        if self.peak is None or high > self.peak:
            self.peak, self.peak_minute = high, minute
        recent = self.recent
        _drop_outdone(recent, high)
        recent[minute] = high

    def merge(self, after: Totals, carry: int) -> None:
        """Append a whole stretch, which begins right after `until`.

        Args:
            after: The stretch.
            carry: For how many minutes an audience stands in.
        """
        if after.first_viewers is None:
            self.carry_to(after.until, carry)
        else:
            self.carry_to(after.first_observed - 1, carry)
            if self.last_audience is None:
                self.first_observed, self.first_viewers = after.first_observed, after.first_viewers
            elif after.first_observed - self.last_observed <= carry + 1:
                self.peak_held = max(self.peak_held, min(self.last_audience, after.first_viewers))
            self.last_observed, self.last_audience = after.last_observed, after.last_audience
        if self.first_audience is None:
            self.first_audience = after.first_audience
            self.first_audience_minute = after.first_audience_minute
        self.peak_held = max(self.peak_held, after.peak_held)
        self.until = after.until
        self.observed += after.observed
        self.carried += after.carried
        self.viewer_minutes += after.viewer_minutes
        self.joins += after.joins
        if after.views is not None:
            self.views = after.views
        if after.peak is not None and (self.peak is None or after.peak > self.peak):
            self.peak, self.peak_minute = after.peak, after.peak_minute
        for high in after.recent.values():  # the first is the greatest
            _drop_outdone(self.recent, high)
            break
        self.recent.update(after.recent)

    def prune(self, newest: int) -> None:
        """Drop what is too old for any window, and hold the sums at their bound.

        Args:
            newest: The newest minute; windows go back from it.
        """
        recent = self.recent
        while recent and (minute := next(iter(recent))) <= newest - MAX_WINDOW:
            del recent[minute]
        self.viewer_minutes = min(self.viewer_minutes, LARGEST_SUM)
        self.joins = min(self.joins, LARGEST_SUM)

    def peak_after(self, minute: int) -> int | None:
        """The greatest viewers of the minutes after `minute`, at most `MAX_WINDOW` of them."""
        for when, high in self.recent.items():
            if when > minute:
                return high  # those that follow are smaller
        return None


def _drop_outdone(recent: dict[int, int], high: int) -> None:
    """Drop what a later minute of so many viewers outdoes."""
    while recent:
        minute, other = recent.popitem()
        if other > high:
            recent[minute] = other
            return
