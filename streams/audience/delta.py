"""What a batch changes in the scopes that a run of a broadcast belongs to (contract, section 4).

    before = snapshot(row)            # or NO_ROW where the batch begins the run
    result = row.accept_all(events, before)
    add_to_groups(delta_of, before, row, result)     # before the fold
    row.fold_sealed()

`delta_of(venue, programme)` gives the delta of all broadcasts of the platform that share these.
`go_stale`, `finalise` and `close` change a row and its delta when its time has come.

Nothing is kept of a scope here. The deltas of a row, added up in any order, are what it adds to its
scopes: so a scope is the sum of all deltas of its broadcasts, however they were batched.

Audiences are steps: by how much the audience of a minute is above that of the minute before. A
stretch of any length costs two numbers so, its start and the minute after its end. Steps add up
like what they stand for; `by_minute` turns them into minutes.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

import msgspec

from streams.audience.minute import MINUTE
from streams.audience.open_minutes import View, span_totals, view

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.audience.minute import Cell
    from streams.audience.row import AcceptResult, Row
    from streams.audience.totals import Totals

Steps = dict[int, int]

_NO_END: Final = 1 << 62


class RowSnapshot(msgspec.Struct, gc=False):
    """A folded row before a batch: what its delta is taken from.

    Attributes:
        newest: Its newest minute; -1 if there was no row.
        earliest_at: As the row had it.
        started: Likewise.
        ended_at: Likewise.
        count: How many cells it had.
        cells: Of minutes up to `newest` of which something new was said, the cell that there was,
            None where there was none. `accept_all` notes them.
        is_live: Whether its status was `live`.
        fresh: As the row had it.
    """

    newest: int
    earliest_at: int
    started: int | None
    ended_at: int | None
    count: int
    cells: dict[int, Cell | None]
    is_live: bool
    fresh: bool


def snapshot(row: Row) -> RowSnapshot:
    """A row as it is before a batch."""
    ended_at = None if row.ended is None else row.ended_at
    return RowSnapshot(
        row.newest,
        row.earliest_at,
        row.started,
        ended_at,
        len(row.cells),
        {},
        ended_at is None and not row.final,
        row.fresh,
    )


NO_ROW: Final = RowSnapshot(-1, -1, None, None, 0, {}, is_live=False, fresh=False)
"""The snapshot of a run that a batch begins. Nothing is ever noted in it."""


def _view_before(before: RowSnapshot, row: Row) -> View:
    """How the row looked when its snapshot was made."""
    newest = before.newest
    cells = {minute: cell for minute, cell in row.cells.items() if minute <= newest}
    for minute, cell in before.cells.items():
        if cell is None:
            cells.pop(minute, None)
        else:
            cells[minute] = cell
    return View(cells, before.newest, before.earliest_at, before.started, before.ended_at)


class Delta(msgspec.Struct, gc=False):
    """A change of what broadcasts add to a scope: all numbers may be negative.

    Attributes:
        audience: By how much the audience changes: steps.
        known: By how many more broadcasts an audience is known: steps. A scope has no peak where
            the sum of these is 0 everywhere.
        viewer_minutes: Change of the sum of the broadcasts' figure.
        joins: Likewise.
        views: Likewise; of joins where a broadcast gives no views.
        peak_sum: Likewise of `peak`.
        broadcasts: How many more runs belong to it.
        live: How many more are live.
        viewers: Change of the sum of the rows' contributions.
        contributing: How many more rows have one. The scope's `viewers` is null where the sum of
            these is 0.
        fresh: How many more are fresh.
        minute: The greatest last minute of a span after any record; -1 for none.
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
    viewers: int = 0
    contributing: int = 0
    fresh: int = 0
    minute: int = -1
    timestamp: int = -1

    def add(self, other: Delta) -> None:
        """Add another delta; what cancels out stays in it as 0."""
        audience, known = self.audience, self.known
        for minute, by in other.audience.items():
            audience[minute] = audience.get(minute, 0) + by
        for minute, by in other.known.items():
            known[minute] = known.get(minute, 0) + by
        self.viewer_minutes += other.viewer_minutes
        self.joins += other.joins
        self.views += other.views
        self.peak_sum += other.peak_sum
        self.broadcasts += other.broadcasts
        self.live += other.live
        self.viewers += other.viewers
        self.contributing += other.contributing
        self.fresh += other.fresh
        self.note(other.minute, other.timestamp)

    def note(self, minute: int, timestamp: int) -> None:
        """Note a last minute of a span, and the Kafka timestamp of a record; -1 is none."""
        self.minute = max(self.minute, minute)
        self.timestamp = max(self.timestamp, timestamp)

    def add_row(  # noqa: C901  # it decides which way is right and cheap
        self, before: RowSnapshot, row: Row, result: AcceptResult
    ) -> None:
        """Add what a batch has changed in a row that stays in its scopes; before it is folded.

        Args:
            before: The row before the batch.
            row: The row, with the events of the batch accepted.
            result: What became of them.
        """
        if result.minute < 0:
            return  # none was accepted
        if result.minute > self.minute:  # noqa: PLR1730  # max() would call a function
            self.minute = result.minute
        if result.timestamp > self.timestamp:  # noqa: PLR1730  # as above
            self.timestamp = result.timestamp
        started = row.started
        if before.newest < 0:
            self.broadcasts += 1
            if started is None and row.ended is None and not row.final and len(row.cells) == 1:
                self._add_new_row(row)
                return
        elif (
            before.ended_at is None
            and started == before.started
            and row.past_end is None
            and (row.ended is None or row.ended_at is None)
        ):
            first = min(before.cells) if before.cells else before.newest + 1
            cell = row.cells.get(first - 1)
            base: tuple[int, int | None] = (
                _observed_until(row, first - 1)
                if cell is None or cell.audience is None
                else (first - 1, cell.audience)
            )
            if started is None or _is_after_start(row, started, first, base[0]):
                if before.cells:
                    self._add_changed(before, row, first, base)
                else:
                    self._add_appended(before, row, base)
                return
        elif (
            before.ended_at is not None
            and before.ended_at // MINUTE <= row.folded_until
            and row.ended_at == before.ended_at
        ):
            # All that is open is past the end.
            self._add_status(before, row, None)
            return
        now = view(row)
        if before.newest >= 0:
            was = _view_before(before, row)
            self._add_minutes(row, was, -1)
            self._add_sums(span_totals(row, was), -1)
        self._add_minutes(row, now, 1)
        self._add_held(row, now)
        totals = span_totals(row, now)
        self._add_sums(totals, 1)
        self._add_status(before, row, totals.last_audience)

    # -- rows without an end of which only new minutes were told: nearly all are so --------------

    def _add_new_row(self, row: Row) -> None:
        """Add a row that has said one thing: a backlog has many."""
        ((minute, cell),) = row.cells.items()
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
            self.viewer_minutes += level * (min(row.newest + 1, end) - minute)
            self.peak_sum += cell.higher or level
            if row.fresh:  # not so if it moved here while it was stale
                self.viewers += level
                self.contributing += 1
                row.contribution = level
        self.live += 1
        self.fresh += row.fresh

    def _add_appended(  # noqa: C901, PLR0912, PLR0915  # one loop: calls would cost as much
        self, before: RowSnapshot, row: Row, base: tuple[int, int | None]
    ) -> None:
        """Add a row that has new cells past what was its newest minute, no end, the same start.

        Args:
            before: The row before the batch.
            row: The row.
            base: Its newest observed minute before, in scopes and in the span, and its audience.
        """
        audience, known = self.audience, self.known
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
        self.viewer_minutes += viewer_minutes
        had = row.contribution
        if had is None or viewers is None or not before.is_live:
            self._add_status(before, row, viewers)
        else:  # it goes on as it was
            self.viewers += viewers - had
            row.contribution = viewers
        span, started = row.span, row.started
        if started is not None and started // MINUTE > row.folded_until:
            self._add_rest(row, old_newest + 1, (joins, views, peak), (0, None, 0))
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
        self.joins += joins
        if peak > old_peak:
            self.peak_sum += peak - old_peak
        if views is not None:
            self.views += views - (old_joins if old_views is None else old_views)
        elif old_views is None:
            self.views += joins

    def _add_changed(
        self, before: RowSnapshot, row: Row, first: int, base: tuple[int, int | None]
    ) -> None:
        """Add a row of which minutes from `first` on changed, without an end, the same start.

        Args:
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
        then = self._add_tail(row, old, before.newest, first, base, -1)
        tail = self._add_tail(
            row, [(minute, row.cells[minute]) for minute in now], row.newest, first, base, 1
        )
        self._add_rest(row, first, tail[:3], then[:3])
        self._add_status(before, row, tail[3])

    def _add_tail(
        self,
        row: Row,
        cells: list[tuple[int, Cell]],
        newest: int,
        first: int,
        base: tuple[int, int | None],
        sign: int,
    ) -> tuple[int, int | None, int, int | None]:
        """Add the minutes from `first` on, of a row without an end.

        Args:
            row: The row.
            cells: Those of which something was said, in their order.
            newest: The newest minute of the row.
            first: The first minute.
            base: The newest observed minute before `first`, and its audience.
            sign: 1, or -1 to take them away.

        Returns:
            Their joins, the newest views, the peak, and the newest audience; `base`'s without one.
        """
        audience, known, carry = self.audience, self.known, row.carry
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
        self.viewer_minutes += sign * viewer_minutes
        return joins, views, peak, viewers

    def _add_rest(  # noqa: C901  # one loop over the minutes
        self,
        row: Row,
        first: int,
        now: tuple[int, int | None, int],
        then: tuple[int, int | None, int],
    ) -> None:
        """Add joins, views and peak of minutes from `first` on, which the minutes before decide.

        Args:
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
        self.joins += now_joins - then_joins
        self.peak_sum += max(now_peak, peak) - max(then_peak, peak)
        if now_views is None:
            now_views = joins + now_joins if views is None else views
        if then_views is None:
            then_views = joins + then_joins if views is None else views
        self.views += now_views - then_views

    # -- any other -------------------------------------------------------------------------------

    def retract_row(self, before: RowSnapshot, row: Row) -> None:
        """Take away all that a row had added before a batch that moves it to other scopes.

        Nothing of it is sealed then, so it is all in its cells.
        """
        was = _view_before(before, row)
        self._add_minutes(row, was, -1)
        self._add_sums(span_totals(row, was), -1)
        self.broadcasts -= 1
        self.live -= before.is_live
        self.fresh -= before.fresh
        if row.contribution is not None:
            self.viewers -= row.contribution
            self.contributing -= 1
            row.contribution = None

    def go_stale(self, row: Row) -> None:
        """Let a row be fresh no more: its viewers leave its scopes."""
        self.fresh -= row.fresh
        row.fresh = False
        self._contribute(row, None)

    def finalise(self, row: Row) -> None:
        """Let a row become final: it is no longer live, its viewers leave its scopes."""
        self.live -= row.is_live
        row.final = True
        self._contribute(row, None)

    def close(self, row: Row) -> None:
        """Let a row go, or make way for the next run: it is final, and fresh no more."""
        self.finalise(row)
        self.go_stale(row)

    def _add_status(self, before: RowSnapshot, row: Row, viewers: int | None) -> None:
        is_live = row.is_live
        self.live += is_live - before.is_live
        self.fresh += row.fresh - before.fresh
        self._contribute(row, viewers if is_live and row.fresh else None)

    def _contribute(self, row: Row, viewers: int | None) -> None:
        had = row.contribution
        if had == viewers:
            return
        self.viewers += (viewers or 0) - (had or 0)
        self.contributing += (viewers is not None) - (had is not None)
        row.contribution = viewers

    def _add_sums(self, totals: Totals, sign: int) -> None:
        views = totals.joins if totals.views is None else totals.views
        self.viewer_minutes += sign * totals.viewer_minutes
        self.joins += sign * totals.joins
        self.views += sign * views
        self.peak_sum += sign * (totals.peak or 0)

    def _add_held(self, row: Row, now: View) -> None:
        """Add what scopes were not told past an end that stands no more."""
        past = row.past_end
        if past is None or not (now.ended is None or now.ended // MINUTE > row.folded_until):
            return
        for minute, (audience, known) in past.held.items():
            for steps, by in ((self.audience, audience), (self.known, known)):
                steps[minute] = steps.get(minute, 0) + by
                steps[minute + 1] = steps.get(minute + 1, 0) - by
        past.held = {}

    def _add_minutes(self, row: Row, seen: View, sign: int) -> None:
        """Add the audiences of the minutes after what is folded, those past the newest too.

        The start means nothing here: a waiting room counts.
        """
        folded, carry, ended = row.folded_until, row.carry, seen.ended
        end = _NO_END if ended is None else ended // MINUTE
        if end <= folded:
            return
        audience, known = self.audience, self.known
        level: int | None = row.last_audience
        gone = min(row.last_observed + carry, end) + 1
        if level is None or gone <= folded + 1:
            level = None
        else:
            audience[folded + 1] = audience.get(folded + 1, 0) + sign * level
            known[folded + 1] = known.get(folded + 1, 0) + sign
        cells = seen.cells
        for minute in sorted(cells):
            cell = cells[minute]
            now = cell.audience
            if now is None or (ended is not None and minute * MINUTE + (cell.at or 0) > ended):
                continue
            if level is not None and minute < gone:
                if now != level:
                    audience[minute] = audience.get(minute, 0) + sign * (now - level)
            else:
                if level is not None:
                    audience[gone] = audience.get(gone, 0) - sign * level
                    known[gone] = known.get(gone, 0) - sign
                audience[minute] = audience.get(minute, 0) + sign * now
                known[minute] = known.get(minute, 0) + sign
            level, gone = now, min(minute + carry, end) + 1
        if level is not None:
            audience[gone] = audience.get(gone, 0) - sign * level
            known[gone] = known.get(gone, 0) - sign


def _observed_until(row: Row, last: int) -> tuple[int, int | None]:
    """The newest observed minute up to `last`, and its audience; None without."""
    cells = row.cells
    observed = [
        minute for minute, cell in cells.items() if minute <= last and cell.audience is not None
    ]
    if observed:
        newest = max(observed)
        return newest, cells[newest].audience
    return row.last_observed, row.last_audience


def _is_after_start(row: Row, started: int, first: int, observed: int) -> bool:
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


def add_to_groups(
    delta_of: Callable[[str | None, str | None], Delta],
    before: RowSnapshot,
    row: Row,
    result: AcceptResult,
) -> None:
    """Add what a batch has changed in a row, which may have moved to other scopes meanwhile.

    Args:
        delta_of: Gives the delta of a venue and programme of the row's platform.
        before: The row before the batch.
        row: The row, with the events of the batch accepted, not folded yet.
        result: What became of them.
    """
    if not result.former:
        delta_of(row.venue, row.programme).add_row(before, row, result)
        return
    for venue, programme, minute in result.former:
        delta_of(venue, programme).note(minute, result.timestamp)
    if before.newest >= 0:
        venue, programme, _ = result.former[0]
        delta_of(venue, programme).retract_row(before, row)
    delta_of(row.venue, row.programme).add_row(NO_ROW, row, result)


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
