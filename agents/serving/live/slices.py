"""Long work on the event loop, in slices short enough that the batches do not notice."""

from __future__ import annotations

import asyncio
import time

#: How long one slice of work may hold the loop, in seconds; it ends at the next look at the clock.
SLICE = 0.002

#: Where the others took longer, a slice may take this share of that, up to the limit: else a scrape
#: would wait for hundreds of batches when they are largest.
_SHARE = 0.25
_LONGEST = 0.04


class TimeSlice:
    """Takes turns with everything else that runs on the loop.

    Call `pause` between small pieces of work, of a tenth of a millisecond or so each: it costs
    next to nothing until the slice is used up.
    """

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until = time.perf_counter() + SLICE

    async def yield_if_over(self) -> None:
        """Let the others run if this slice is used up."""
        now = time.perf_counter()
        if now >= self._until:
            await asyncio.sleep(0)
            back = time.perf_counter()
            self._until = back + min(_LONGEST, max(SLICE, _SHARE * (back - now)))
