"""A stretch of minutes grows: by a minute, by many, by minutes of nothing, by another stretch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.audience.bounds import LARGEST_SUM
from streams.audience.minute import MINUTE
from streams.audience.totals import MAX_WINDOW

if TYPE_CHECKING:
    from streams.audience.minute import Cell
    from streams.audience.totals import Totals


def carry_to(totals: Totals, minute: int, carry: int) -> None:
    """Append minutes in which nothing was observed, up to and with `minute`.

    Args:
        totals: The stretch.
        minute: The new `until`; an earlier minute changes nothing.
        carry: For how many minutes an audience stands in.
    """
    audience, last = totals.last_audience, totals.last_observed
    if audience is not None:
        start, end = max(last, totals.until), min(last + carry, minute)
        if start < end:
            totals.carried += end - start
            totals.viewer_minutes += audience * (end - start)
    totals.until = max(totals.until, minute)


def append(
    totals: Totals,
    minute: int,
    cell: Cell,
    carry: int,
    started: int | None = None,
    ended: int | None = None,
) -> None:
    """Append a minute after `until` of which something was said.

    Args:
        totals: The stretch.
        minute: The minute.
        cell: What was said.
        carry: For how many minutes an audience stands in.
        started: The start that a `started` gives, in microseconds since 1970 UTC. In its minute
            an audience of before it is not observed, and the audience is the high.
        ended: The end that stands. In its minute likewise, for an audience of after it.
    """
    if cell.joins is not None:
        totals.joins += cell.joins
    if cell.views is not None:
        totals.views = cell.views
    audience = cell.audience
    if audience is None or cell.at is None:
        carry_to(totals, minute, carry)
        return
    high = audience if cell.higher is None else cell.higher
    if started is not None and started // MINUTE == minute:
        if minute * MINUTE + cell.at < started:
            carry_to(totals, minute, carry)
            return
        high = audience
    if ended is not None and ended // MINUTE == minute:
        if minute * MINUTE + cell.at > ended:
            carry_to(totals, minute, carry)
            return
        high = audience
    _observe(totals, minute, audience, high, carry)


def append_all(  # noqa: C901  # one loop: calls would cost as much as its work
    totals: Totals, minutes: list[tuple[int, Cell]], carry: int
) -> None:
    """Append minutes after `until` in their order, none of which is a border of the span.

    The hot path of `append`: it comes to the same.

    Args:
        totals: The stretch.
        minutes: Those of which something was said, with what was said.
        carry: For how many minutes an audience stands in.
    """
    # What changes with each minute is in local variables: to store a field costs more.
    last, level, peak, held = (
        totals.last_observed,
        totals.last_audience,
        totals.peak,
        totals.peak_held,
    )
    until, peak_minute, views = totals.until, totals.peak_minute, totals.views
    is_quiet = totals.first_audience is None
    observed = viewer_minutes = joins = 0
    recent, next_to = totals.recent, carry + 1
    for minute, cell in minutes:
        if cell.joins is not None:
            joins += cell.joins
        if cell.views is not None:
            views = cell.views
        audience = cell.audience
        if audience is None:
            continue
        if level is None:
            totals.first_observed, totals.first_viewers = minute, audience
        else:
            gap = minute - last
            if level > held and audience > held and gap <= next_to:
                held = level if level < audience else audience  # noqa: FURB136  # a call costs
            if gap > 1:
                totals.last_observed, totals.last_audience, totals.until = last, level, until
                carry_to(totals, minute - 1, carry)
        if is_quiet and audience:
            is_quiet = False
            totals.first_audience, totals.first_audience_minute = audience, minute
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
    totals.last_observed, totals.last_audience, totals.until = last, level, until
    totals.peak, totals.peak_minute, totals.peak_held, totals.views = peak, peak_minute, held, views
    totals.observed += observed
    totals.viewer_minutes += viewer_minutes
    totals.joins += joins


def _observe(totals: Totals, minute: int, audience: int, high: int, carry: int) -> None:
    last = totals.last_audience
    if last is None:
        totals.first_observed, totals.first_viewers = minute, audience
    else:
        if minute - totals.until > 1:
            carry_to(totals, minute - 1, carry)
        if minute - totals.last_observed <= carry + 1:
            held = min(last, audience)
            totals.peak_held = max(totals.peak_held, held)
    if audience and totals.first_audience is None:
        totals.first_audience, totals.first_audience_minute = audience, minute
    totals.last_observed, totals.last_audience, totals.until = minute, audience, minute
    totals.observed += 1
    totals.viewer_minutes += audience
    if totals.peak is None or high > totals.peak:
        totals.peak, totals.peak_minute = high, minute
    recent = totals.recent
    _drop_outdone(recent, high)
    recent[minute] = high


def merge(totals: Totals, after: Totals, carry: int) -> None:
    """Append a whole stretch, which begins right after `until`.

    Args:
        totals: The stretch.
        after: The other one.
        carry: For how many minutes an audience stands in.
    """
    if after.first_viewers is None:
        carry_to(totals, after.until, carry)
    else:
        carry_to(totals, after.first_observed - 1, carry)
        if totals.last_audience is None:
            totals.first_observed, totals.first_viewers = after.first_observed, after.first_viewers
        elif after.first_observed - totals.last_observed <= carry + 1:
            totals.peak_held = max(totals.peak_held, min(totals.last_audience, after.first_viewers))
        totals.last_observed, totals.last_audience = after.last_observed, after.last_audience
    if totals.first_audience is None:
        totals.first_audience = after.first_audience
        totals.first_audience_minute = after.first_audience_minute
    totals.peak_held = max(totals.peak_held, after.peak_held)
    totals.until = after.until
    totals.observed += after.observed
    totals.carried += after.carried
    totals.viewer_minutes += after.viewer_minutes
    totals.joins += after.joins
    if after.views is not None:
        totals.views = after.views
    if after.peak is not None and (totals.peak is None or after.peak > totals.peak):
        totals.peak, totals.peak_minute = after.peak, after.peak_minute
    for high in after.recent.values():  # the first is the greatest
        _drop_outdone(totals.recent, high)
        break
    totals.recent.update(after.recent)


def prune(totals: Totals, newest: int) -> None:
    """Drop what is too old for any window, and hold the sums at their bound.

    Args:
        totals: The stretch.
        newest: The newest minute; windows go back from it.
    """
    recent = totals.recent
    while recent and (minute := next(iter(recent))) <= newest - MAX_WINDOW:
        del recent[minute]
    totals.viewer_minutes = min(totals.viewer_minutes, LARGEST_SUM)
    totals.joins = min(totals.joins, LARGEST_SUM)


def _drop_outdone(recent: dict[int, int], high: int) -> None:
    """Drop what a later minute of so many viewers outdoes."""
    while recent:
        minute, other = recent.popitem()
        if other > high:
            recent[minute] = other
            return
