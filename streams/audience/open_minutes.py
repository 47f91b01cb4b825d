"""What is folded of a row and its open minutes come to together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from streams.audience.minute import MINUTE
from streams.audience.stretch import append, append_all, carry_to, merge
from streams.audience.totals import Totals

if TYPE_CHECKING:
    from streams.audience.minute import Cell
    from streams.audience.row import Row
    from streams.audience.snapshot import RowSnapshot


class View(msgspec.Struct, gc=False):
    """How a row looks at some time since it was last folded.

    Attributes:
        cells: Its open minutes.
        newest: Its newest minute.
        earliest_at: The earliest `at` of its accepted events.
        started: The start that a `started` gives; None without.
        ended: The end that stands; None without.
    """

    cells: dict[int, Cell]
    newest: int
    earliest_at: int
    started: int | None
    ended: int | None

    @property
    def first(self) -> int:
        """The first minute of its span."""
        return (self.earliest_at if self.started is None else self.started) // MINUTE


def view(row: Row) -> View:
    """How a row looks now."""
    ended = None if row.ended is None else row.ended_at
    return View(row.cells, row.newest, row.earliest_at, row.started, ended)


def view_before(before: RowSnapshot, row: Row) -> View:
    """How the row looked when its snapshot was made."""
    newest = before.newest
    cells = {minute: cell for minute, cell in row.cells.items() if minute <= newest}
    for minute, cell in before.cells.items():
        if cell is None:
            cells.pop(minute, None)
        else:
            cells[minute] = cell
    return View(cells, before.newest, before.earliest_at, before.started, before.ended_at)


def span_totals(row: Row, seen: View) -> Totals:
    """All minutes of the span together, the folded ones too.

    Args:
        row: The row, of which only what is folded is looked at.
        seen: How it looks.

    Returns:
        Totals that end with the last minute of the span; to be changed at will.
    """
    carry, folded, first = row.carry, row.folded_until, seen.first
    started, ended = seen.started, seen.ended
    last = seen.newest if ended is None else ended // MINUTE
    if started is not None and first > folded:
        totals = Totals(first - 1)  # all that is folded is the waiting room
    else:
        totals = Totals(folded) if row.span is None else row.span.copy()
        past = row.past_end
        if past is not None:
            if past.cell is not None:
                append(totals, past.minute, past.cell, carry, started, ended)
            carry_to(totals, past.minute, carry)
            if ended is not None and last <= folded:
                return totals  # it stands
            merge(totals, past.after, carry)
    cells = seen.cells
    minutes = sorted([minute for minute in cells if first <= minute <= last])
    # The first and the last may be borders.
    begin = 1 if started is not None and minutes and minutes[0] == first else 0
    end = len(minutes) - 1 if ended is not None and minutes and minutes[-1] == last else None
    if begin:
        append(totals, first, cells[first], carry, started, ended)
    append_all(totals, [(minute, cells[minute]) for minute in minutes[begin:end]], carry)
    if end is not None and end >= begin:
        append(totals, last, cells[last], carry, started, ended)
    carry_to(totals, last, carry)
    return totals


def waiting_peak(row: Row, seen: View) -> int | None:
    """The greatest viewers before the start; None without.

    Args:
        row: The row, of which only what is folded is looked at.
        seen: How it looks.
    """
    started = seen.started
    if started is None:
        return None
    first = started // MINUTE
    if first <= row.folded_until:
        return row.waiting_high
    peak = folded_high(row)
    for minute, cell in seen.cells.items():
        if minute < first:
            peak = greater(peak, cell.high)
        elif minute == first and cell.at is not None and minute * MINUTE + cell.at < started:
            peak = greater(peak, cell.audience)
    return peak


def folded_high(row: Row) -> int | None:
    """The greatest viewers of all that is folded, before the start or not."""
    high = greater(row.waiting_high, row.start_high)
    if row.span is not None:
        high = greater(high, row.span.peak)
    past = row.past_end
    if past is not None:
        high = greater(high, past.after.peak)
        if past.cell is not None:
            high = greater(high, past.cell.high)
    return high


def greater(one: int | None, other: int | None) -> int | None:
    """The greater of two; None is less than any."""
    if one is None or (other is not None and other > one):
        return other
    return one
