"""What the cells of a row come to together with its sums, for whoever reads a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.audience.minute import MINUTE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streams.audience.broadcast import Row


def observations(row: Row) -> list[tuple[int, int, int]]:
    """The observed minutes after `folded`, in their order: minute, audience, greatest viewers."""
    cells = row.cells
    return [
        (minute, audience, audience if cell.higher is None else cell.higher)
        for minute in sorted(cells)
        if (audience := (cell := cells[minute]).audience) is not None
    ]


def carried(
    row: Row, observed: Iterable[tuple[int, int, int]], end: int
) -> Iterator[tuple[int, int, int]]:
    """The spans of minutes after `folded` that carry an audience, in their order.

    Args:
        row: The row.
        observed: Its `observations`.
        end: The last minute that may carry one.

    Yields:
        The minute before the span, its last minute, the audience that each of its minutes has.
    """
    ended_at, carry = row.ended_at, row.carry
    if ended_at is not None:
        end = min(end, ended_at // MINUTE)
    last, audience = row.last_observed, row.last_audience
    for minute, next_audience, _ in observed:
        if minute - last > 1 and audience is not None:
            before, until = max(last, row.folded), min(last + carry, minute - 1, end)
            if before < until:
                yield before, until, audience
        last, audience = minute, next_audience
    if audience is not None:
        before, until = max(last, row.folded), min(last + carry, end)
        if before < until:
            yield before, until, audience


def joins(row: Row) -> int:
    """Sum of the joins of all minutes."""
    return row.joins + sum([cell.joins for cell in row.cells.values() if cell.joins is not None])


def views(row: Row) -> int | None:
    """Greatest views of all minutes; None if never given."""
    given = [cell.views for cell in row.cells.values() if cell.views is not None]
    if row.views is not None:
        given.append(row.views)
    return max(given, default=None)
