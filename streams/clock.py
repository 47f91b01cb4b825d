"""Where clocks are read, so that tests can set them."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def time(self) -> float:
        """Seconds since 1970 UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment, by a clock that nobody sets: to measure waits by."""
        ...


class SystemClock:
    """The clock of this machine."""

    def time(self) -> float:
        """Seconds since 1970 UTC, as this machine has them."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some moment of this machine's."""
        return time.monotonic()


class ManualClock:
    """A clock that stands still until it is moved.

    Args:
        now: seconds since 1970 UTC at which it starts.
    """

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self._passed = 0.0

    def time(self) -> float:
        """Seconds since 1970 UTC, as last set."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass; where that is negative, the wall clock alone is set back."""
        self.now += seconds
        self._passed += max(0.0, seconds)

    def monotonic(self) -> float:
        """Seconds that have passed."""
        return self._passed

    def step(self, seconds: float) -> None:
        """Set the wall clock ahead or back, while no time passes."""
        self.now += seconds
