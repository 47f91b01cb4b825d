"""When a broadcast becomes final: the one place where the worker's clock decides.

A broadcast is final when no record of it was read for its lateness and a margin since it ended, or
for the silence time and that margin since its last record. A restart begins to wait anew, so it
may delay this, never hasten it. What is final leaves a tombstone, and that expires in turn.

Waits are measured by a monotonic clock, so a step of the wall clock makes nothing final. The wall
clock decides alone when a tombstone expires, for that outlives the process.

Pure but for the time it is told: no clock is read here. All times are in seconds; `now` is the
monotonic clock's, `wall` the wall clock's.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import chain, islice
from typing import TYPE_CHECKING

from streams.audience import Row, Tombstone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

#: Deadlines are kept in buckets of so many seconds: one is looked at up to so much later.
BUCKET_SECONDS = 5.0


class _Deadlines:
    """Keys by the bucket in which they are due, by one clock."""

    def __init__(self) -> None:
        self._bucket: dict[bytes, int] = {}
        self._due: defaultdict[int, list[bytes]] = defaultdict(list)

    def __len__(self) -> int:
        return len(self._bucket)

    def __contains__(self, key: bytes) -> bool:
        return key in self._bucket

    def put(self, key: bytes, deadline: float) -> None:
        """Move a key to the bucket of a deadline."""
        bucket = int(deadline // BUCKET_SECONDS) + 1
        if self._bucket.get(key) != bucket:
            self._bucket[key] = bucket
            self._due[bucket].append(key)

    def put_new(self, keys: list[bytes], deadline: float) -> None:
        """Put keys that are in no bucket yet."""
        bucket = int(deadline // BUCKET_SECONDS) + 1
        self._bucket.update(dict.fromkeys(keys, bucket))
        self._due[bucket].extend(keys)

    def drop(self, key: bytes) -> None:
        """Forget a key."""
        self._bucket.pop(key, None)

    def due(self, time: float) -> Iterator[bytes]:
        """Give the keys whose bucket is due; each is given until it is put anew."""
        current = int(time // BUCKET_SECONDS)
        for bucket in sorted(number for number in self._due if number <= current):
            for key in self._due[bucket]:
                if self._bucket.get(key) == bucket:
                    yield key

    def drop_empty_buckets(self, time: float) -> None:
        """Let go of buckets that are through."""
        current = int(time // BUCKET_SECONDS)
        for bucket in [number for number in self._due if number <= current]:
            left = [key for key in self._due[bucket] if self._bucket.get(key) == bucket]
            if left:
                self._due[bucket] = left
            else:
                del self._due[bucket]


class Timers:
    """Knows for each key of one partition when to look at it next.

    Each key lies in one bucket; being read again does not move it. When its bucket is due and the
    key turns out to have been read since, it goes to the bucket of its new deadline. So a record
    costs one dictionary entry, and nothing is ever searched.

    Args:
        wait: Seconds without a record after which a row is final.
        first_wait: The shortest such wait, for rows whose state is not looked at yet.
    """

    def __init__(self, wait: Callable[[Row], float], first_wait: float) -> None:
        self._final_after = wait
        self._first_wait = first_wait
        self._read_at: dict[bytes, float] = {}
        self._waits = _Deadlines()
        self._expiries = _Deadlines()

    def __len__(self) -> int:
        return len(self._waits) + len(self._expiries)

    def restored(self, keys: Iterable[bytes], now: float) -> None:
        """Begin to wait for all of a partition's keys."""
        self._read_at.update(dict.fromkeys(keys, now))
        self._waits.put_new(list(self._read_at), now + self._first_wait)

    def committed(
        self, changed: Mapping[bytes, Row | Tombstone | None], read: Iterable[bytes], now: float
    ) -> None:
        """Take note of what a batch has changed.

        Args:
            changed: What has become durable.
            read: Keys of which it read a record.
            now: When it was read.
        """
        self._read_at.update(dict.fromkeys(read, now))
        # No earlier than any may be due; they are looked at more closely then.
        waits = self._waits
        waits.put_new([key for key in changed if key not in waits], now + self._first_wait)
        for key, row in changed.items():
            if type(row) is Row:
                if row.ended is not None and row.ended_at is not None:
                    # An end may bring the deadline forward.
                    waits.put(key, now + self._final_after(row))
            elif row is None:
                self._drop(key)
            elif isinstance(row, Tombstone):
                self._expire(key, row)

    def due(self, now: float, wall: float, most: int) -> Iterator[bytes]:
        """Give up to `most` keys whose time may have come; each is given until it is put anew."""
        return islice(chain(self._waits.due(now), self._expiries.due(wall)), most)

    def is_final(self, key: bytes, row: Row, now: float) -> bool:
        """Say whether a row's time has come; if not, it is looked at again when it may have."""
        deadline = self._read_at.get(key, now) + self._final_after(row)
        if now >= deadline:
            return True
        self._expiries.drop(key)
        self._waits.put(key, deadline)
        return False

    def is_expired(self, key: bytes, tombstone: Tombstone, wall: float) -> bool:
        """Say whether a tombstone may go; if not, it is looked at again when it may."""
        if wall * 1000 >= tombstone.expires:
            return True
        self._expire(key, tombstone)
        return False

    def reschedule(self, key: bytes, now: float) -> None:
        """Look at a key again no sooner than at a new one."""
        self._expiries.drop(key)
        self._waits.put(key, now + self._first_wait)

    def drop_empty_buckets(self, now: float, wall: float) -> None:
        """Let go of buckets that are through."""
        self._waits.drop_empty_buckets(now)
        self._expiries.drop_empty_buckets(wall)

    def _expire(self, key: bytes, tombstone: Tombstone) -> None:
        self._read_at.pop(key, None)
        self._waits.drop(key)
        self._expiries.put(key, tombstone.expires / 1000)

    def _drop(self, key: bytes) -> None:
        self._read_at.pop(key, None)
        self._waits.drop(key)
        self._expiries.drop(key)
