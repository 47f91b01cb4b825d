"""The delta of a row without an end whose start stays: nearly all are so, and this way is cheap."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from streams.audience.minute import MINUTE

if TYPE_CHECKING:
    from streams.audience.delta import Delta
    from streams.audience.minute import Cell
    from streams.audience.row import Row
    from streams.audience.snapshot import RowSnapshot


def begins_plainly(row: Row) -> bool:
    """Whether scopes and the span see the same of all minutes of a row that nothing is folded of.

    Its start is one that a `started` gives: nothing was observed before it, and in its minute no
    more than what was observed last.
    """
    started = row.started
    assert started is not None, "asked of rows with a start"
    first = started // MINUTE
    cell = row.cells.get(first)
    return min(row.cells, default=first) >= first and (
        cell is None
        or cell.audience is None
        or (cell.higher is None and first * MINUTE + (cell.at or 0) >= started)
    )


def add_appended(  # noqa: C901, PLR0912, PLR0915  # one loop: calls would cost as much
    delta: Delta, before: RowSnapshot, row: Row, base: tuple[int, int | None]
) -> None:
    """Add a row that has new cells past what was its newest minute, no end, the same start.

    Args:
        delta: What is added to.
        before: The row before the batch; `NO_ROW` if it begins.
        row: The row.
        base: Its newest observed minute before, in scopes and in the span, and its audience.
    """
    audience, known = delta.audience, delta.known
    cells, carry, old_newest = row.cells, row.carry, before.newest
    viewer_minutes = joins = peak = 0
    views: int | None = None
    # The audience that stands, since when it is not counted yet, and where it is carried to.
    last, level = base
    viewers = level
    since, end = old_newest + 1, last + carry + 1
    if level is not None:
        if end <= since:
            level = None  # it went before
        else:
            audience[end] = audience.get(end, 0) + level
            known[end] = known.get(end, 0) + 1
    for minute in sorted(islice(reversed(cells), len(cells) - before.count)):
        cell = cells[minute]
        if cell.joins is not None:
            joins += cell.joins
        if cell.views is not None:
            views = cell.views
        now = cell.audience
        if now is None:
            continue
        high = cell.higher or now
        if high > peak:  # noqa: PLR1730  # max() would call a function
            peak = high
        if level is None:
            audience[minute] = audience.get(minute, 0) + now
            known[minute] = known.get(minute, 0) + 1
        elif minute < end:
            viewer_minutes += level * (minute - since)
            if now != level:
                audience[minute] = audience.get(minute, 0) + now - level
        else:
            viewer_minutes += level * (end - since)
            audience[end] = audience.get(end, 0) - level
            known[end] = known.get(end, 0) - 1
            audience[minute] = audience.get(minute, 0) + now
            known[minute] = known.get(minute, 0) + 1
        viewers = level = now
        since, end = minute, minute + carry + 1
    if level is not None:
        viewer_minutes += level * (min(row.newest + 1, end) - since)
        audience[end] = audience.get(end, 0) - level
        known[end] = known.get(end, 0) - 1
    delta.viewer_minutes += viewer_minutes
    had = row.contribution
    if had is None or viewers is None or not before.is_live:
        delta.add_status(before, row, viewers)
    else:  # it goes on as it was
        delta.viewers += viewers - had
        row.contribution = viewers
    span, started = row.span, row.started
    if started is not None and started // MINUTE > row.folded_until:
        _add_rest(delta, row, old_newest + 1, (joins, views, peak), (0, None, 0))
        return
    if span is None:
        old_views, old_joins, old_peak = None, 0, 0
    else:
        old_views, old_joins, old_peak = span.views, span.joins, span.peak or 0
    views_minute = -1
    for minute, cell in islice(cells.items(), before.count):
        if cell.joins is not None:
            old_joins += cell.joins
        if cell.views is not None and minute > views_minute:
            old_views, views_minute = cell.views, minute
        old_high = cell.higher or cell.audience
        if old_high is not None and old_high > old_peak:
            old_peak = old_high
    delta.joins += joins
    if peak > old_peak:
        delta.peak_sum += peak - old_peak
    if views is not None:
        delta.views += views - (old_joins if old_views is None else old_views)
    elif old_views is None:
        delta.views += joins


def add_changed(
    delta: Delta, before: RowSnapshot, row: Row, first: int, base: tuple[int, int | None]
) -> None:
    """Add a row of which minutes from `first` on changed, without an end, the same start.

    Args:
        delta: What is added to.
        before: The row before the batch.
        row: The row.
        first: The earliest minute that changed, after that of a start.
        base: Its newest observed minute before, in scopes and in the span, and its audience.
    """
    now = sorted([minute for minute in row.cells if minute >= first])
    was = dict(before.cells)
    for minute in now:
        if minute <= before.newest:
            was.setdefault(minute, row.cells[minute])
    old = [(minute, cell) for minute in sorted(was) if (cell := was[minute]) is not None]
    then = _add_tail(delta, row, old, before.newest, first, base, -1)
    tail = _add_tail(
        delta, row, [(minute, row.cells[minute]) for minute in now], row.newest, first, base, 1
    )
    _add_rest(delta, row, first, tail[:3], then[:3])
    delta.add_status(before, row, tail[3])


def _add_tail(
    delta: Delta,
    row: Row,
    cells: list[tuple[int, Cell]],
    newest: int,
    first: int,
    base: tuple[int, int | None],
    sign: int,
) -> tuple[int, int | None, int, int | None]:
    """Add the minutes from `first` on, of a row without an end.

    Args:
        delta: What is added to.
        row: The row.
        cells: Those of which something was said, in their order.
        newest: The newest minute of the row.
        first: The first minute.
        base: The newest observed minute before `first`, and its audience.
        sign: 1, or -1 to take them away.

    Returns:
        Their joins, the newest views, the peak, and the newest audience; `base`'s without one.
    """
    audience, known, carry = delta.audience, delta.known, row.carry
    viewer_minutes = joins = peak = 0
    views: int | None = None
    last, level = base
    viewers = level
    since, end = first, last + carry + 1
    if end <= first:
        level = None
    for minute, cell in cells:
        if cell.joins is not None:
            joins += cell.joins
        if cell.views is not None:
            views = cell.views
        now = cell.audience
        if now is None:
            continue
        high = cell.higher or now
        if high > peak:  # noqa: PLR1730  # max() would call a function
            peak = high
        if level is not None and minute < end:
            viewer_minutes += level * (minute - since)
            audience[minute] = audience.get(minute, 0) + sign * (now - level)
        else:
            if level is not None:
                viewer_minutes += level * (end - since)
                audience[end] = audience.get(end, 0) - sign * level
                known[end] = known.get(end, 0) - sign
            audience[minute] = audience.get(minute, 0) + sign * now
            known[minute] = known.get(minute, 0) + sign
        viewers = level = now
        since, end = minute, minute + carry + 1
    if level is not None:
        viewer_minutes += level * (min(newest + 1, end) - since)
        audience[end] = audience.get(end, 0) - sign * level
        known[end] = known.get(end, 0) - sign
    delta.viewer_minutes += sign * viewer_minutes
    return joins, views, peak, viewers


def _add_rest(  # noqa: C901  # one loop over the minutes
    delta: Delta,
    row: Row,
    first: int,
    now: tuple[int, int | None, int],
    then: tuple[int, int | None, int],
) -> None:
    """Add joins, views and peak of minutes from `first` on, which the minutes before decide.

    Args:
        delta: What is added to.
        row: The row.
        first: A minute after that of a start; those before it did not change.
        now: Joins, the newest views and the peak from it on.
        then: The same as they were.
    """
    started, span = row.started, row.span
    start_minute = -1 if started is None else started // MINUTE
    if span is None or start_minute > row.folded_until:
        views, joins, peak = None, 0, 0
    else:
        views, joins, peak = span.views, span.joins, span.peak or 0
    views_minute = -1
    for minute, cell in row.cells.items():
        if minute >= first or minute < start_minute:
            continue
        if cell.joins is not None:
            joins += cell.joins
        if cell.views is not None and minute > views_minute:
            views, views_minute = cell.views, minute
        high = cell.higher or cell.audience
        if high is not None and high > peak:
            if minute == start_minute:
                if minute * MINUTE + (cell.at or 0) < (started or 0):
                    continue
                high = cell.audience or 0
            peak = max(peak, high)
    now_joins, now_views, now_peak = now
    then_joins, then_views, then_peak = then
    delta.joins += now_joins - then_joins
    delta.peak_sum += max(now_peak, peak) - max(then_peak, peak)
    if now_views is None:
        now_views = joins + now_joins if views is None else views
    if then_views is None:
        then_views = joins + then_joins if views is None else views
    delta.views += now_views - then_views


def observed_until(row: Row, last: int) -> tuple[int, int | None]:
    """The newest observed minute up to `last`, and its audience; None without."""
    cells = row.cells
    observed = [
        minute for minute, cell in cells.items() if minute <= last and cell.audience is not None
    ]
    if observed:
        newest = max(observed)
        return newest, cells[newest].audience
    return row.last_observed, row.last_audience


def is_after_start(row: Row, started: int, first: int, observed: int) -> bool:
    """Whether scopes and the span see the same of the minutes from `first` on.

    Args:
        row: The row.
        started: The start that a `started` gives.
        first: A minute.
        observed: The newest observed minute before it; -1 without.
    """
    start_minute = started // MINUTE
    if first <= start_minute:
        return False
    if observed < 0 or observed > start_minute:
        return True
    cell = row.cells.get(observed)
    if cell is not None:
        return observed == start_minute and observed * MINUTE + (cell.at or 0) >= started
    return (
        row.span is not None
        and start_minute <= row.folded_until
        and row.span.last_observed == observed
    )
