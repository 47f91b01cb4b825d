"""What a batch changes in the scopes that a broadcast belongs to (contract, section 4).

    before = standing(row)           # None for a broadcast that is new
    for event in batch: row.accept(...)
    change = difference(before, row)  # before it is settled
    row.settle()

Nothing is kept of a scope here. The differences of a broadcast, added up in any order, are its
standing: so a scope is the sum of all differences of its broadcasts, however they were batched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from streams.audience.minute import MINUTE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.audience.broadcast import Row
    from streams.audience.minute import Cell
    from streams.audience.scope import Change, Head

_NEVER: Final = -1 << 62
_NO_END: Final = 1 << 62

#: Up to so many minutes are gone through one by one, whether or not anything was said of them.
_DENSE: Final = 64


class Standing(msgspec.Struct, gc=False):
    """A settled row as it stood before a batch: what its difference is taken from.

    Attributes:
        cells: Its cells. They never change, so this is a dictionary and no copy of what is in it.
        newest: Its newest minute; -1 if there was no row.
        ended_at: As the row had it.
    """

    cells: dict[int, Cell]
    newest: int
    ended_at: int | None


class Difference(msgspec.Struct, gc=False):
    """A change of what broadcasts add to a scope: all numbers may be negative.

    Attributes:
        minutes: By how much the audience of a minute changes; no zeros if made by `difference`.
        known: By how many more broadcasts an audience is known in a minute; likewise. A scope's
            audience is null where the sum of these is 0. (Minutes after an end whose carried
            audience is 0 are not told when the broadcast resumes after they were sealed: no figure
            of a scope depends on them.)
        viewer_minutes: Change of the sum.
        joins: Likewise.
        views: Likewise.
        peak_sum: Change of the sum of the broadcasts' own peaks.
        broadcasts: How many more ever belonged to it.
        live: How many more are live.
        newest: The newest minute of those broadcasts whose newest minute changed; -1 for none.
    """

    minutes: dict[int, int]
    known: dict[int, int]
    viewer_minutes: int = 0
    joins: int = 0
    views: int = 0
    peak_sum: int = 0
    broadcasts: int = 0
    live: int = 0
    newest: int = -1


def merge(total: Difference | Change, change: Difference | Change) -> None:
    """Add a change to another one; what cancels out stays in it as 0."""
    minutes = total.minutes
    for minute, by in change.minutes.items():
        minutes[minute] = minutes.get(minute, 0) + by
    known = total.known
    for minute, by in change.known.items():
        known[minute] = known.get(minute, 0) + by
    add_sums(total, change)
    total.newest = max(total.newest, change.newest)


def add_sums(total: Difference | Change | Head, change: Difference | Change) -> None:
    """Add what is a plain sum: everything but minutes and what is the newest of something."""
    total.viewer_minutes += change.viewer_minutes
    total.joins += change.joins
    total.views += change.views
    total.peak_sum += change.peak_sum
    total.broadcasts += change.broadcasts
    total.live += change.live


def standing(row: Row | None) -> Standing:
    """How a row stands before a batch; None for a broadcast of which there is no row yet."""
    if row is None:
        return Standing({}, -1, None)
    return Standing(row.cells.copy(), row.newest, row.ended_at)


def difference(before: Standing, row: Row) -> Difference:
    """What a batch has changed; to be asked before the row is settled.

    It costs by the minutes that changed, and one look at each cell: this is asked of every row that
    a batch touches.

    Args:
        before: The row's standing when it was last settled.
        row: The row, with the events of the batch accepted.
    """
    was, is_new = before.cells, before.newest < 0
    if is_new and len(row.cells) == 1 and row.ended is None:
        return _first(row)
    changed = [minute for minute, cell in row.cells.items() if was.get(minute) is not cell]
    ended_at = None if row.ended is None else row.ended_at
    moved = ended_at != before.ended_at
    if not changed and not moved:
        return Difference({}, {})
    # Minutes before the first one have what they had: same cells, same end, same carrying.
    if moved and not is_new:
        first = row.folded + 1
    else:
        first = min(changed)
        if not is_new and first > before.newest:
            first = before.newest + 1
    change = Difference({}, {})
    _compare(before, row, first, ended_at, change)
    if moved and row.suppressed and row.released:
        for minute, audience in row.suppressed.items():
            change.minutes[minute] = audience
            change.known[minute] = 1
            change.viewer_minutes += audience
    _add_up(was, row, changed, change)
    if is_new:
        change.broadcasts = 1
    change.live = (ended_at is None) - (not is_new and before.ended_at is None)
    if row.newest != before.newest:
        change.newest = row.newest
    return change


def _first(row: Row) -> Difference:
    """What a broadcast adds that has said one thing: the shortest way, for a backlog has many."""
    newest = row.newest
    cell = row.cells[newest]
    joins = cell.joins or 0
    views = joins if cell.views is None else cell.views
    audience = cell.audience
    if audience is None:
        return Difference({}, {}, 0, joins, views, 0, 1, 1, newest)
    minutes = range(newest, newest + row.carry + 1)
    return Difference(
        dict.fromkeys(minutes, audience) if audience else {},
        dict.fromkeys(minutes, 1),
        audience,
        joins,
        views,
        cell.higher or audience,
        1,
        1,
        newest,
    )


def _compare(  # noqa: C901  # one loop: calls of our own would cost as much as its work
    before: Standing, row: Row, first: int, ended_at: int | None, change: Difference
) -> None:
    """Compare the audiences of the minutes from `first` on, and those past the newest, with before.

    Args:
        before: How the row stood.
        row: The row.
        first: A minute after `folded`.
        ended_at: The row's.
        change: Takes `minutes`, `known` and `viewer_minutes`.
    """
    cells, was, carry = row.cells, before.cells, row.carry
    newest, old_newest = row.newest, before.newest
    last, audience = _before(row, first)
    old_last, old_audience = last, audience
    end = _NO_END if ended_at is None else ended_at // MINUTE
    old_end = _NO_END if before.ended_at is None else before.ended_at // MINUTE
    old_reach = old_newest + carry
    minutes, known, viewer_minutes = change.minutes, change.known, 0
    for minute in _span(row, was, first, last):
        cell = cells.get(minute)
        if cell is not None and (now := cell.audience) is not None:
            last, audience = minute, now
        else:
            now = audience if minute - last <= carry and minute <= end else None
        if minute > old_reach:
            then = None
        elif (cell := was.get(minute)) is not None and (then := cell.audience) is not None:
            old_last, old_audience = minute, then
        else:
            then = old_audience if minute - old_last <= carry and minute <= old_end else None
        if now is None:
            if then is None:
                continue
            known[minute] = -1
            now = 0
        elif then is None:
            known[minute] = 1
            then = 0
        if now != then:
            minutes[minute] = now - (then or 0)
        if minute <= newest:
            viewer_minutes += now
            if minute <= old_newest:
                viewer_minutes -= then or 0
    change.viewer_minutes = viewer_minutes


def _before(row: Row, first: int) -> tuple[int, int | None]:
    """The last observed minute before `first`, if its audience may be carried on; and that."""
    cells = row.cells
    for minute in range(first - 1, max(row.folded, first - 1 - row.carry), -1):
        cell = cells.get(minute)
        if cell is not None and cell.audience is not None:
            return minute, cell.audience
    return (_NEVER, None) if row.last_audience is None else (row.last_observed, row.last_audience)


def _span(row: Row, was: dict[int, Cell], first: int, last: int) -> Iterable[int]:
    """The minutes from `first` on in their order: all that may have an audience, perhaps others."""
    carry = row.carry
    end = row.newest + carry
    if end - first < _DENSE:
        return range(first, end + 1)
    # A gap of days is nothing: it costs by the cells.
    said = {last, *row.cells, *was}
    return sorted({m + k for m in said for k in range(carry + 1) if m + k >= first})


def _add_up(  # noqa: C901  # as above
    was: dict[int, Cell], row: Row, changed: list[int], change: Difference
) -> None:
    """Take the differences of `joins`, `views` and `peak_sum` from the cells that changed."""
    cells = row.cells
    joins, peak, old_peak = 0, 0, 0
    views = old_views = None
    for minute in changed:
        cell = cells[minute]
        joins += cell.joins or 0
        if cell.views is not None and (views is None or cell.views > views):
            views = cell.views
        high = cell.higher or cell.audience
        if high is not None and high > peak:
            peak = high
        old = was.get(minute)
        if old is None:
            continue
        joins -= old.joins or 0
        if old.views is not None and (old_views is None or old.views > old_views):
            old_views = old.views
        high = old.higher or old.audience
        if high is not None and high > old_peak:
            old_peak = high
    change.joins = joins
    rest = row.peak or 0
    if peak > rest or old_peak > rest:
        for minute, cell in cells.items():
            high = cell.higher or cell.audience
            if high is not None and high > rest and was.get(minute) is cell:
                rest = high
        change.peak_sum = max(peak, rest) - max(old_peak, rest)
    if views is not None or old_views is not None or (joins and row.views is None):
        change.views = _views(was, row, (views, old_views), joins)


def _views(
    was: dict[int, Cell], row: Row, changed: tuple[int | None, int | None], joins: int
) -> int:
    """By how much the views change; joins stand in for views, all of them, where none is given.

    Args:
        was: Its cells as they were.
        row: The row.
        changed: Views of the cells that changed, as they are and as they were.
        joins: By how much the joins change.
    """
    rest, all_joins = row.views, row.joins
    for minute, cell in row.cells.items():
        all_joins += cell.joins or 0
        views = cell.views
        if views is not None and (rest is None or views > rest) and was.get(minute) is cell:
            rest = views
    now, then = ([v for v in (rest, views) if v is not None] for views in changed)
    return max(now, default=all_joins) - max(then, default=all_joins - joins)


def retire(row: Row) -> Difference:
    """What changes when a broadcast becomes final: it is no longer live, all else stays."""
    return Difference({}, {}, live=0 if row.ended_at is not None else -1)
