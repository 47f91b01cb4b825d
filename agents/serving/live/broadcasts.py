"""The live broadcasts of the partitions that this worker owns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.serving.live.store import Partition, QueryableStore
from streams.audience import Row, Tombstone, compute_figures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agents.entries import ShownEntry
    from streams.exact import Rows

State = Row | Tombstone


class LiveBroadcasts(QueryableStore[State, Row]):
    """What readers may know of the broadcasts that are not final yet; `find` knows final ones too.

    The number that is kept of each is the viewers (0 if unknown), or for an ended broadcast their
    complement, which is negative.
    """

    _partitions: dict[int, _Broadcasts]  # type: ignore[assignment]  # `_partition` makes only such

    def __init__(self) -> None:
        super().__init__(Row)

    def _partition(self, number: int, rows: Rows[State]) -> _Broadcasts:
        return _Broadcasts(number, rows)

    def live(self, partition: int) -> int:
        """How many broadcasts of a partition go on; ended ones do not."""
        owned = self._partitions.get(partition)
        return 0 if owned is None else owned.live


class _Broadcasts(Partition[State]):
    """The broadcasts of one partition.

    Attributes:
        live: How many numbers are not negative.
    """

    __slots__ = ("live",)

    def __init__(self, number: int, rows: Rows[State]) -> None:
        super().__init__(number, rows)
        self.live = 0

    def update(self, changed: Mapping[bytes, State | None]) -> None:
        """Take over the numbers of changed rows: once for every row of a batch."""
        live, count = self.live, self.count
        get = self.entries.get
        for key, row in changed.items():
            entry = get(key)
            if entry is None:
                continue  # `remove` sees to it
            old = entry.shown
            if type(row) is Row and not row.final:
                new = row.contribution
                if new is None:  # it is stale, ended or unknown: that is seldom
                    new = compute_figures(row).viewers or 0
                if row.ended is not None and row.ended_at is not None:
                    new = ~new
                if new == old:
                    continue
                entry.shown = new
                live += new >= 0
                count += old is None
            elif old is not None:
                entry.shown = None
                count -= 1
            else:
                continue
            if old is not None and old >= 0:
                live -= 1
        self.live, self.count = live, count

    def remove(self, entry: ShownEntry) -> None:
        """Show a row no more that was deleted."""
        super().remove(entry)
        self.live -= entry.shown is not None and entry.shown >= 0
