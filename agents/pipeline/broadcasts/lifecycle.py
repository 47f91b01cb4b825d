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

from itertools import chain, islice
from typing import TYPE_CHECKING

from agents.deadlines import Deadlines
from streams.audience import Row, Tombstone

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet
    from typing import Protocol

    from agents.entries import BroadcastEntry

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


#: What sums of seconds may be off by.
_ROUNDING = 1e-6


class Timers:
    """Knows for each key of one partition when to look at its row next.

    A key has at most one timer a clock. Being read again moves none: when a timer fires and the row
    turns out to have been read since, it is scheduled for its new deadline. So a record costs no
    more than a number in its key's entry, and nothing is ever searched.

    Args:
        waits: How long a row waits for what.
        entries: The entries of the partition's rows. Those of a key that is not durable yet are not
            there: `committed` schedules it.
    """

    def __init__(self, waits: Waits, entries: dict[bytes, BroadcastEntry]) -> None:
        self._waits = waits
        self._entries = entries
        self._silences = Deadlines(entries, "silence")
        self._wall = Deadlines(entries, "wall")
        # Nothing was read before that: what entries say of it is of a former time.
        self._restored_at = 0.0

    def restored(self, now: float, wall: float) -> None:
        """Begin to wait for all of a partition's keys; each row is looked at once, soon."""
        self._restored_at = now
        silence = self._silences.bucket(now + self._waits.shortest_silence)
        soon = self._wall.bucket(wall)
        silence.keys.extend(self._entries)
        soon.keys.extend(self._entries)
        for entry in self._entries.values():
            entry.silence, entry.wall = silence, soon

    def committed(  # noqa: C901  # one loop over what may have become of a row
        self,
        changed: Mapping[bytes, Row | Tombstone | None],
        heard: AbstractSet[bytes],
        now: float,
        wall: float,
    ) -> None:
        """Take note of what a batch has made durable.

        Args:
            changed: Its rows by key; None where deleted.
            heard: Those of them that a record puts off: of a broadcast that is ended, one that was
                not idle.
            now: When it was read.
            wall: Likewise.
        """
        get = self._entries.get
        all_heard = len(heard) == len(changed)
        # No earlier than any may be due; they are looked at more closely then.
        silence = self._silences.bucket(now + self._waits.shortest_silence)
        silent = silence.keys.append
        oldest = round(wall * 1000)
        untimed: list[bytes] = []
        for key, row in changed.items():
            entry = get(key)
            if entry is None:
                continue  # it is deleted
            if type(row) is Row:
                if all_heard or key in heard:
                    entry.heard_at = now
                if row.final or (row.ended is not None and row.ended_at is not None):
                    # An end may bring the deadline forward; what is final waits for no silence.
                    self.reschedule(key, row)
                    continue
                if entry.silence is None:  # it is new, or was final
                    entry.silence = silence
                    silent(key)
                elif entry.wall is not None or not row.fresh:
                    continue
                untimed.append(key)
                if row.fresh and row.viewers_timestamp < oldest:
                    oldest = row.viewers_timestamp
            elif isinstance(row, Tombstone):
                self._expire(key, row)
        if untimed:
            # What was read late may be stale already: so all of a batch by the oldest there is.
            bucket = self._wall.bucket(oldest / 1000 + self._waits.shortest_stale)
            bucket.keys += untimed
            for key in untimed:
                self._entries[key].wall = bucket

    def due(self, now: float, wall: float, most: int) -> Iterator[bytes]:
        """Give up to `most` keys to look at; each is given until it is scheduled again."""
        return islice(chain(self._silences.due(now), self._wall.due(wall)), most)

    def is_silent(self, key: bytes, row: Row, now: float) -> bool:
        """Say whether a row that is not final has been silent for long enough to become so."""
        silent_at = self._silent_at(key, row)
        return silent_at is not None and now - silent_at >= -_ROUNDING

    def reschedule(self, key: bytes, row: Row) -> None:
        """Schedule a row's timers for what can happen to it next."""
        if row.final:
            self._silences.cancel(key)
            deadline = self._waits.removed_at(row)
            if row.fresh:
                deadline = min(deadline, self._waits.stale_at(row))
        else:
            silent_at = self._silent_at(key, row)
            if silent_at is None:
                return
            self._silences.schedule(key, silent_at)
            if not row.fresh:
                self._wall.cancel(key)
                return
            deadline = self._waits.stale_at(row)
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

    def _silent_at(self, key: bytes, row: Row) -> float | None:
        """When a row will have been silent for long enough; None before it is durable."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        return max(entry.heard_at, self._restored_at) + self._waits.silence(row)

    def _expire(self, key: bytes, tombstone: Tombstone) -> None:
        self._silences.cancel(key)
        self._wall.schedule(key, tombstone.expires / 1000)
