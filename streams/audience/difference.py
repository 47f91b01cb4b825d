"""What a batch changes in the scopes that a broadcast belongs to (contract, section 4).

    before = standing(row)            # of None for a broadcast of which there is no row yet
    row.accept_all(told, before)
    total.take(before, row)           # before it is settled
    row.settle()

Nothing is kept of a scope here. The differences of a broadcast, added up in any order, are its
standing: so a scope is the sum of all differences of its broadcasts, however they were batched.

Audiences are told as steps: by how much the audience of a minute is above that of the minute
before. A stretch of any length costs two numbers so, its start and the minute after its end, and
what is carried costs nothing. Steps add up like what they stand for; `by_minute` makes them so.
"""

from __future__ import annotations

from itertools import islice
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

Steps = dict[int, int]


class Standing(msgspec.Struct, gc=False):
    """A settled row as it stood before a batch: what its difference is taken from.

    Attributes:
        newest: Its newest minute; -1 if there was no row.
        ended_at: As the row had it.
        count: How many cells it had.
        cells: Of minutes up to `newest` of which something new was said, the cell that there was,
            None where there was none. `accept_all` notes them.
    """

    newest: int
    ended_at: int | None
    count: int
    cells: dict[int, Cell | None]


def standing(row: Row | None) -> Standing:
    """How a row stands before a batch; None for a broadcast of which there is no row yet."""
    if row is None:
        return Standing(-1, None, 0, {})
    ended_at = None if row.ended is None else row.ended_at
    return Standing(row.newest, ended_at, len(row.cells), {})


