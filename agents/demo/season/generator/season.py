"""The season as one stream of records, in the order in which they were sent."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final

from agents.demo.season.generator.planned import plan
from agents.demo.season.generator.records import records_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agents.demo.museums import Museum
    from agents.demo.record import SourceRecord
    from agents.demo.season.generator.planned import Planned

BROADCASTS: Final = 36_000
"""Broadcasts from February to September 2020, as published."""
VIEWS: Final = 520_000_000
"""Their views in all, as published."""
SEED: Final = 2020


class Season:
    """A season of broadcasts that comes to given totals exactly.

    Args:
        seed: Of all that is not given.
        broadcasts: How many.
        views: Their views in all: the sum of each one's `views` where given, else of its joins.

    Attributes:
        broadcasts: What is planned of each, by start.
        views: Their views in all.

    Raises:
        ValueError: The museums' broadcasts, which are in every season, alone have more.
    """

    def __init__(self, seed: int = SEED, broadcasts: int = BROADCASTS, views: int = VIEWS) -> None:
        self.views = views
        self.broadcasts: Sequence[Planned | Museum] = plan(seed, broadcasts, views)

    def records(self) -> Iterator[SourceRecord]:
        """Yield all records by the time of sending; only those of live broadcasts are kept.

        That is the order of event time, but for the records that came late.
        """
        live: list[tuple[int, int, SourceRecord, Iterator[SourceRecord]]] = []
        for number, broadcast in enumerate(self.broadcasts):
            # Nothing of a broadcast is sent before it starts.
            yield from _until(live, broadcast.start)
            later = iter(records_of(broadcast))
            first = next(later)
            heapq.heappush(live, (first.sent, number, first, later))
        yield from _until(live, None)


def _until(
    live: list[tuple[int, int, SourceRecord, Iterator[SourceRecord]]], end: int | None
) -> Iterator[SourceRecord]:
    """Yield what was sent before `end`; broadcasts leave with their last record."""
    while live and (end is None or live[0][0] < end):
        _, number, record, later = live[0]
        yield record
        following = next(later, None)
        if following is None:
            heapq.heappop(live)
        else:
            heapq.heapreplace(live, (following.sent, number, following, later))
