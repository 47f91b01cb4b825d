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

from streams.audience.minute import MINUTE, minutes_between

if TYPE_CHECKING:
    from streams.audience.broadcast import Row
    from streams.audience.minute import Cell


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

    @property
    def is_empty(self) -> bool:
        """Whether it changes nothing."""
        return self == _NOTHING

    def add(self, other: Difference) -> None:
        """Take another difference into this one."""
        minutes = self.minutes
        for minute, change in other.minutes.items():
            minutes[minute] = minutes.get(minute, 0) + change
        known = self.known
        for minute, change in other.known.items():
            known[minute] = known.get(minute, 0) + change
        self.viewer_minutes += other.viewer_minutes
        self.joins += other.joins
        self.views += other.views
        self.peak_sum += other.peak_sum
        self.broadcasts += other.broadcasts
        self.live += other.live
        self.newest = max(self.newest, other.newest)


_NOTHING: Final = Difference({}, {})


def standing(row: Row | None) -> Standing:
    """How a row stands before a batch; None for a broadcast of which there is no row yet."""
    if row is None:
        return Standing({}, -1, None)
    return Standing(row.cells.copy(), row.newest, row.ended_at)


def difference(before: Standing, row: Row) -> Difference:
    """What a batch has changed; to be asked before the row is settled.

    It costs by what changed, and one look at each cell.

    Args:
        before: The row's standing when it was last settled.
        row: The row, with the events of the batch accepted.
    """
    was, is_new, ended_at = before.cells, before.newest < 0, row.ended_at
    changed, peak, views = _compare(row, was)
    moved = ended_at != before.ended_at
    if not changed and not moved:
        return Difference({}, {})
    # Minutes before this one have what they had: same cells, same end, same carrying.
    start = row.folded + 1 if moved or is_new else min(before.newest + 1, *changed)
    old, old_viewer_minutes = _audiences(row, was, start, before.newest, before.ended_at)
    new, new_viewer_minutes = _audiences(row, row.cells, start, row.newest, ended_at)
    if moved and row.suppressed and row.released:
        new.update(row.suppressed)
        new_viewer_minutes += sum(row.suppressed.values())
    minutes, known = _subtract(new, old)
    old_joins, old_views, old_peak = _sums([was.get(minute) for minute in changed], views, peak)
    new_joins, new_views, new_peak = _sums([row.cells[minute] for minute in changed], views, peak)
    joins = new_joins - old_joins
    if old_views is None or new_views is None:  # joins stand in for views, all of them
        now = row.joins + sum([cell.joins or 0 for cell in row.cells.values()])
        old_views = now - joins if old_views is None else old_views
        new_views = now if new_views is None else new_views
    return Difference(
        minutes,
        known,
        new_viewer_minutes - old_viewer_minutes,
        joins,
        new_views - old_views,
        new_peak - old_peak,
        1 if is_new else 0,
        (1 if ended_at is None else 0) - (0 if is_new or before.ended_at is not None else 1),
        row.newest if row.newest != before.newest else -1,
    )


def _compare(row: Row, was: dict[int, Cell]) -> tuple[list[int], int, int | None]:
    """The minutes whose cells changed; the peak (or 0) and the views of all that did not."""
    changed = []
    peak, views = row.peak or 0, row.views
    for minute, cell in row.cells.items():
        if was.get(minute) is not cell:
            changed.append(minute)
            continue
        high = cell.higher or cell.audience
        if high is not None and high > peak:
            peak = high
        if cell.views is not None and (views is None or cell.views > views):
            views = cell.views
    return changed, peak, views


def _sums(cells: list[Cell | None], views: int | None, peak: int) -> tuple[int, int | None, int]:
    """The joins of some cells; their views and their peak together with those given."""
    joins = 0
    for cell in cells:
        if cell is None:
            continue
        joins += cell.joins or 0
        if cell.views is not None and (views is None or cell.views > views):
            views = cell.views
        peak = max(peak, cell.higher or cell.audience or 0)
    return joins, views, peak


def _audiences(
    row: Row, cells: dict[int, Cell], start: int, newest: int, ended_at: int | None
) -> tuple[dict[int, int], int]:
    """The minutes from `start`, a minute after `folded`, that have an audience.

    Args:
        row: The row, for what does not change in a batch.
        cells: Its cells, then or now.
        start: The first minute to look at.
        newest: Its newest minute, then or now.
        ended_at: Its end, then or now.

    Returns:
        Minutes to audiences, those past the newest too; and the sum up to the newest.
    """
    carry = row.carry
    end = newest + carry if ended_at is None else ended_at // MINUTE
    last, audience = row.last_observed, row.last_audience
    for minute in range(start - 1, max(row.folded, start - 1 - carry), -1):
        cell = cells.get(minute)
        if cell is not None and cell.audience is not None:
            last, audience = minute, cell.audience
            break
    audiences: dict[int, int] = {}
    for minute in minutes_between(cells, start, newest):
        cell = cells.get(minute)
        if cell is None or cell.audience is None:
            continue
        if audience is not None and minute - last > 1:
            for carried in range(max(last + 1, start), min(last + carry, minute - 1, end) + 1):
                audiences[carried] = audience
        last = minute
        audiences[minute] = audience = cell.audience
    viewer_minutes = sum(audiences.values())
    if audience is not None:
        for carried in range(max(last + 1, start), min(last + carry, end) + 1):
            audiences[carried] = audience
            if carried <= newest:
                viewer_minutes += audience
    return audiences, viewer_minutes


def _subtract(new: dict[int, int], old: dict[int, int]) -> tuple[dict[int, int], dict[int, int]]:
    """How audiences, and how many of them are known, changed by minute; uses up `old`."""
    minutes, known = {}, {}
    for minute, audience in new.items():
        had = old.pop(minute, None)
        if had is None:
            known[minute] = 1
            had = 0
        if audience != had:
            minutes[minute] = audience - had
    for minute, had in old.items():
        known[minute] = -1
        if had:
            minutes[minute] = -had
    return minutes, known


def retire(row: Row) -> Difference:
    """What changes when a broadcast becomes final: it is no longer live, all else stays."""
    return Difference({}, {}, live=0 if row.ended_at is not None else -1)
