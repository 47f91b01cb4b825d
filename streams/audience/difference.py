"""What a batch changes in the scopes that a broadcast belongs to (contract, section 4).

    before = standing(row)           # None for a broadcast that is new
    for event in batch: row.accept(...)
    change = difference(before, row)  # before it is settled
    row.settle()

Nothing is kept of a scope here. The differences of a broadcast, added up in any order, are its
standing: so a scope is the sum of all differences of its broadcasts, however they were batched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from streams.audience.unfolded import carried, joins, observations, views

if TYPE_CHECKING:
    from streams.audience.broadcast import Row


class Standing(msgspec.Struct, gc=False):
    """What a broadcast adds to its scopes, as its accepted events have it.

    Attributes:
        minutes: The audience, observed or carried, of each minute that may still change and has
            one. A broadcast that has not ended carries past its newest minute too.
        viewer_minutes: Up to its newest minute.
        joins: Sum over its minutes.
        views: Its views where given, else its joins.
        peak: 0 if no viewers were ever known.
        broadcasts: 1, or 0 for none at all.
        live: 1 while it is on air: it has begun and `ended_at` is null. An ended broadcast counts
            no more, though it stays in memory until it is final; one that resumes counts again.
        newest: Its newest minute; -1 for none at all.
    """

    minutes: dict[int, int]
    viewer_minutes: int
    joins: int
    views: int
    peak: int
    broadcasts: int
    live: int
    newest: int


class Difference(msgspec.Struct, gc=False):
    """A change of what broadcasts add to a scope: all numbers may be negative.

    Attributes:
        minutes: By how much the audience of a minute changes; no zeros if made by `difference`.
        known: By how many more broadcasts an audience is known in a minute; likewise. A scope's
            audience is null where the sum of these is 0. (Minutes after an end whose carried
            audience is 0 are not told when the broadcast resumes after they were sealed: no figure
            of a scope depends on them.)
        viewer_minutes: Change of the sum.
        joins: Likewise.
        views: Likewise.
        peak_sum: Change of the sum of the broadcasts' own peaks.
        broadcasts: How many more ever belonged to it.
        live: How many more are live.
        newest: The newest minute of those broadcasts whose newest minute changed; -1 for none.
    """

    minutes: dict[int, int]
    known: dict[int, int]
    viewer_minutes: int = 0
    joins: int = 0
    views: int = 0
    peak_sum: int = 0
    broadcasts: int = 0
    live: int = 0
    newest: int = -1

    @property
    def is_empty(self) -> bool:
        """Whether it changes nothing."""
        return self == _NOTHING

    def add(self, other: Difference) -> None:
        """Take another difference into this one."""
        minutes = self.minutes
        for minute, change in other.minutes.items():
            minutes[minute] = minutes.get(minute, 0) + change
        known = self.known
        for minute, change in other.known.items():
            known[minute] = known.get(minute, 0) + change
        self.viewer_minutes += other.viewer_minutes
        self.joins += other.joins
        self.views += other.views
        self.peak_sum += other.peak_sum
        self.broadcasts += other.broadcasts
        self.live += other.live
        self.newest = max(self.newest, other.newest)


_NOTHING: Final = Difference({}, {})


def standing(row: Row | None) -> Standing:
    """What a broadcast adds to its scopes; None for one of which there is no row yet."""
    if row is None:
        return Standing({}, 0, 0, 0, 0, 0, 0, -1)
    newest = row.newest
    observed = observations(row)
    minutes = {minute: audience for minute, audience, _ in observed}
    viewer_minutes = row.viewer_minutes + sum(minutes.values())
    for before, until, audience in carried(row, observed, newest + row.carry):
        for minute in range(before + 1, until + 1):
            minutes[minute] = audience
        if before < newest:
            viewer_minutes += audience * (min(until, newest) - before)
    if row.suppressed and row.released:
        minutes.update(row.suppressed)
        viewer_minutes += sum(row.suppressed.values())
    joined, viewed = joins(row), views(row)
    return Standing(
        minutes,
        viewer_minutes,
        joined,
        joined if viewed is None else viewed,
        max([high for _, _, high in observed] + [row.peak or 0]),
        1,
        1 if row.ended_at is None else 0,
        newest,
    )


def difference(before: Standing, row: Row) -> Difference:
    """What changed since `before` was taken; to be asked before the row is settled.

    Args:
        before: The row's standing when it was last settled.
        row: The row, with the events of a batch accepted.
    """
    after = standing(row)
    was, minutes, known = before.minutes, {}, {}
    for minute, audience in after.minutes.items():
        old = was.get(minute)
        if old is None:
            known[minute] = 1
            if audience:
                minutes[minute] = audience
        elif audience != old:
            minutes[minute] = audience - old
    for minute in was.keys() - after.minutes.keys():
        known[minute] = -1
        if was[minute]:
            minutes[minute] = -was[minute]
    return Difference(
        minutes,
        known,
        after.viewer_minutes - before.viewer_minutes,
        after.joins - before.joins,
        after.views - before.views,
        after.peak - before.peak,
        after.broadcasts - before.broadcasts,
        after.live - before.live,
        after.newest if after.newest != before.newest else -1,
    )


def retire(row: Row) -> Difference:
    """What changes when a broadcast becomes final: it is no longer live, all else stays."""
    return Difference({}, {}, live=0 if row.ended_at is not None else -1)
