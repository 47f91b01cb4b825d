"""What is known of work that fails and is tried again, and when it is tried. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from streams.exact.errors import Unrecoverable


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something cannot go on.

    Attributes:
        reason: The last error, in words.
        tries: How often it has failed since it last went on.
        since: When it failed first since then, in seconds of a monotonic clock.
        at: The same by the wall clock, in seconds since 1970 UTC.
        pause: In how many seconds after the last failure it is tried again.
    """

    reason: str
    tries: int
    since: float
    at: float
    pause: float

    def described(self, now: float) -> str:
        """Return it in words; `now` is the monotonic clock's time, in seconds."""
        began = datetime.fromtimestamp(self.at, UTC).isoformat(timespec="seconds")
        return (
            f"failing for {now - self.since:.0f} s (since {began.replace('+00:00', 'Z')}, "
            f"{self.tries} times): {self.reason}"
        )


class Backoff:
    """Doubles the pause from one failure to the next, up to a bound, until something goes on.

    Args:
        first: The first pause, in seconds.
        longest: The longest one, in seconds.

    Attributes:
        failure: What is failing, None while all goes on.
    """

    def __init__(self, first: float, longest: float) -> None:
        self._first = first
        self._longest = longest
        self.failure: Failure | None = None

    def failed(self, reason: str, now: float, wall: float) -> Failure:
        """Take note of a failure.

        Args:
            reason: Why, in words.
            now: The monotonic clock's time, in seconds.
            wall: The wall clock's, in seconds.
        """
        before = self.failure
        if before is None:
            failure = Failure(reason, 1, now, wall, self._first)
        else:
            pause = min(self._longest, 2 * before.pause)
            failure = Failure(reason, before.tries + 1, before.since, before.at, pause)
        self.failure = failure
        return failure

    def went_on(self) -> None:
        """Take note that it works."""
        self.failure = None


class Patience:
    """For how long nothing at all may go on. All times are of a monotonic clock, in seconds.

    Args:
        limit: So long.
        now: The time.
    """

    def __init__(self, limit: float, now: float) -> None:
        self._limit = limit
        self.since = now

    def went_on(self, now: float) -> None:
        """Take note that something was achieved."""
        self.since = now

    def require(self, reason: str, now: float) -> None:
        """Give up where nothing went on for longer.

        Args:
            reason: Why the last try failed, in words.
            now: The time.

        Raises:
            Unrecoverable: So it is.
        """
        failing = now - self.since
        if failing > self._limit:
            raise Unrecoverable(
                f"nothing could be done for {failing:.0f} s, last because of: {reason}; see "
                "that Kafka answers and has its replicas, then start again"
            )
