"""What waits of a partition, by what its consumer's fetches bring."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from streams.exact.progress import FetchWatch, Lag, lag

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, TopicPartition


class Backlog:
    """Follows what a consumer knows of one partition.

    Args:
        consumer: With isolation `read_committed`: beyond the last stable offset it cannot read.
        source: The partition.
    """

    def __init__(self, consumer: AIOKafkaConsumer, source: TopicPartition) -> None:
        self._consumer = consumer
        self._source = source
        now = time.monotonic()
        self._watch = FetchWatch(now)
        self._caught_up_at = now
        self._ever_caught_up = False

    def begin(self) -> None:
        """Begin to read on from another offset: what was known before was of another time."""
        self._watch.begin(self._looked()[0], time.monotonic())

    def look(self, begun: int, now: float, *, busy: bool) -> None:
        """Take note of what fetches have brought; to be called a few times a second.

        Args:
            begun: The offset up to which all is committed.
            now: The time by a monotonic clock, in seconds.
            busy: Whether fetched records are being processed, so that nothing need be fetched.
        """
        polled, stable = self._looked()
        self._watch.look(polled, now)
        if busy:
            self._watch.busy(now)
        elif self._watch.is_fresh(now) and stable is not None and begun >= stable:
            # As of that answer: what has come since is not known yet.
            self._caught_up_at = now - (self._watch.age(now) or 0.0)
            self._ever_caught_up = True

    def unanswered(self, now: float) -> float:
        """Return the seconds since a fetch could have been answered, and none was."""
        return self._watch.unanswered(now)

    def is_heard(self, now: float, limit: float) -> bool:
        """Say whether a fetch was answered within so many seconds, and since it was last begun."""
        age = self._watch.age(now)
        return age is not None and age <= limit

    def is_empty(self, reached: int) -> bool:
        """Say whether nothing waits behind an offset, as far as a fresh answer tells."""
        now = time.monotonic()
        polled, stable = self._looked()
        self._watch.look(polled, now)
        return stable is not None and self._watch.is_fresh(now) and reached >= stable

    def lag(self, begun: int, oldest: int | None, now: float, *, at_work: bool, busy: bool) -> Lag:
        """Return how many records wait, and for how long the oldest of them has.

        Args:
            begun: The offset up to which all is committed.
            oldest: The Kafka timestamp of the oldest record that waits or of one before it, in
                milliseconds; None where none was read.
            now: The time by a monotonic clock, in seconds.
            at_work: Whether the partition is read at all.
            busy: Whether fetched records are being processed.
        """
        _, stable = self._looked()
        waiting = None
        if at_work and stable is not None and (busy or self._watch.is_fresh(now)):
            waiting = max(0, stable - begun)
        return lag(
            waiting=waiting,
            oldest=None if oldest is None else oldest / 1000,
            now=now,
            wall=time.time(),
            caught_up_at=self._caught_up_at,
            ever_caught_up=self._ever_caught_up,
        )

    def _looked(self) -> tuple[int | None, int | None]:
        """Give aiokafka's time of the last answered fetch, and its last stable offset."""
        consumer, source = self._consumer, self._source
        if source not in consumer.assignment():
            return None, None
        stable = consumer.last_stable_offset(source)
        if stable is None or stable < 0:  # a broker that knows none
            stable = consumer.highwater(source)
        return consumer.last_poll_timestamp(source), stable
