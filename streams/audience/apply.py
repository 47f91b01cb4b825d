"""One accepted event, taken into its row: borders, names, its minute's cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.audience.minute import MINUTE, Cell

if TYPE_CHECKING:
    from streams.audience.accept import AcceptResult
    from streams.audience.row import Row
    from streams.events import ViewerEvent


def note_label(
    row: Row, event: ViewerEvent, at: int, minute: int, result: AcceptResult, *, is_open: bool
) -> None:
    """Take an event's venue and programme, or count that they are others.

    Args:
        row: The row.
        event: The event, which is not taken yet.
        at: Its `at`.
        minute: The last minute of the span.
        result: What becomes of the batch.
        is_open: Whether no minute of an accepted event is sealed.
    """
    label = (row.venue, row.programme)
    if is_open:
        _choose_label(row, event, at)
        if (row.venue, row.programme) != label:
            result.former.append((*label, max(minute, result.minute)))
            result.minute = -1
    else:
        venue, programme = event.venue, event.programme
        result.relabelled += (venue is not None and venue != label[0]) or (
            programme is not None and programme != label[1]
        )


def _choose_label(row: Row, event: ViewerEvent, at: int) -> None:
    """Take an event's venue and programme while none of it is sealed."""
    venue, programme = event.venue, event.programme
    if venue is not None and (
        row.venue is None or at < row.venue_at or (at == row.venue_at and venue < row.venue)
    ):
        row.venue, row.venue_at = venue, at
    if programme is not None and (
        row.programme is None
        or at < row.programme_at
        or (at == row.programme_at and programme < row.programme)
    ):
        row.programme, row.programme_at = programme, at


def apply(  # field by field, calls would cost as much as its work
    row: Row, event: ViewerEvent, at: int, minute: int, timestamp: int
) -> None:
    """Take in an event that is accepted, but for its venue and programme."""
    viewers = event.viewers
    row.events += 1
    row.timestamp = timestamp
    if at > row.newest_at:
        row.newest_at, row.newest = at, minute
    elif at < row.earliest_at:
        row.earliest_at = at
    if viewers is not None:
        row.fresh = True
        row.viewers_timestamp = max(row.viewers_timestamp, timestamp)
        if viewers and at > row.watched_at:
            row.watched_at = at
    if viewers != 0 and minute > row.shown:
        row.shown = minute
    if event.title is not None:
        note_title(row, event.title, at)
    if event.kind != "sample":
        note_border(row, event, at)
    cells = row.cells
    note_minute(cells, cells.get(minute), event, at, minute)


def note_minute(
    cells: dict[int, Cell], cell: Cell | None, event: ViewerEvent, at: int, minute: int
) -> None:
    """Take what an event says of its minute.

    Args:
        cells: A row's.
        cell: That of the minute, if there is one.
        event: The event.
        at: Its `at`.
        minute: Its minute.
    """
    viewers = event.viewers
    if viewers is None and event.kind != "sample" and event.joins is None and event.views is None:
        return
    if cell is None or event.revision > cell.revision:
        cells[minute] = Cell(
            event.revision,
            None if viewers is None else at - minute * MINUTE,
            viewers,
            None,
            event.joins,
            event.views,
        )
    elif event.revision == cell.revision:
        cells[minute] = cell.join(event, at - minute * MINUTE)


def note_title(row: Row, title: str, at: int) -> None:
    """Take an event's title, if it is greater by (`at`, title)."""
    if at > row.title_at or (at == row.title_at and title > (row.title or "")):
        row.title, row.title_at = title, at


def note_border(row: Row, event: ViewerEvent, at: int) -> None:
    """Take the time of a `started` or an `ended`."""
    if event.kind == "started":
        revision = event.revision
        if revision > row.started_revision:
            row.started, row.started_revision = at, revision
        elif revision == row.started_revision and (row.started is None or at < row.started):
            row.started = at
        row.started_last = max(row.started_last, at)
    elif row.ended is None or at > row.ended:
        row.ended = at
