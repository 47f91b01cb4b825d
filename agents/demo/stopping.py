"""Ends the demo in order on Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Stop:
    """Whether the demo has been told to stop."""

    asked = False


@contextmanager
def stopping() -> Iterator[Stop]:
    """Cancel the current task at the first SIGINT or SIGTERM, and pass over those that follow.

    Another one would break off the orderly end, and that has its deadlines. Where a loop takes no
    handlers (Windows), asyncio itself cancels the task on Ctrl-C.
    """
    task = asyncio.current_task()
    assert task is not None
    stop = Stop()

    def ask() -> None:
        if not stop.asked:
            stop.asked = True
            task.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, ask)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):
                loop.remove_signal_handler(number)
