"""The minute cell: what all events of one broadcast in one minute come to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from streams.events import ViewerEvent

MINUTE: Final = 60_000_000
"""Microseconds in a minute. Minute `m` is the times `m * MINUTE <= at < (m + 1) * MINUTE`."""


class Cell(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, gc=False):
    """What the events of the highest revision in one minute say.

    A join-semilattice: what it holds is the greatest of something, so a cell depends on the set of
    its events, never on their order or on how often each came. It never changes; events make new
    cells, so that two states of a row can share what is the same in both.

    Attributes:
        revision: The highest revision; events of a lower one no longer count in here.
        at: When `audience` was observed, in microseconds since the minute began; None without one.
        audience: Viewers of the event that is greatest by (`at`, viewers) of those that know
            viewers; None if none does.
        higher: Greatest viewers, where that is more than `audience`; else None.
        joins: Greatest joins; None if never given.
        views: Greatest views; None if never given.
    """

    revision: int
    at: int | None
    audience: int | None
    higher: int | None
    joins: int | None
    views: int | None

    @property
    def high(self) -> int | None:
        """Greatest viewers; None if none are known."""
        return self.audience if self.higher is None else self.higher

    def join(self, event: ViewerEvent, offset: int) -> Cell:
        """The cell with another event of its own revision.

        Args:
            event: The event.
            offset: Its `at`, in microseconds since the minute began.
        """
        at, audience, higher = self.at, self.audience, self.higher
        viewers, joins, views = event.viewers, event.joins, event.views
        if viewers is not None:
            if at is None or audience is None:
                at, audience = offset, viewers
            else:
                high = max(viewers, audience if higher is None else higher)
                if offset > at or (offset == at and viewers > audience):
                    at, audience = offset, viewers
                higher = high if high > audience else None
        if joins is None or (self.joins is not None and self.joins > joins):
            joins = self.joins
        if views is None or (self.views is not None and self.views > views):
            views = self.views
        return Cell(self.revision, at, audience, higher, joins, views)
