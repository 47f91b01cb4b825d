"""What a batch changes in the scopes that a run of a broadcast belongs to (contract, section 4).

    before = snapshot(row)            # or NO_ROW where the batch begins the run
    result = row.accept_all(events, before)
    add_to_groups(delta_of, before, row, result)     # before the fold
    row.fold_sealed()

`delta_of(venue, programme)` gives the delta of all broadcasts of the platform that share these.
`go_stale`, `finalise` and `close` change a row and its delta when its time has come.

Nothing is kept of a scope here. The deltas of a row, added up in any order, are what it adds to its
scopes: so a scope is the sum of all deltas of its broadcasts, however they were batched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.audience.minute import MINUTE
from streams.audience.open_minutes import View, span_totals, view, view_before
from streams.audience.plain_delta import (
    add_appended,
    add_changed,
    begins_plainly,
    is_after_start,
    observed_until,
)
from streams.audience.snapshot import NO_ROW, RowSnapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.audience.accept import AcceptResult
    from streams.audience.row import Row
    from streams.audience.steps import Steps
    from streams.audience.totals import Totals
    from streams.events import ViewerEvent

_NO_END: Final = 1 << 62


class Delta:
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

    __slots__ = (
        "audience",
        "broadcasts",
        "contributing",
        "fresh",
        "joins",
        "known",
        "live",
        "minute",
        "peak_sum",
        "timestamp",
        "viewer_minutes",
        "viewers",
        "views",
    )

    def __init__(self) -> None:
        self.audience: Steps = {}
        self.known: Steps = {}
        self.viewer_minutes = 0
        self.joins = 0
        self.views = 0
        self.peak_sum = 0
        self.broadcasts = 0
        self.live = 0
        self.viewers = 0
        self.contributing = 0
        self.fresh = 0
        self.minute = -1
        self.timestamp = -1

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

    def add_sample(self, row: Row, event: ViewerEvent, minute: int, timestamp: int) -> None:
        """Add a row that a sample has just begun, and that has no other event: a backlog has many.

        Args:
            row: The row.
            event: The sample.
            minute: Its minute.
            timestamp: The Kafka timestamp of its record, in milliseconds.
        """
        if minute > self.minute:  # noqa: PLR1730  # max() would call a function
            self.minute = minute
        if timestamp > self.timestamp:  # noqa: PLR1730  # as above
            self.timestamp = timestamp
        self.broadcasts += 1
        self.live += 1
        joins, views, level = event.joins, event.views, event.viewers
        if joins is not None:
            self.joins += joins
            self.views += joins if views is None else views
        elif views is not None:
            self.views += views
        if level is None:
            return
        end = minute + row.carry + 1
        audience, known = self.audience, self.known
        audience[minute] = audience.get(minute, 0) + level
        audience[end] = audience.get(end, 0) - level
        known[minute] = known.get(minute, 0) + 1
        known[end] = known.get(end, 0) - 1
        self.viewer_minutes += level
        self.peak_sum += level
        self.fresh += 1
        self.viewers += level
        self.contributing += 1
        row.contribution = level

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
            if row.ended is None and not row.final and (started is None or begins_plainly(row)):
                add_appended(self, before, row, (-1, None))
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
                observed_until(row, first - 1)
                if cell is None or cell.audience is None
                else (first - 1, cell.audience)
            )
            if started is None or is_after_start(row, started, first, base[0]):
                if before.cells:
                    add_changed(self, before, row, first, base)
                else:
                    add_appended(self, before, row, base)
                return
        elif (
            before.ended_at is not None
            and before.ended_at // MINUTE <= row.folded_until
            and row.ended_at == before.ended_at
        ):
            # All that is open is past the end.
            self.add_status(before, row, None)
            return
        now = view(row)
        if before.newest >= 0:
            was = view_before(before, row)
            self._add_minutes(row, was, -1)
            self._add_sums(span_totals(row, was), -1)
        self._add_minutes(row, now, 1)
        self._add_held(row, now)
        totals = span_totals(row, now)
        self._add_sums(totals, 1)
        self.add_status(before, row, totals.last_audience)

    # -- any other -------------------------------------------------------------------------------

    def retract_row(self, before: RowSnapshot, row: Row) -> None:
        """Take away all that a row had added before a batch that moves it to other scopes.

        Nothing of it is sealed then, so it is all in its cells.
        """
        was = view_before(before, row)
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

    def add_status(self, before: RowSnapshot, row: Row, viewers: int | None) -> None:
        """Add whether it is live and fresh, and the viewers that count if it is both."""
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
