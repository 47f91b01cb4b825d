"""A scope: what all deltas of its broadcasts add up to (contract, section 4).

    scope = ScopeUpdate(head, load)      # load(n) gives chunk n to change
    for delta in batch: scope.add(delta, history)
    scope.update_head()                  # then head and chunks say what the scope's figures are

A minute's audience is one number, in chunks of `CHUNK` minutes. The head has everything else, the
greatest audience of each chunk too, so that all figures are read off the head, and a delta rewrites
the head and the chunks that it touches.

A minute is closed once the scope's minute is more than the history past it. What comes then counts
in the sums, and the audience it has by then is all that the peak will ever see of it. Whether it is
closed is decided by the scope's minute *before* the delta that brings it. So nothing is missed
because of what it happened to be read together with.

No minute after the scope's own can have a greater audience than that: there all is carried. So the
peak of all minutes is that of those that have come.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from streams.audience.bounds import LARGEST_SUM, held
from streams.summaries import ScopeSummary, minute_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.audience.scope_delta import ScopeDelta

CHUNK: Final = 240
"""Minutes of one chunk: chunk `n` has the minutes from `n * CHUNK`. It cannot be changed without a
new format: the sum of what a change of 8 days' history rewrites is least near the square root of
twice its minutes."""


def chunk_key(scope: bytes, number: int) -> bytes:
    """The key of a scope's chunk: no scope's name has a slash."""
    return b"%b/%d" % (scope, number)


class ScopeChunk(msgspec.Struct, array_like=True, tag="c2", forbid_unknown_fields=True, gc=False):
    """The audiences of a stretch of minutes, of those in which one is known.

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

    def peak(self) -> tuple[int, int]:
        """The greatest audience, and the earliest minute that reached it.

        Raises:
            ValueError: none is known.
        """
        peak = max(self.minutes.values())
        return peak, min([minute for minute, there in self.minutes.items() if there == peak])


class ScopeHead(msgspec.Struct, array_like=True, tag="h2", forbid_unknown_fields=True, gc=False):
    """All figures of a scope, and what it takes to know its peak.

    Attributes:
        publish_pending: Whether its figures have changed since they were last published.
        published_at: When that was, in wall-clock milliseconds since 1970 UTC; 0 for never.
        minute: The newest that was ever the last minute of one of its broadcasts; -1 before.
        timestamp: Newest Kafka timestamp of their records, in milliseconds.
        viewers_sum: Viewers of those that are live and fresh.
        contributing: How many have a part in that.
        fresh: How many are fresh.
        viewer_minutes: Sum.
        joins: Sum.
        views: Sum of views where given, else of joins.
        peak_sum: Sum of the broadcasts' own peaks.
        broadcasts: How many runs belong to it.
        live: How many are live.
        closed: The last closed minute; -1 for none. It stays closed if the setting changes.
        closed_peak: Greatest audience of the chunks that are no longer there; None if unknown.
        closed_peak_minute: The earliest minute that reached it.
        chunks: For each chunk the greatest audience of its minutes, and how many minutes after its
            first that was reached.
    """

    publish_pending: bool = False
    published_at: int = 0
    minute: int = -1
    timestamp: int = -1
    viewers_sum: int = 0
    contributing: int = 0
    fresh: int = 0
    viewer_minutes: int = 0
    joins: int = 0
    views: int = 0
    peak_sum: int = 0
    broadcasts: int = 0
    live: int = 0
    closed: int = -1
    closed_peak: int | None = None
    closed_peak_minute: int = -1
    chunks: dict[int, tuple[int, int]] = {}

    @property
    def viewers(self) -> int | None:
        """Viewers now; None where no broadcast has a part in them."""
        return self.viewers_sum if self.contributing else None

    @property
    def is_active(self) -> bool:
        """Whether anything of it is live or fresh; else it leaves `/metrics`."""
        return self.live > 0 or self.fresh > 0

    def peak(self) -> tuple[int, int] | None:
        """The greatest audience over all minutes, and the earliest minute that reached it."""
        best = self.closed_peak
        minute = self.closed_peak_minute
        for number, (audience, offset) in self.chunks.items():
            if best is None or audience > best:
                best, minute = audience, number * CHUNK + offset
            elif audience == best:
                minute = min(minute, number * CHUNK + offset)
        return None if best is None else (best, minute)


