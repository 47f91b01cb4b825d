"""Where the wall clock is read, so that tests can set it."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def time(self) -> float:
        """Seconds since 1970 UTC."""
        ...


class SystemClock:
    """The clock of this machine."""

    def time(self) -> float:
        """Seconds since 1970 UTC, as this machine has them."""
        return time.time()


class ManualClock:
    """A clock that stands still until it is moved.

    Args:
        now: seconds since 1970 UTC at which it starts.
    """

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def time(self) -> float:
        """Seconds since 1970 UTC, as last set."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Move the clock ahead by `seconds`, or back if that is negative."""
        self.now += seconds
