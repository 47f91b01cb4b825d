"""When to look at a broadcast next: timers by key, of one partition.

Four things happen to a row because time passes (contract, sections 3 and 4): what it told of its
viewers goes stale, it becomes final, it is removed, and the tombstone it leaves expires. None of
them depends on a record, so each is decided when a timer fires and the partition has caught up.

Waits for silence are measured by a monotonic clock from when a record was read, so a step of the
wall clock makes nothing final, and a restart begins to wait again: it may delay this, never hasten
it. What depends on Kafka's timestamps (stale, removal) or outlives the process (a tombstone) is
measured by the wall clock.

Pure but for the time it is given: no clock is read here. Times and waits are in seconds unless the
name says otherwise; `now` is the monotonic clock's, `wall` the wall clock's.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import chain, islice
from typing import TYPE_CHECKING

from streams.audience import Row, Tombstone

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from typing import Protocol

    class Waits(Protocol):
        """How long a row waits for what."""

        #: The shortest of all waits for silence: rows whose state is not known yet wait so long.
        shortest_silence: float
        #: The shortest time after which what was told of viewers is stale.
        shortest_stale: float

        def silence(self, row: Row) -> float:
            """Return the seconds without a record after which a row is final."""

        def stale_at(self, row: Row) -> int:
            """Return the wall time in milliseconds from which a fresh row is stale."""

        def removed_at(self, row: Row) -> int:
            """Return the wall time in milliseconds after which a final row is removed."""


#: Deadlines are kept in buckets of so many seconds: a timer fires up to so much later.
BUCKET_SECONDS = 5.0

#: What sums of seconds may be off by.
_ROUNDING = 1e-6


class Deadlines:
    """Keys by the bucket in which they are due, by one clock."""

    def __init__(self) -> None:
        self._bucket: dict[bytes, int] = {}
        self._due: defaultdict[int, list[bytes]] = defaultdict(list)

    def __len__(self) -> int:
        return len(self._bucket)

    def __contains__(self, key: bytes) -> bool:
        return key in self._bucket

    def missing(self, keys: Iterable[bytes]) -> list[bytes]:
        """Those of many keys that have no timer."""
        bucket_of = self._bucket
        return [key for key in keys if key not in bucket_of]

    def schedule(self, key: bytes, deadline: float) -> None:
        """Move a key to the bucket of a deadline."""
        bucket = int(deadline // BUCKET_SECONDS) + 1
        if self._bucket.get(key) != bucket:
            self._bucket[key] = bucket
            self._due[bucket].append(key)

    def schedule_new(self, keys: list[bytes], deadline: float) -> None:
        """Schedule keys that have no timer yet."""
        bucket = int(deadline // BUCKET_SECONDS) + 1
        self._bucket.update(dict.fromkeys(keys, bucket))
        self._due[bucket].extend(keys)

    def cancel(self, key: bytes) -> None:
        """Forget a key's timer."""
        self._bucket.pop(key, None)

    def due(self, time: float) -> Iterator[bytes]:
        """Give the keys whose bucket is due; each is given until it is scheduled again."""
        current = int(time // BUCKET_SECONDS)
        for bucket in sorted(number for number in self._due if number <= current):
            for key in self._due[bucket]:
                if self._bucket.get(key) == bucket:
                    yield key

    def drop_empty_buckets(self, time: float) -> None:
        """Let go of buckets whose keys have all been scheduled again."""
        current = int(time // BUCKET_SECONDS)
        for bucket in [number for number in self._due if number <= current]:
            left = [key for key in self._due[bucket] if self._bucket.get(key) == bucket]
            if left:
                self._due[bucket] = left
            else:
                del self._due[bucket]


class Timers:
    """Knows for each key of one partition when to look at its row next.

    A key has at most one timer a clock. Being read again moves none: when a timer fires and the row
    turns out to have been read since, it is scheduled for its new deadline. So a record costs one
    dictionary entry, and nothing is ever searched.

    Args:
        waits: How long a row waits for what.
    """

    def __init__(self, waits: Waits) -> None:
        self._waits = waits
        # When a record of a key was read last; of an ended broadcast, one that was not idle.
        self._read_at: dict[bytes, float] = {}
        self._busy_at: dict[bytes, float] = {}
        self._silences = Deadlines()
        self._wall = Deadlines()
        # Keys whose wall timer is far off: a record may bring it forward.
        self._far: dict[bytes, None] = {}
        # Of an ended broadcast nothing but idle records was read since then, unless it says else.
        self._restored_at = 0.0

    def __len__(self) -> int:
        return len(self._silences) + len(self._wall)

    def restored(self, keys: Iterable[bytes], now: float, wall: float) -> None:
        """Begin to wait for all of a partition's keys; each row is looked at once, soon."""
        self._restored_at = now
        self._read_at.update(dict.fromkeys(keys, now))
        self._silences.schedule_new(list(self._read_at), now + self._waits.shortest_silence)
        self._wall.schedule_new(list(self._read_at), wall)

    def committed(
        self,
        changed: Mapping[bytes, Row | Tombstone | None],
        read: Iterable[bytes],
        busy: Collection[bytes],
        now: float,
        wall: float,
    ) -> None:
        """Follow what a batch has changed.

        Args:
            changed: What has become durable.
            read: Keys of which it accepted a record.
            busy: Those of them whose broadcast is ended, and whose records were not all idle.
            now: When it was read.
            wall: Likewise.
        """
        self._read_at.update(dict.fromkeys(read, now))
        self._busy_at.update(dict.fromkeys(busy, now))
        silences, by_wall = self._silences, self._wall
        # No earlier than any may be due; they are looked at more closely then.
        silences.schedule_new(silences.missing(changed), now + self._waits.shortest_silence)
        # What was read late may be stale already: so all of a batch by the oldest there is.
        new = by_wall.missing(changed)
        told = [
            row.viewers_timestamp / 1000
            for key in new
            if type(row := changed[key]) is Row and row.fresh
        ]
        by_wall.schedule_new(new, min([wall, *told]) + self._waits.shortest_stale)
        far = self._far
        for key, row in changed.items():
            if type(row) is Row:
                if row.final or (row.ended is not None and row.ended_at is not None):
                    # An end may bring the deadline forward; what is final waits for no silence.
                    self.reschedule(key, row, now)
                elif key in far:
                    self.reschedule(key, row, now)
            elif row is None:
                self._cancel(key)
            elif isinstance(row, Tombstone):
                self._expire(key, row)

    def due(self, now: float, wall: float, most: int) -> Iterator[bytes]:
        """Give up to `most` keys to look at; each is given until it is scheduled again."""
        return islice(chain(self._silences.due(now), self._wall.due(wall)), most)

    def is_silent(self, key: bytes, row: Row, now: float) -> bool:
        """Say whether a row that is not final has been silent for long enough to become so."""
        return now - self._silent_at(key, row, now) >= -_ROUNDING

    def reschedule(self, key: bytes, row: Row, now: float) -> None:
        """Schedule a row's timers for what can happen to it next."""
        if row.final:
            self._silences.cancel(key)
            self._busy_at.pop(key, None)
            deadline = self._waits.removed_at(row)
        else:
            self._silences.schedule(key, self._silent_at(key, row, now))
            deadline = None
        if row.fresh:
            stale = self._waits.stale_at(row)
            deadline = stale if deadline is None else min(stale, deadline)
            self._far.pop(key, None)
        else:
            self._far[key] = None
        if deadline is None:
            self._wall.cancel(key)
        else:
            self._wall.schedule(key, deadline / 1000)

    def tombstone_is_expired(self, key: bytes, tombstone: Tombstone, wall: float) -> bool:
        """Say whether a tombstone may go; if not, it is looked at again when it may."""
        if round(wall * 1000) >= tombstone.expires:
            return True
        self._expire(key, tombstone)
        return False

    def postpone(self, key: bytes, now: float, wall: float) -> None:
        """Look at a key again no sooner than at a new one."""
        self._silences.schedule(key, now + self._waits.shortest_silence)
        self._wall.schedule(key, wall + self._waits.shortest_stale)

    def drop_empty_buckets(self, now: float, wall: float) -> None:
        """Let go of buckets whose keys have all been scheduled again."""
        self._silences.drop_empty_buckets(now)
        self._wall.drop_empty_buckets(wall)

    def _silent_at(self, key: bytes, row: Row, now: float) -> float:
        if row.ended is not None and row.ended_at is not None:
            since = self._busy_at.get(key, self._restored_at)
        else:
            since = self._read_at.get(key, now)
        return since + self._waits.silence(row)

    def _expire(self, key: bytes, tombstone: Tombstone) -> None:
        self._cancel(key)
        self._wall.schedule(key, tombstone.expires / 1000)

    def _cancel(self, key: bytes) -> None:
        self._read_at.pop(key, None)
        self._busy_at.pop(key, None)
        self._silences.cancel(key)
        self._wall.cancel(key)
        self._far.pop(key, None)
