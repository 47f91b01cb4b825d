"""A row as it was before a batch: what the batch's delta is taken from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from streams.audience.minute import Cell
    from streams.audience.row import Row


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
