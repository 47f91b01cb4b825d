"""How fresh a partition's knowledge of its source is, and what it may say of its lag. Pure.

A reader with `isolation.level=read_committed` reaches the last stable offset and no further: what
lies behind it is of transactions that are still open. So the lag counts up to there.

What is known of the source is as old as the last fetch that was answered, with records or without.
When no fetch is answered the lag is unknown, which is not 0: it ages.
"""

from __future__ import annotations

from typing import NamedTuple

#: Knowledge older than this, in seconds, does not tell whether more is waiting.
FRESH_SECONDS = 5.0


class Lag(NamedTuple):
    """What waits in a partition.

    Attributes:
        records: How many offsets lie between what is committed and the last stable offset; None
            while that is unknown.
        seconds: For how long the oldest of them has waited, 0.0 where none does. While the lag is
            unknown: since when nothing is known to have waited.
    """

    records: int | None
    seconds: float


class FetchWatch:
    """Knows since when no fetch of a partition was answered.

    All times are of a monotonic clock, in seconds. What is looked at is aiokafka's time of the
    last answer (`last_poll_timestamp`). That is of the wall clock, so only its changes count.

    Args:
        now: The time.
    """

    def __init__(self, now: float) -> None:
        self._seen: int | None = None
        self._answered: float | None = None
        self._waiting = now

    def begin(self, polled: int | None, now: float) -> None:
        """Begin to wait for answers: those before were about another position.

        Args:
            polled: aiokafka's time of the last answer, None without one.
            now: The time.
        """
        self._seen = polled
        self._answered = None
        self._waiting = now

    def look(self, polled: int | None, now: float) -> None:
        """Take note of an answer, if there was one since the last look."""
        if polled is not None and polled != self._seen:
            self._seen = polled
            self._answered = now

    def busy(self, now: float) -> None:
        """Take note that nothing is fetched now, for what was fetched is still being processed."""
        self._waiting = now

    def age(self, now: float) -> float | None:
        """Return the seconds since the last answer, None before the first one."""
        return None if self._answered is None else now - self._answered

    def is_fresh(self, now: float) -> bool:
        """Say whether the last answer still tells what waits."""
        return self._answered is not None and now - self._answered <= FRESH_SECONDS

    def unanswered(self, now: float) -> float:
        """Return the seconds since an answer could have come, and none did."""
        answered = self._waiting if self._answered is None else self._answered
        return now - max(self._waiting, answered)


def lag(
    *,
    waiting: int | None,
    oldest: float | None,
    now: float,
    wall: float,
    caught_up_at: float,
    ever_caught_up: bool,
) -> Lag:
    """Work out the lag of a partition.

    Args:
        waiting: How many offsets wait, None where that is not known.
        oldest: Kafka's timestamp of the oldest waiting record or of one before it, in seconds;
            None where none was read yet.
        now: The time by a monotonic clock, in seconds.
        wall: The wall clock's, in seconds.
        caught_up_at: When nothing was known to wait for the last time, by the monotonic clock; if
            that never was, when the partition was assigned.
        ever_caught_up: Which of the two it is.
    """
    if waiting == 0:
        return Lag(0, 0.0)
    since = max(0.0, now - caught_up_at)
    if oldest is None or (waiting is None and ever_caught_up):
        return Lag(waiting, since)
    age = max(0.0, wall - oldest)
    # A record of an old time that came just now has not waited for longer than since just now.
    return Lag(waiting, min(age, since) if ever_caught_up else age)
