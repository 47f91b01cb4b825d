"""Accepting: the events of a batch go into their row, all of them decided as if each came alone."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from streams.audience.apply import apply, note_border, note_label, note_minute, note_title
from streams.audience.figures import Figures, compute_figures
from streams.audience.minute import MINUTE, Cell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.audience.row import Row
    from streams.audience.snapshot import RowSnapshot
    from streams.events import ViewerEvent

    TimedEvent = tuple[ViewerEvent, int, int]
    """An event, its `at` in microseconds since 1970 UTC, its Kafka timestamp in milliseconds."""


class AcceptResult(msgspec.Struct, gc=False):
    """What became of the events of a batch.

    Attributes:
        stopped: The place of the event that begins a new run, which was not taken, nor any after
            it; how many events there are if none does.
        late: The places of those that came when their minute was sealed.
        relabelled: How many accepted ones name another venue or programme, after it was settled.
        publish: Whether a summary is to be published: one changed a figure other than `events` and
            `late`, of a broadcast that was ended or final before or is ended after it.
        live_again: The figures to publish with the status `live`, where the last such event left it
            so; else those of the end of the batch are to be published, with the row's status.
        last_busy: The place of the last that was not idle; -1 without. Only where an end stands is
            it the contract's word: of a broadcast without an end each event counts.
        minute: Greatest last minute of the span after any of them; -1 if none was accepted.
        timestamp: Newest Kafka timestamp of accepted ones, in milliseconds; -1 without.
        former: The venues and programmes that it left, each with the greatest last minute that the
            batch saw there.
    """

    stopped: int
    late: list[int] = []
    relabelled: int = 0
    publish: bool = False
    live_again: Figures | None = None
    last_busy: int = -1
    minute: int = -1
    timestamp: int = -1
    former: list[tuple[str | None, str | None, int]] = []

    @property
    def accepted(self) -> int:
        """How many events were accepted."""
        return self.stopped - len(self.late)


def accept_all(
    row: Row, events: Sequence[TimedEvent], before: RowSnapshot | None = None
) -> AcceptResult:
    """Take in events of this run in their order, up to one that begins the next run.

    Args:
        row: The row.
        events: The events, with their times.
        before: The row's snapshot. The cells that change are noted in it.

    Returns:
        What became of them.
    """
    result = AcceptResult(len(events))
    accept_from(row, events, 0, before, result)
    return result


def accept_from(
    row: Row,
    events: Sequence[TimedEvent],
    place: int,
    before: RowSnapshot | None,
    result: AcceptResult,
) -> None:
    """Do the same with the events from a place on."""
    if row.ended is None and not row.final:
        place = _accept_plain(row, events, place, before, result)
    known: Figures | None = None
    for number in range(place, result.stopped):
        event, at, _ = events[number]
        minute = at // MINUTE
        if minute <= row.sealed:
            row.late += 1
            result.late.append(number)
            continue
        if minute > row.gap_end and _shows(event):
            result.stopped = number
            return
        known = _accept_one(row, number, events[number], before, result, known)


def _accept_plain(  # noqa: C901, PLR0912, PLR0915  # one loop: calls would cost as much
    row: Row,
    events: Sequence[TimedEvent],
    place: int,
    before: RowSnapshot | None,
    result: AcceptResult,
) -> int:
    """Take in events of a row that never ended and is not final, up to one that ends it.

    The hot path: the usual case calls nothing but `Cell`, and a row's fields are stored at the end,
    for that costs three times what a local variable does.

    Returns:
        The place of the first that was not taken.
    """
    cells, newest, newest_at = row.cells, row.newest, row.newest_at
    watched_at, shown, run_gap = row.watched_at, row.shown, row.run_gap
    venue, programme = row.venue, row.programme
    lateness, sealed_until = row.lateness, row.sealed_until
    gap_end = (newest if shown < 0 else shown) + run_gap
    # The newest timestamps of events that tell viewers, and of all others.
    told, untold = -1, result.timestamp
    old_newest = -1 if before is None else before.newest
    late, last = 0, -1
    for number, (event, at, timestamp) in enumerate(
        islice(events, place, None) if place else events, place
    ):
        minute, viewers = at // MINUTE, event.viewers
        if minute > newest and event.kind == "sample":
            # Nearly all come so: nothing was said of the minute yet, and the event's `at` is the
            # latest. What follows comes to the same here, with less to look at.
            if minute > gap_end and _shows(event):
                result.stopped = number
                break
            if ((name := event.venue) is not None and name != venue) or (
                (name := event.programme) is not None and name != programme
            ):
                sealed = max(sealed_until, newest - lateness)
                is_open = row.earliest_at // MINUTE > sealed
                note_label(row, event, at, newest, result, is_open=is_open)
                venue, programme = row.venue, row.programme
            newest, newest_at, last = minute, at, number
            if viewers is not None:
                if timestamp > told:  # noqa: PLR1730  # max() would call a function
                    told = timestamp
                if viewers:
                    watched_at, shown = at, minute
                    gap_end = minute + run_gap
                elif shown < 0:
                    gap_end = minute + run_gap
                offset: int | None = at - minute * MINUTE
            else:
                if timestamp > untold:  # noqa: PLR1730  # as above
                    untold = timestamp
                shown, offset = minute, None
                gap_end = minute + run_gap
            cells[minute] = Cell(event.revision, offset, viewers, None, event.joins, event.views)
            if event.title is not None:
                note_title(row, event.title, at)
            continue
        if event.kind == "ended":
            break
        sealed = newest - lateness
        if sealed < sealed_until:  # noqa: PLR1730  # as above
            sealed = sealed_until
        if minute <= sealed:
            late += 1
            result.late.append(number)
            continue
        if minute > gap_end and _shows(event):
            result.stopped = number
            break
        if (
            at < row.venue_at
            or at < row.programme_at
            or ((name := event.venue) is not None and name != venue)
            or ((name := event.programme) is not None and name != programme)
        ):
            is_open = row.earliest_at // MINUTE > sealed
            note_label(row, event, at, newest, result, is_open=is_open)
            venue, programme = row.venue, row.programme
        if minute > newest:
            newest, newest_at, cell = minute, at, None
        else:
            cell = cells.get(minute)
            if minute <= old_newest and before is not None:
                before.cells.setdefault(minute, cell)
            if at > newest_at:
                newest_at = at
            elif at < row.earliest_at:
                row.earliest_at = at
        if viewers is not None:
            if timestamp > told:  # noqa: PLR1730  # as above
                told = timestamp
            if viewers and at > watched_at:
                watched_at = at
        elif timestamp > untold:
            untold = timestamp
        if minute > shown and viewers != 0:
            shown = minute
            gap_end = minute + run_gap
        elif shown < 0:
            gap_end = newest + run_gap
        last = number
        if event.title is not None:
            note_title(row, event.title, at)
        if event.kind != "sample":
            note_border(row, event, at)
        note_minute(cells, cell, event, at, minute)
    else:
        number = len(events)
    if late:
        row.late += late
    if last >= 0:
        row.newest, row.newest_at = newest, newest_at
        row.watched_at, row.shown = watched_at, shown
        row.events += number - place - late
        row.timestamp = events[last][2]
        if told >= 0:
            row.viewers_timestamp = max(row.viewers_timestamp, told)
            if not row.fresh:
                row.fresh = True
        result.timestamp = told if told > untold else untold  # noqa: FURB136  # as above
        result.minute, result.last_busy = newest, last
    return number


def _accept_one(
    row: Row,
    place: int,
    timed: TimedEvent,
    before: RowSnapshot | None,
    result: AcceptResult,
    known: Figures | None,
) -> Figures | None:
    event, at, timestamp = timed
    minute = at // MINUTE
    was_ended, was_final = row.ended_at, row.final
    matters = was_final or was_ended is not None
    if matters and known is None and not _is_outside(row, was_ended, event, at):
        known = compute_figures(row)
    if before is not None and minute <= before.newest:
        before.cells.setdefault(minute, row.cells.get(minute))
    label, title = (row.venue, row.programme), row.title
    is_open = row.earliest_at // MINUTE > row.sealed
    note_label(row, event, at, row.last_minute, result, is_open=is_open)
    apply(row, event, at, minute, timestamp)
    ended = row.ended_at
    result.timestamp = max(result.timestamp, timestamp)
    result.minute = max(result.minute, row.last_minute)
    if not matters:
        changed, busy = ended is not None, True
    elif was_ended is not None and ended == was_ended and minute > ended // MINUTE:
        # No minute of the span can have changed.
        changed = title != row.title or label != (row.venue, row.programme)
        busy = False
        if changed:
            known = None
    else:
        figures = compute_figures(row)
        busy = changed = known is None or figures.published() != known.published()
        known = figures
    if busy:
        result.last_busy = place
    if changed and (matters or ended is not None):
        result.publish = True
        if ended is None:
            row.final = False
            result.live_again = known or compute_figures(row)
        else:
            result.live_again = None
    return known if row.final or ended is not None else None


def _is_outside(row: Row, ended: int | None, event: ViewerEvent, at: int) -> bool:
    """Whether a sample is plainly past an end that stands on: no figure of the span changes."""
    return (
        ended is not None
        and at // MINUTE > ended // MINUTE
        and event.kind == "sample"
        and not (event.viewers and at > ended + row.tolerance * MINUTE)
    )


def _shows(event: ViewerEvent) -> bool:
    """Whether an event may begin a run, by what it says."""
    return event.revision == 0 and (event.kind == "started" or bool(event.viewers))
