"""Folding: the sealed minutes of a row become sums, so that a month takes what an hour does."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from streams.audience.minute import MINUTE
from streams.audience.open_minutes import folded_high, greater
from streams.audience.past_end import PastEnd
from streams.audience.stretch import append, append_all, carry_to, merge, prune
from streams.audience.totals import Totals

if TYPE_CHECKING:
    from streams.audience.row import Row


def fold_sealed(row: Row) -> None:
    """Fold the sealed minutes; to be called once after the events of a batch and its delta.

    It changes no figure. It costs by the cells that there are, never by the minutes of a gap.
    It may be left out where `newest` - `lateness` is not past `folded_until`, and `past_end` is
    None.
    """
    ended = row.ended_at
    past = row.past_end
    if past is not None and (ended is None or ended // MINUTE > row.folded_until):
        _release(row, past)
    if row.started is not None and row.started // MINUTE > row.folded_until:
        _leave_waiting_room(row)
    line = row.newest - row.lateness
    if line <= row.folded_until:
        return
    if ended is not None and ended // MINUTE <= line and row.past_end is None:
        end_minute = ended // MINUTE
        row.past_end = PastEnd(end_minute, row.cells.get(end_minute), Totals(end_minute))
    sealed = sorted([minute for minute in row.cells if minute <= line])
    if row.past_end is not None:
        _hold(row, row.past_end, sealed, line)
    _fold(row, sealed, line)
    row.folded_until = line


def _release(row: Row, past: PastEnd) -> None:
    """Let what is folded past an end join the span: the end moved on, or was taken back."""
    span = row.span
    assert span is not None, "there was a span before there was an end of it"
    if past.cell is not None:
        append(span, past.minute, past.cell, row.carry, row.started)
    else:
        carry_to(span, past.minute, row.carry)
    merge(span, past.after, row.carry)
    row.past_end = None


def _leave_waiting_room(row: Row) -> None:
    """Keep of what is folded, all of it before the start, the greatest viewers alone."""
    row.waiting_high = folded_high(row)
    row.span = row.past_end = row.start_high = None


def _fold(  # noqa: C901, PLR0912  # one loop over where a minute may lie
    row: Row, sealed: list[int], line: int
) -> None:
    cells, carry, started = row.cells, row.carry, row.started
    past, span = row.past_end, row.span
    first = -1 if started is None else started // MINUTE
    if span is None and first <= line:
        span = row.span = Totals(first - 1 if started is not None else row.folded_until)
    after: list[int] = []
    if past is None and span is not None:
        # Past the minute of the start nothing is a border.
        place = bisect_right(sealed, first)
        sealed, after = sealed[:place], sealed[place:]
    for minute in sealed:
        cell = cells.pop(minute)
        audience = cell.audience
        if audience is not None:
            row.last_observed, row.last_audience = minute, audience
        if minute < first:
            row.waiting_high = greater(row.waiting_high, cell.high)
            continue
        if minute == first and started is not None and audience is not None:
            row.start_high = cell.high
            if minute * MINUTE + (cell.at or 0) < started:
                row.waiting_high = greater(row.waiting_high, audience)
        if past is None or minute < past.minute:
            assert span is not None, "a minute of the span has one"
            append(span, minute, cell, carry, started)
        elif minute > past.minute:
            append(past.after, minute, cell, carry)
    if after:
        assert span is not None, "they are minutes of the span"
        append_all(span, [(minute, cells.pop(minute)) for minute in after], carry)
        if span.last_observed > row.last_observed:
            row.last_observed, row.last_audience = span.last_observed, span.last_audience
    if span is not None:
        carry_to(span, line if past is None else past.minute - 1, carry)
        prune(span, row.newest)
    if past is not None:
        carry_to(past.after, line, carry)
        prune(past.after, row.newest)


def _hold(row: Row, past: PastEnd, sealed: list[int], line: int) -> None:
    """Note what scopes are not told of the minutes that are now folded past the end."""
    ended = row.ended_at
    assert ended is not None, "what is past an end that does not stand was released"
    last, audience = row.last_observed, row.last_audience
    held, carry = past.held, row.carry
    until = row.folded_until

    def carried_to(end: int) -> None:
        if audience:
            for minute in range(max(until, last, past.minute) + 1, min(last + carry, end) + 1):
                held[minute] = (audience, 1)

    for minute in sealed:
        cell = row.cells[minute]
        if cell.audience is None:
            continue
        if minute >= past.minute:
            carried_to(minute - 1)
        if minute == past.minute:
            if minute * MINUTE + (cell.at or 0) > ended:
                has = audience is not None and minute - last <= carry
                held[minute] = (cell.audience - ((audience or 0) if has else 0), int(not has))
        elif minute > past.minute and (cell.audience or not held):
            held[minute] = (cell.audience, 1)
        last, audience = minute, cell.audience
    carried_to(line)