class Difference(msgspec.Struct, gc=False):
    """A change of what broadcasts add to a scope: all numbers may be negative.

    Attributes:
        audience: By how much the audience changes: steps.
        known: By how many more broadcasts an audience is known: steps. A scope's audience is null
            where the sum of these is 0. (Minutes after an end whose carried audience is 0 are not
            told when the broadcast resumes after they were sealed: no figure of a scope depends on
            them.)
        viewer_minutes: Change of the sum.
        joins: Likewise.
        views: Likewise.
        peak_sum: Change of the sum of the broadcasts' own peaks.
        broadcasts: How many more ever belonged to it.
        live: How many more are live.
        newest: The newest minute of those broadcasts whose newest minute changed; -1 for none.
        timestamp: Newest Kafka timestamp of their records, in milliseconds; -1 for none.
    """

    audience: Steps = {}
    known: Steps = {}
    viewer_minutes: int = 0
    joins: int = 0
    views: int = 0
    peak_sum: int = 0
    broadcasts: int = 0
    live: int = 0
    newest: int = -1
    timestamp: int = -1

    def add(self, other: Difference) -> None:
        """Add another difference; what cancels out stays in it as 0."""
        audience, known = self.audience, self.known
        for minute, by in other.audience.items():
            audience[minute] = audience.get(minute, 0) + by
        for minute, by in other.known.items():
            known[minute] = known.get(minute, 0) + by
        add_sums(self, other)
        if other.newest > self.newest:  # noqa: PLR1730  # max() would call a function
            self.newest = other.newest
        if other.timestamp > self.timestamp:  # noqa: PLR1730  # as above
            self.timestamp = other.timestamp

    def take(self, before: Standing, row: Row) -> None:
        """Add what a batch has changed in a row; to be called before the row is settled.

        It costs by the minutes that changed: this is asked of every row that a batch touches.

        Args:
            before: The row's standing when it was last settled.
            row: The row, with the events of the batch accepted.
        """
        if row.timestamp > self.timestamp:  # noqa: PLR1730  # max() would call a function
            self.timestamp = row.timestamp
        if before.newest < 0:
            self.broadcasts += 1
            if len(row.cells) == 1 and row.ended is None:
                self._begin(row)
                return
        ended_at = None if row.ended is None else row.ended_at
        if before.newest < 0:
            self.live += ended_at is None
        elif ended_at != before.ended_at:
            self.live += (ended_at is None) - (before.ended_at is None)
        if ended_at is before.ended_at is None and not before.cells:
            if row.newest == before.newest:
                return
            self._go_on(before, row)
        else:
            self._compare(before, row, ended_at)
        if row.newest != before.newest and row.newest > self.newest:
            self.newest = row.newest

    def retire(self, row: Row) -> None:
        """Add that a broadcast becomes final: it is no longer live, all else stays."""
        self.timestamp = max(self.timestamp, row.timestamp)
        if row.ended_at is None:
            self.live -= 1

    # -- rows without an end of which only new minutes were told: nearly all are so --------------

    def _begin(self, row: Row) -> None:
        """Add a broadcast that has said one thing: a backlog has many."""
        minute = row.newest
        cell = row.cells[minute]
        self.live += 1
        if minute > self.newest:  # noqa: PLR1730  # as above
            self.newest = minute
        joins = cell.joins or 0
        self.joins += joins
        self.views += joins if cell.views is None else cell.views
        level = cell.audience
        if level is not None:
            end = minute + row.carry + 1
            audience, known = self.audience, self.known
            audience[minute] = audience.get(minute, 0) + level
            audience[end] = audience.get(end, 0) - level
            known[minute] = known.get(minute, 0) + 1
            known[end] = known.get(end, 0) - 1
            self.viewer_minutes += level
            self.peak_sum += cell.higher or level

    def _go_on(  # noqa: C901, PLR0912, PLR0915  # one loop: calls would cost as much as its work
        self, before: Standing, row: Row
    ) -> None:
        """Add a row that has new cells past what was its newest minute, and no end."""
        audience, known = self.audience, self.known
        cells, carry = row.cells, row.carry
        viewer_minutes = joins = peak = 0
        views: int | None = None
        # The audience that stands, since when it is not counted yet, and where it is carried to.
        last: int
        level: int | None
        if not before.count:
            last, level = _NEVER, None
        elif (cell := cells.get(before.newest)) is not None and cell.audience is not None:
            last, level = before.newest, cell.audience
        else:
            last, level = _before(row, before.newest + 1)
        since, end = before.newest + 1, last + carry + 1
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
            if cell.views is not None and (views is None or cell.views > views):
                views = cell.views
            now = cell.audience
            if now is None:
                continue
            high = cell.higher or now
            if high > peak:  # noqa: PLR1730  # as above
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
            level, since, end = now, minute, minute + carry + 1
        if level is not None:
            viewer_minutes += level * (min(row.newest + 1, end) - since)
            audience[end] = audience.get(end, 0) - level
            known[end] = known.get(end, 0) - 1
        self.viewer_minutes += viewer_minutes
        self.joins += joins
        old_views, old_joins, old_peak = row.views, row.joins, row.peak or 0
        for cell in islice(cells.values(), before.count):
            if cell.joins is not None:
                old_joins += cell.joins
            if cell.views is not None and (old_views is None or cell.views > old_views):
                old_views = cell.views
            old_high = cell.higher or cell.audience
            if old_high is not None and old_high > old_peak:
                old_peak = old_high
        if peak > old_peak:
            self.peak_sum += peak - old_peak
        if views is None:
            # Joins stand in for views, all of them, where none is given.
            self.views += joins if old_views is None else 0
        elif old_views is None:
            self.views += views - old_joins
        elif views > old_views:
            self.views += views - old_views

    # -- any other -------------------------------------------------------------------------------

    def _compare(self, before: Standing, row: Row, ended_at: int | None) -> None:
        """Add a row of which anything may have changed."""
        cells = row.cells
        is_new = before.newest < 0
        was = {minute: cell for minute, cell in cells.items() if minute <= before.newest}
        for minute, cell in before.cells.items():
            if cell is None:
                del was[minute]
            else:
                was[minute] = cell
        changed = [minute for minute, cell in cells.items() if was.get(minute) is not cell]
        moved = ended_at != before.ended_at
        if not changed and not moved:
            return
        # Minutes before the first one have what they had: same cells, same end, same carrying.
        if moved and not is_new:
            first = row.folded + 1
        else:
            first = min(changed)
            if not is_new and first > before.newest:
                first = before.newest + 1
        self._compare_minutes(was, before, row, first, ended_at)
        if moved and row.suppressed and row.released:
            for minute, audience in row.suppressed.items():
                self._change(minute, audience, 1)
                self.viewer_minutes += audience
        self._add_up(was, row, changed)

    def _change(self, minute: int, audience: int, known: int) -> None:
        """Change a single minute."""
        for steps, by in ((self.audience, audience), (self.known, known)):
            steps[minute] = steps.get(minute, 0) + by
            steps[minute + 1] = steps.get(minute + 1, 0) - by

    def _compare_minutes(
        self,
        was: dict[int, Cell],
        before: Standing,
        row: Row,
        first: int,
        ended_at: int | None,
    ) -> None:
        """Compare the audiences of the minutes from `first` on, and those past the newest.

        Args:
            was: The row's cells as they were.
            before: How the row stood.
            row: The row.
            first: A minute after `folded`.
            ended_at: The row's.
        """
        cells, carry = row.cells, row.carry
        newest, old_newest = row.newest, before.newest
        last, audience = _before(row, first)
        old_last, old_audience = last, audience
        end = _NO_END if ended_at is None else ended_at // MINUTE
        old_end = _NO_END if before.ended_at is None else before.ended_at // MINUTE
        old_reach = old_newest + carry
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
            known = (now is not None) - (then is not None)
            now, then = now or 0, then or 0
            if known or now != then:
                self._change(minute, now - then, known)
            if minute <= newest:
                self.viewer_minutes += now
                if minute <= old_newest:
                    self.viewer_minutes -= then

    def _add_up(self, was: dict[int, Cell], row: Row, changed: list[int]) -> None:
        """Add the differences of `joins`, `views` and `peak_sum` from the cells that changed."""
        cells = row.cells
        now = [cells[minute] for minute in changed]
        then = [was[minute] for minute in changed if minute in was]
        same = [cell for minute, cell in cells.items() if was.get(minute) is cell]
        joins = _joins(now) - _joins(then)
        self.joins += joins
        rest = max(row.peak or 0, _peak(same))
        self.peak_sum += max(_peak(now), rest) - max(_peak(then), rest)
        self.views += _views(row, same, (_greatest_views(now), _greatest_views(then)), joins)