class ScopeUpdate:
    """A scope while a batch changes it.

    Args:
        head: Its head, to be changed.
        load: Gives the chunk of a number, to be changed; an empty one where there is none.

    Attributes:
        head: All its figures, once updated.
        changed: The chunks that were changed, once updated; None where one is to be deleted.
    """

    __slots__ = ("_before", "_closed", "_load", "changed", "head")

    def __init__(self, head: ScopeHead, load: Callable[[int], ScopeChunk]) -> None:
        self.head = head
        self.changed: dict[int, ScopeChunk | None] = {}
        self._load = load
        self._before = _sums(head)
        self._closed = head.closed

    def add(self, delta: ScopeDelta, history: int) -> int:
        """Take in what a batch of viewer events changed.

        Args:
            delta: What it changed; its `known` is used up.
            history: How many minutes before the scope's minute stay open.

        Returns:
            How many closed minutes it would have changed.
        """
        head = self.head
        head.viewer_minutes = _add(head.viewer_minutes, delta.viewer_minutes)
        head.joins = _add(head.joins, delta.joins)
        head.views = _add(head.views, delta.views)
        head.peak_sum = _add(head.peak_sum, delta.peak_sum)
        head.viewers_sum = _add(head.viewers_sum, delta.viewers)
        head.broadcasts += delta.broadcasts
        head.live += delta.live
        head.contributing += delta.contributing
        head.fresh += delta.fresh
        closed, missed, number = head.closed, 0, -1
        known = delta.known
        for minute, audience in delta.minutes.items():
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
        if delta.minute > head.minute:
            head.minute = delta.minute
            head.closed = max(closed, delta.minute - history - 1)
        head.timestamp = max(head.timestamp, delta.timestamp)
        return missed

    def expire(self) -> None:
        """Close all minutes: there was no news for as long as the history. The head stays.

        No figure changes. To be called alone, in place of `add` and `update_head`.
        """
        head = self.head
        last = max(head.chunks, default=None)
        if last is not None:
            head.closed = max(
                head.closed, head.minute, last * CHUNK + max(self._chunk(last).minutes)
            )
        self._close(set(head.chunks))

    def _chunk(self, number: int) -> ScopeChunk:
        """The chunk of a number, to be changed."""
        chunk = self.changed.get(number)
        if chunk is None:
            chunk = self.changed[number] = self._load(number)
        return chunk

    def update_head(self) -> bool:
        """Bring the head up to what the chunks hold; to be called once, after all deltas.

        Returns:
            Whether any figure of its summary has changed.
        """
        head, changed, chunks = self.head, self.changed, self.head.chunks
        is_same = self._before == _sums(head)
        # Most often the sums tell already; else the peak may.
        before = head.peak() if is_same else None
        for number, chunk in changed.items():
            assert chunk is not None, "updated twice"
            if chunk.minutes:
                chunks[number] = chunk.peak()
            else:
                chunks.pop(number, None)
                changed[number] = None
        if head.closed > self._closed:
            first_open = (head.closed + 1) // CHUNK
            self._close({number for number in chunks if number < first_open})
        return not is_same or before != head.peak()

    def _close(self, numbers: set[int]) -> None:
        """Keep of chunks whose minutes are all closed their peak alone."""
        head = self.head
        for number in sorted(numbers):
            audience, offset = head.chunks.pop(number)
            if head.closed_peak is None or audience > head.closed_peak:
                head.closed_peak = audience
                head.closed_peak_minute = number * CHUNK + offset
            self.changed[number] = None


def _add(had: int, by: int) -> int:
    """A sum and what is added to it, held at the bounds."""
    if by and (had >= LARGEST_SUM or not -LARGEST_SUM < had + by < LARGEST_SUM):
        return held(had, by)
    return had + by


def _sums(head: ScopeHead) -> tuple[int | None, ...]:
    """Those figures of the summary that deltas are added to, the scope's minute first."""
    return (
        head.minute,
        head.viewers,
        head.viewer_minutes,
        head.joins,
        head.views,
        head.peak_sum,
        head.broadcasts,
        head.live,
    )


#: Ten thousand scopes are in the same few minutes.
_minute_text = lru_cache(maxsize=4_096)(minute_text)


def scope_summary(name: str, head: ScopeHead) -> ScopeSummary:
    """What is published of a scope that has had an event.

    Args:
        name: `world`, or its kind and name: `venue:louvre`.
        head: Its figures.
    """
    kind, _, name = name.partition(":")
    peak = head.peak()
    return ScopeSummary(
        scope=kind,  # type: ignore[arg-type]  # the kinds are those that the agents write
        name=name,
        minute=_minute_text(head.minute),
        viewers=head.viewers,
        peak=None if peak is None else peak[0],
        peak_at=None if peak is None else _minute_text(peak[1]),
        peak_sum=head.peak_sum,
        viewer_minutes=head.viewer_minutes,
        joins=head.joins,
        views=head.views,
        broadcasts=head.broadcasts,
        live=head.live,
    )
