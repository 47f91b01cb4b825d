"""What runs for the length of a `with` block, in threads or in asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Self

from agents.broker.errors import EmbeddedBrokerError


class Block:
    """Starts when a block is entered, and is gone when it is left.

    A subclass gives up its `start` soon after `_abandoned` is set.
    """

    def __init__(self) -> None:
        self._abandoned = threading.Event()

    def start(self) -> None:
        """Start; takes a while.

        Raises:
            EmbeddedBrokerError: It could not, or was given up.
        """
        raise NotImplementedError

    def stop(self) -> None:
        """Stop in order; nothing is left running."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        starting = asyncio.ensure_future(asyncio.to_thread(self.start))
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            # The thread goes on by itself: wait until nothing is left running.
            self._abandoned.set()
            with contextlib.suppress(EmbeddedBrokerError):
                await starting
            await asyncio.to_thread(self.stop)
            self._abandoned.clear()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.shield(asyncio.to_thread(self.stop))
