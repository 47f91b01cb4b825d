"""The difference of what nearly every batch brings: something new in a row's newest minute alone.

It comes to what `difference` comes to, without laying out the minutes before and after. Whatever is
not that simple is left to `difference`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.audience.difference import Difference, Standing, difference

if TYPE_CHECKING:
    from streams.audience.broadcast import Row
    from streams.audience.minute import Cell

#: How many minutes further on the newest may be; beyond that it is no common case.
_FAR: Final = 3


def step(before: Standing, row: Row) -> Difference:
    """What a batch has changed; to be asked before the row is settled.

    Args:
        before: The row's standing when it was last settled; used up.
        row: The row, with the events of the batch accepted.
    """
    newest, cells, was = row.newest, row.cells, before.cells
    if row.ended is not None:
        return difference(before, row)
    cell = cells[newest]
    if before.newest < 0:
        return difference(before, row) if len(cells) > 1 else _first(row, cell)
    if newest - before.newest > _FAR:
        return difference(before, row)
    old = was.get(newest)
    was[newest] = cell
    # Cells never change, so this compares what is the same by identity, at once.
    if was == cells and (cell.audience is not None or old is None or old.audience is None):
        return Difference({}, {}) if old is cell else _newest(before, row, cell, old)
    if old is None:
        del was[newest]
    else:
        was[newest] = old
    return difference(before, row)


def _first(row: Row, cell: Cell) -> Difference:
    """The difference that a new row with one cell makes: all that it is."""
    newest, audience, joins = row.newest, cell.audience, cell.joins or 0
    minutes: dict[int, int] = {}
    known: dict[int, int] = {}
    if audience is not None:
        reach = range(newest, newest + row.carry + 1)
        known = dict.fromkeys(reach, 1)
        if audience:
            minutes = dict.fromkeys(reach, audience)
    views = joins if cell.views is None else cell.views
    peak = cell.higher or audience or 0
    return Difference(minutes, known, audience or 0, joins, views, peak, 1, 1, newest)


def _newest(before: Standing, row: Row, cell: Cell, old: Cell | None) -> Difference:
    """The difference where the newest minute's cell alone is another, and has not lost an audience.

    Args:
        before: How the row stood.
        row: The row.
        cell: The newest minute's cell.
        old: What it was.
    """
    newest, audience = row.newest, cell.audience
    last, carried = _carried(row, before.newest)
    reach = last + row.carry
    # From the newest minute on: who watched before, and up to which minute; and who does now.
    if old is not None and old.audience is not None:
        then, then_end = old.audience, newest + row.carry
    elif carried is not None and reach >= newest:
        then, then_end = carried, reach
    else:
        then, then_end = 0, newest - 1
    now, now_end = (then, then_end) if audience is None else (audience, newest + row.carry)
    minutes: dict[int, int] = {}
    known: dict[int, int] = {}
    by = now - then
    if by:
        for minute in range(newest, then_end + 1):
            minutes[minute] = by
    for minute in range(then_end + 1, now_end + 1):
        known[minute] = 1
        if now:
            minutes[minute] = now
    viewer_minutes = by
    if newest != before.newest:
        viewer_minutes = now
        # Minutes that the newest one has passed by count from now on, if they carry.
        if carried is not None and (passed := min(reach, newest - 1) - before.newest) > 0:
            viewer_minutes += carried * passed
    joins = (cell.joins or 0) - (0 if old is None else old.joins or 0)
    return Difference(
        minutes,
        known,
        viewer_minutes,
        joins,
        _views(row, cell, old, joins),
        _peak(row, cell, old),
        0,
        0,
        newest if newest != before.newest else -1,
    )


def _carried(row: Row, newest: int) -> tuple[int, int | None]:
    """The last observed minute before the newest one, if it is carried beyond `newest`."""
    cells = row.cells
    for minute in range(row.newest - 1, max(row.folded, newest - row.carry - 1), -1):
        cell = cells.get(minute)
        if cell is not None and cell.audience is not None:
            return minute, cell.audience
    return row.last_observed, row.last_audience


def _peak(row: Row, cell: Cell, old: Cell | None) -> int:
    """By how much its peak changes if the newest cell was `old`."""
    high = cell.higher or cell.audience or 0
    had = 0 if old is None else old.higher or old.audience or 0
    rest = row.peak or 0
    if high <= rest and had <= rest:
        return 0
    newest = row.newest
    for minute, other in row.cells.items():
        higher = other.higher or other.audience
        if higher is not None and higher > rest and minute != newest:
            rest = higher
    return max(high, rest) - max(had, rest)


def _views(row: Row, cell: Cell, old: Cell | None, joins: int) -> int:
    """By how much its views change, or its joins by `joins` where views were never given."""
    views = cell.views
    had = None if old is None else old.views
    if views is None and had is None and (not joins or row.views is not None):
        return 0
    rest, newest, others = row.views, row.newest, row.joins
    for minute, other in row.cells.items():
        if minute == newest:
            continue
        if other.views is not None and (rest is None or other.views > rest):
            rest = other.views
        others += other.joins or 0
    # As it is and as it was: the greatest views, else all joins.
    now_joins = others + (cell.joins or 0)
    now = _greater(rest, views)
    then = _greater(rest, had)
    return (now_joins if now is None else now) - (now_joins - joins if then is None else then)


def _greater(one: int | None, other: int | None) -> int | None:
    if one is None or (other is not None and other > one):
        return other
    return one