def _joins(cells: Iterable[Cell]) -> int:
    return sum([cell.joins or 0 for cell in cells])


def _peak(cells: Iterable[Cell]) -> int:
    return max([cell.higher or cell.audience or 0 for cell in cells], default=0)


def _greatest_views(cells: Iterable[Cell]) -> int | None:
    return max([cell.views for cell in cells if cell.views is not None], default=None)


def _views(row: Row, same: list[Cell], changed: tuple[int | None, int | None], joins: int) -> int:
    """By how much the views change; joins stand in for views, all of them, where none is given.

    Args:
        row: The row.
        same: Its cells that did not change.
        changed: Views of the cells that changed, as they are and as they were.
        joins: By how much the joins change.
    """
    all_joins = row.joins + _joins(row.cells.values())
    rest = [views for views in (row.views, _greatest_views(same)) if views is not None]
    now, then = (rest if views is None else [*rest, views] for views in changed)
    return max(now, default=all_joins) - max(then, default=all_joins - joins)


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


def by_minute(steps: Steps) -> dict[int, int]:
    """What steps add up to, in ascending order of the minutes; without zeros."""
    minutes: dict[int, int] = {}
    level = since = 0
    for minute in sorted(steps):
        if level:
            if minute - since == 1:
                minutes[since] = level
            else:
                minutes.update(dict.fromkeys(range(since, minute), level))
        level += steps[minute]
        since = minute
    return minutes


def add_sums(total: Difference | Head, change: Difference | Change) -> None:
    """Add what is a plain sum: everything but minutes and what is the newest of something."""
    total.viewer_minutes += change.viewer_minutes
    total.joins += change.joins
    total.views += change.views
    total.peak_sum += change.peak_sum
    total.broadcasts += change.broadcasts
    total.live += change.live
