"""A scope: what all differences of its broadcasts add up to (contract, section 4).

    scope = Scope(head, load)        # load(n) gives chunk n to change
    for change in batch: scope.add(change, history)
    scope.settle()                   # then head and chunks say what the scope's figures are

A minute's audience is one number, in chunks of `CHUNK` minutes. The head has everything else, the
greatest audience of each chunk too, so that all figures are read off the head, and a change
rewrites the head and the chunks that it touches.

A minute is closed once the scope's newest is more than the history past it. What comes then counts
in the sums, and the audience it has by then is all that the peak will ever see of it. Whether it is
closed is judged by the newest minute *before* the change that brings it: a batch of events that
jumps ahead by more than the history closes what lies behind, itself included, only for what comes
after it. So nothing is missed because of what it happened to be read together with.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from streams.audience.bounds import (
    LARGEST_SUM,
    Amount,
    Count,
    MinuteNumber,
    NewestMinute,
    Timestamp,
    held,
)
from streams.audience.difference import add_sums, by_minute
from streams.summaries import ScopeSummary, minute_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.audience.difference import Difference

CHUNK: Final = 240
"""Minutes of one chunk: chunk `n` has the minutes from `n * CHUNK`. It cannot be changed without a
new format: the sum of what a change of 8 days' history rewrites is least near the square root of
twice its minutes."""


class Change(msgspec.Struct, array_like=True, tag="d1", forbid_unknown_fields=True, gc=False):
    """What one batch of viewer events changes in one scope: a record on its way to it.

    The fields are those of `Difference`, its steps added up. They are the format of the topic.

    Attributes:
        minutes: By how much the audience of a minute changes.
        known: By how many more broadcasts an audience is known in a minute.
        viewer_minutes: Change of the sum.
        joins: Likewise.
        views: Likewise.
        peak_sum: Likewise.
        broadcasts: How many more ever belonged to it.
        live: How many more are live.
        newest: The newest minute of the broadcasts whose newest minute changed; -1 for none.
        timestamp: Newest Kafka timestamp of their records, in milliseconds; -1 for none.
    """

    minutes: dict[MinuteNumber, Amount]
    known: dict[MinuteNumber, Count]
    viewer_minutes: Amount = 0
    joins: Amount = 0
    views: Amount = 0
    peak_sum: Amount = 0
    broadcasts: Count = 0
    live: Count = 0
    newest: NewestMinute = -1
    timestamp: Timestamp = -1

    @staticmethod
    def of(total: Difference) -> Change | None:
        """What a difference comes to, minute by minute; None if nothing changes."""
        change = Change(
            by_minute(total.audience),
            by_minute(total.known),
            total.viewer_minutes,
            total.joins,
            total.views,
            total.peak_sum,
            total.broadcasts,
            total.live,
            total.newest,
            total.timestamp,
        )
        is_nothing = not (
            change.minutes
            or change.known
            or change.newest >= 0
            or change.viewer_minutes
            or change.joins
            or change.views
            or change.peak_sum
            or change.broadcasts
            or change.live
        )
        return None if is_nothing else change


class Chunk(msgspec.Struct, array_like=True, tag="c1", forbid_unknown_fields=True, gc=False):
    """The audiences of a span of minutes, of those in which one is known.

    Attributes:
        minutes: Minutes since the chunk's first to audiences.
        known: In how many broadcasts it is known, where that is not one.
    """

    minutes: dict[int, int] = {}
    known: dict[int, int] = {}

    def add(self, offset: int, audience: int, known: int) -> None:
        """Change the audience of a minute, and in how many broadcasts one is known."""
        had = self.minutes.get(offset)
        if had is not None:
            audience += had
            if not -LARGEST_SUM <= audience <= LARGEST_SUM:
                audience = held(had, audience - had)
            known += self.known.get(offset, 1)
        if known:
            self.minutes[offset] = audience
        else:
            self.minutes.pop(offset, None)
        if known > 1:
            self.known[offset] = known
        elif self.known:
            self.known.pop(offset, None)

    def greatest(self, end: int) -> tuple[int, int] | None:
        """The greatest audience of the minutes up to `end`, and the earliest that reached it."""
        minutes = self.minutes
        if not minutes:
            return None
        peak = max(minutes.values())
        first = min([offset for offset, audience in minutes.items() if audience == peak])
        if first <= end:
            return peak, first
        # It is reached only where the newest minute has not come yet.
        until = {offset: audience for offset, audience in minutes.items() if offset <= end}
        return Chunk(until).greatest(end)


class Head(msgspec.Struct, array_like=True, tag="h1", forbid_unknown_fields=True, gc=False):
    """All figures of a scope, and what it takes to know its peak.

    Attributes:
        due: Whether its figures have changed since they were last published.
        published: When that was, in wall-clock milliseconds since 1970 UTC; 0 for never.
        newest: The newest minute of any of its broadcasts; -1 before the first.
        timestamp: Newest Kafka timestamp of their records, in milliseconds.
        audience: In that minute; None if nobody's is known.
        viewer_minutes: Sum.
        joins: Sum.
        views: Sum of views where given, else of joins.
        peak_sum: Sum of the broadcasts' own peaks.
        broadcasts: How many ever belonged to it.
        live: How many are live.
        closed: The last closed minute; -1 for none. It stays closed if the setting changes.
        closed_peak: Greatest audience of the chunks that are no longer there; None if unknown.
        closed_peak_minute: The earliest minute that reached it.
        chunks: For each chunk the greatest audience of its minutes up to `newest`, and how many
            minutes after its first that was reached; None if all that is known comes after.
    """

    due: bool = False
    published: int = 0
    newest: int = -1
    timestamp: int = -1
    audience: int | None = None
    viewer_minutes: int = 0
    joins: int = 0
    views: int = 0
    peak_sum: int = 0
    broadcasts: int = 0
    live: int = 0
    closed: int = -1
    closed_peak: int | None = None
    closed_peak_minute: int = -1
    chunks: dict[int, tuple[int, int] | None] = {}

    def peak(self) -> tuple[int, int] | None:
        """The greatest audience over all minutes, and the earliest minute that reached it."""
        best = self.closed_peak
        minute = self.closed_peak_minute
        for number, greatest in self.chunks.items():
            if greatest is None:
                continue
            audience, offset = greatest
            if best is None or audience > best:
                best, minute = audience, number * CHUNK + offset
            elif audience == best:
                minute = min(minute, number * CHUNK + offset)
        return None if best is None else (best, minute)


class Scope:
    """A scope while a batch changes it.

    Args:
        head: Its head, to be changed.
        load: Gives the chunk of a number, to be changed; an empty one where there is none.
        peek: Gives the chunk of a number that is there, to be looked at.

    Attributes:
        head: All its figures, once settled.
        changed: The chunks that were changed, once settled; None where one is to be deleted.
    """

    __slots__ = ("_before", "_closed", "_load", "_peek", "changed", "head")

    def __init__(
        self, head: Head, load: Callable[[int], Chunk], peek: Callable[[int], Chunk]
    ) -> None:
        self.head = head
        self.changed: dict[int, Chunk | None] = {}
        self._load = load
        self._peek = peek
        self._before = _sums(head)
        self._closed = head.closed

    def add(self, change: Change, history: int) -> int:
        """Take in what a batch of viewer events changed.

        Args:
            change: What it changed; its `known` is used up.
            history: How many minutes before the newest one stay open.

        Returns:
            How many closed minutes it would have changed.
        """
        head = self.head
        had = head.viewer_minutes, head.joins, head.views, head.peak_sum
        add_sums(head, change)
        if LARGEST_SUM in had or not (
            -LARGEST_SUM < head.viewer_minutes < LARGEST_SUM
            and -LARGEST_SUM < head.joins < LARGEST_SUM
            and -LARGEST_SUM < head.views < LARGEST_SUM
            and -LARGEST_SUM < head.peak_sum < LARGEST_SUM
        ):
            _hold(head, had, change)
        closed, missed, number = head.closed, 0, -1
        known = change.known
        for minute, audience in change.minutes.items():
            count = known.pop(minute, 0) if known else 0
            if minute <= closed:
                missed += 1
                continue
            if minute // CHUNK != number:
                number = minute // CHUNK
                chunk = self._chunk(number)
            chunk.add(minute - number * CHUNK, audience, count)
        for minute, count in known.items():
            if minute <= closed:
                missed += 1
            else:
                self._chunk(minute // CHUNK).add(minute % CHUNK, 0, count)
        if change.newest > head.newest:
            head.newest = change.newest
            head.closed = max(closed, change.newest - history - 1)
        head.timestamp = max(head.timestamp, change.timestamp)
        return missed

    def _chunk(self, number: int) -> Chunk:
        """The chunk of a number, to be changed."""
        chunk = self.changed.get(number)
        if chunk is None:
            chunk = self.changed[number] = self._load(number)
        return chunk

    def settle(self) -> bool:
        """Bring the head up to what the chunks hold; to be called once, after all changes.

        Returns:
            Whether any of its figures has changed.
        """
        head, changed, chunks = self.head, self.changed, self.head.chunks
        newest, old_newest = head.newest, self._before[0]
        is_same = self._before == _sums(head)
        # Most often the sums tell already; else the peak may.
        before = (head.peak(), head.audience) if is_same else None
        for number, chunk in changed.items():
            assert chunk is not None, "settled twice"
            if chunk.minutes:
                chunks[number] = chunk.greatest(newest - number * CHUNK)
            else:
                chunks.pop(number, None)
                changed[number] = None
        # Minutes that were ahead of the newest count from when it reaches them.
        if newest > old_newest:
            first, last = old_newest // CHUNK, newest // CHUNK
            for number in [n for n in chunks if first <= n <= last and n not in changed]:
                chunks[number] = self._peek(number).greatest(newest - number * CHUNK)
        if head.closed > self._closed:
            self._close()
        head.audience = None
        if newest // CHUNK in chunks:
            chunk = changed.get(newest // CHUNK) or self._peek(newest // CHUNK)
            head.audience = chunk.minutes.get(newest % CHUNK)
        return not is_same or before != (head.peak(), head.audience)

    def _close(self) -> None:
        """Keep of chunks whose minutes are all closed their peak alone."""
        head = self.head
        first_open = (head.closed + 1) // CHUNK
        for number in sorted([number for number in head.chunks if number < first_open]):
            greatest = head.chunks.pop(number)
            if greatest is not None and (
                head.closed_peak is None or greatest[0] > head.closed_peak
            ):
                head.closed_peak = greatest[0]
                head.closed_peak_minute = number * CHUNK + greatest[1]
            self.changed[number] = None


def _hold(head: Head, had: tuple[int, int, int, int], change: Change) -> None:
    """Hold the sums of a head at their bounds: they are as they were, and a change is added."""
    head.viewer_minutes = held(had[0], change.viewer_minutes)
    head.joins = held(had[1], change.joins)
    head.views = held(had[2], change.views)
    head.peak_sum = held(had[3], change.peak_sum)


def _sums(head: Head) -> tuple[int, ...]:
    """Those figures that changes are added to, the newest minute first."""
    return (
        head.newest,
        head.viewer_minutes,
        head.joins,
        head.views,
        head.peak_sum,
        head.broadcasts,
        head.live,
    )


#: Ten thousand scopes are in the same few minutes.
_minute_text = lru_cache(maxsize=4_096)(minute_text)


def scope_summary(name: str, head: Head) -> ScopeSummary:
    """What is published of a scope that has had an event.

    Args:
        name: `world`, or its kind and name: `venue:louvre`.
        head: Its figures.
    """
    kind, _, name = name.partition(":")
    peak = head.peak()
    return ScopeSummary(
        scope=kind,  # type: ignore[arg-type]  # the kinds are those that agents.pipeline.broadcasts.deltas writes
        name=name,
        minute=_minute_text(head.newest),
        audience=head.audience,
        peak=None if peak is None else peak[0],
        peak_at=None if peak is None else _minute_text(peak[1]),
        peak_sum=head.peak_sum,
        viewer_minutes=head.viewer_minutes,
        joins=head.joins,
        views=head.views,
        broadcasts=head.broadcasts,
        live=head.live,
    )
