"""Searches: each looks at everything that the worker owns, so they are bounded."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

from agents.serving.web.responses import unavailable

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

#: How long a search may take, the time in which it waits for others included, in seconds.
_SECONDS: Final = 20.0
#: How many may wait.
_WAITING: Final = 16


class Searches:
    """Runs one search at a time; few wait, none for long.

    A search whose client goes away is cancelled with its request, and gives way to the next.

    Args:
        seconds: How long one may take at most, waiting included.
        waiting: How many may wait.
    """

    def __init__(self, seconds: float = _SECONDS, waiting: int = _WAITING) -> None:
        self._seconds = seconds
        self._most = waiting
        self._waiting = 0
        self._running = asyncio.Lock()

    async def run(self, search: Coroutine[object, object, T]) -> T:
        """What the search gives.

        Raises:
            ProblemError: There are too many at once, or it took too long; the status is 503.
        """
        try:
            if self._waiting >= self._most:
                raise unavailable(f"{self._waiting} searches wait already: ask again later")
            async with asyncio.timeout(self._seconds):
                self._waiting += 1
                try:
                    await self._running.acquire()
                finally:
                    self._waiting -= 1
                try:
                    return await search
                finally:
                    self._running.release()
        except TimeoutError:
            raise unavailable(
                f"the search was given up after {self._seconds:g} s: the worker is busy, ask again "
                "later"
            ) from None
        finally:
            search.close()  # where it has not begun
