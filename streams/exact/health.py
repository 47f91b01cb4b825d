"""For how long a source has been deaf: neither fetches nor its group were answered. Pure.

Each session has deadlines of its own, and another one follows. What goes wrong in all of them, such
as a fetch task that dies again and again, shows only over several.
"""

from __future__ import annotations


class HealthWatch:
    """Adds up, over sessions, for how long nothing was heard.

    A restore is no silence: it has a deadline of its own, and may take long. All times are of a
    monotonic clock, in seconds.

    Args:
        now: The time.
    """

    def __init__(self, now: float) -> None:
        self._looked = now
        self._silent = 0.0

    def look(self, now: float, *, heard: bool, restoring: bool) -> None:
        """Take note of how a session stands; to be called a few times a second.

        Args:
            now: The time.
            heard: Whether a fetch was answered lately, or what was fetched is being processed; of
                a worker without partitions, whether the group's coordinator answers.
            restoring: Whether rows are being read back.
        """
        if heard:
            self._silent = 0.0
        elif not restoring:
            self._silent += now - self._looked
        self._looked = now

    def silent(self, now: float) -> float:
        """Return for how long nothing was heard, in seconds."""
        return self._silent + now - self._looked
