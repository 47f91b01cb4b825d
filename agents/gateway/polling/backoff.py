"""How long to leave a platform alone after it has failed or refused. Pure."""

from __future__ import annotations

from typing import Final

from agents.gateway.polling.spread import between

_FIRST: Final = 2.0
_LONGEST: Final = 300.0
#: However long a platform asks to be left alone, it is tried again after so many seconds.
_LONGEST_ASKED: Final = 3600.0
_DOUBLED_AT_MOST: Final = 12


class Backoff:
    """Pauses that double with each failure in a row, spread so that gateways do not meet.

    Args:
        seed: makes the spread this gateway's own.
    """

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self.failures = 0

    def worked(self) -> None:
        """Begin anew: the platform answers."""
        self.failures = 0

    def failed(self, asked: float | None = None) -> float:
        """Take note of a failure.

        Args:
            asked: for how many seconds the platform asks to be left alone, if it says so.

        Returns:
            How long to leave it alone, in seconds: never shorter than it asks, up to an hour.
        """
        doubled = _FIRST * 2.0 ** min(self.failures, _DOUBLED_AT_MOST)
        self.failures += 1
        part = between(f"{self._seed}:{self.failures}")
        pause = min(_LONGEST, doubled) * (0.5 + part / 2)
        if asked is None:
            return pause
        return min(_LONGEST_ASKED, max(0.0, asked) + _FIRST * part) if asked >= pause else pause
