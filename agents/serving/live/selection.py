"""What is exported one by one: the largest, without flicker at the edge."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

from agents.serving.live.store import viewers_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from agents.serving.live.store import QueryableStore

# One that is in counts a quarter more when places are given out: it leaves when it has fallen below
# 4/5 of one that is out. In whole numbers, and with equals the one that is in stays.
_IN, _OUT = 5, 4

#: Keys of what was chosen, by partition.
Chosen = dict[int, list[bytes]]

#: How it stands when places are given out, its key and its partition.
Candidate = tuple[int, bytes, int]

_NOBODY: Candidate = (-2, b"", -1)


class TopSelection:
    """Chooses the `top` largest broadcasts, or scopes, by viewers; unknown viewers count as 0.

    If there are no more than `top`, all are in. Else places go to the largest, where one that is in
    already counts with 5/4 of its viewers: it leaves when it is below 80 % of the smallest that
    would take its place. There are never more than `top`, and one that is larger by a quarter than
    any that is in is never left out.

    Args:
        live: Where to choose from.
        top: How many at most.
        always: Tells which are in however small they are, even if they are more than `top`: 0 for
            those that are not, and more for those that are before others. They take places that
            others would have had. None: there are no such.
        most_always: So many of those at most, by that number, then the largest, without flicker
            too: producers name as many platforms as they like. The rest are among all others.
        only_active: Leave out those whose number is negative: they are over.

    Attributes:
        count: How many were chosen last, for each partition that was shown then.
    """

    def __init__(
        self,
        live: QueryableStore[Any, Any],
        top: int,
        always: Callable[[bytes], int] | None = None,
        most_always: int = 100,
        *,
        only_active: bool = False,
    ) -> None:
        self._live = live
        self._top = top
        self._always = always
        self._most_always = most_always
        self._only_active = only_active
        self._selected: frozenset[bytes] = frozenset()
        self.count: dict[int, int] = {}

    async def select(self) -> Chosen:
        """Choose anew; the loop runs on meanwhile."""
        chosen = await (self._all() if len(self._live) <= self._top else self._largest())
        self._selected = frozenset(key for keys in chosen.values() for key in keys)
        self.count = {number: len(chosen.get(number, ())) for number in self._live.partitions}
        return chosen

    async def _all(self) -> Chosen:
        chosen: Chosen = {}
        left = self._top  # more may come while this goes on; the next choice puts that right
        async for number, found in self._live.chunks():
            keys = [key for key, shown in found if shown >= 0 or not self._only_active]
            chosen.setdefault(number, []).extend(keys[:left])
            left = max(0, left - len(keys))
        return chosen

    async def _largest(self) -> Chosen:
        inside, top, always = self._selected, self._top, self._always
        chosen: Chosen = {}
        heap: list[Candidate] = []
        always_in: list[tuple[int, Candidate]] = []
        floor = -1  # the least that still gets in, -1 while there is room
        async for number, found in self._live.chunks():
            for key, value in found:
                if value < 0 and self._only_active:
                    continue
                viewers = viewers_of(value) if value < 0 else value
                score = viewers * _IN + 1 if key in inside else viewers * _OUT
                candidate = (score, key, number)
                if always is not None and (rank := always(key)):
                    candidate = _let_in(always_in, self._most_always, rank, candidate)
                if candidate[0] < floor or candidate is _NOBODY:
                    continue
                if len(heap) < top:
                    heapq.heappush(heap, candidate)
                elif heap:
                    heapq.heappushpop(heap, candidate)
                    floor = heap[0][0]
        for _, (_, key, number) in always_in:
            chosen.setdefault(number, []).append(key)
        left = max(0, top - sum(map(len, chosen.values())))
        for _, key, number in heap if left >= top else heapq.nlargest(left, heap):
            chosen.setdefault(number, []).append(key)
        return chosen


def _let_in(
    heap: list[tuple[int, Candidate]], most: int, rank: int, candidate: Candidate
) -> Candidate:
    """Take in one of those that are always in; give the one for whom there is no place."""
    if len(heap) < most:
        heapq.heappush(heap, (rank, candidate))
        return _NOBODY
    return heapq.heappushpop(heap, (rank, candidate))[1]
