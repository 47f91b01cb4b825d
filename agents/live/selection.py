"""What is exported one by one: the largest, without flicker at the edge."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

from agents.live.owned import viewers_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from agents.live.owned import Owned

# One that is in counts a quarter more when places are given out: it leaves when it has fallen below
# 4/5 of one that is out. In whole numbers, and with equals the one that is in stays.
_IN, _OUT = 5, 4

#: Keys of what was chosen, by partition.
Chosen = dict[int, list[bytes]]


class Selection:
    """Chooses the `top` largest broadcasts, or scopes, by viewers; unknown viewers count as 0.

    If there are no more than `top`, all are in. Else places go to the largest, where one that is in
    already counts with 5/4 of its viewers: it leaves when it is below 80 % of the smallest that
    would take its place. There are never more than `top`, and one that is larger by a quarter than
    any that is in is never left out.

    Args:
        live: Where to choose from.
        top: How many at most.
        always: Tells which are in however small they are, even if they are more than `top`. They
            take places that others would have had. None: there are no such.

    Attributes:
        count: How many were chosen last, for each partition that was shown then.
    """

    def __init__(
        self, live: Owned[Any, Any], top: int, always: Callable[[bytes], bool] | None = None
    ) -> None:
        self._live = live
        self._top = top
        self._always = always
        self._inside: frozenset[bytes] = frozenset()
        self.count: dict[int, int] = {}

    async def choose(self) -> Chosen:
        """Choose anew; the loop runs on meanwhile."""
        chosen = await (self._all() if len(self._live) <= self._top else self._largest())
        self._inside = frozenset(key for keys in chosen.values() for key in keys)
        self.count = {number: len(chosen.get(number, ())) for number in self._live.partitions}
        return chosen

    async def _all(self) -> Chosen:
        chosen: Chosen = {}
        left = self._top  # more may come while this goes on; the next choice puts that right
        async for number, _, keys in self._live.chunks():
            chosen.setdefault(number, []).extend(keys[:left])
            left = max(0, left - len(keys))
        return chosen

    async def _largest(self) -> Chosen:
        inside, top, always = self._inside, self._top, self._always
        chosen: Chosen = {}
        heap: list[tuple[int, bytes, int]] = []
        floor = -1  # the least that still gets in, -1 while there is room
        async for number, numbers, keys in self._live.chunks():
            get = numbers.get
            for key in keys:
                value = get(key)
                if value is None:
                    continue
                if always is not None and always(key):
                    chosen.setdefault(number, []).append(key)
                    continue
                viewers = viewers_of(value) if value < 0 else value
                score = viewers * _IN + 1 if key in inside else viewers * _OUT
                if score < floor:
                    continue
                if len(heap) < top:
                    heapq.heappush(heap, (score, key, number))
                elif heap:
                    heapq.heappushpop(heap, (score, key, number))
                    floor = heap[0][0]
        left = max(0, top - sum(map(len, chosen.values())))
        for _, key, number in heap if left >= top else heapq.nlargest(left, heap):
            chosen.setdefault(number, []).append(key)
        return chosen
