"""Keys by when they are due: in buckets of some seconds, each entry with the bucket it is in."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Deadlines are kept in buckets of so many seconds: a timer fires up to so much later.
BUCKET_SECONDS: Final = 5.0


class Bucket:
    """The keys that are due at the same time.

    Attributes:
        keys: Whoever was put here. Only those whose entry still names this bucket are due.
    """

    __slots__ = ("keys",)

    def __init__(self) -> None:
        self.keys: list[bytes] = []


EntryT = TypeVar("EntryT")


class Deadlines(Generic[EntryT]):
    """The buckets of one clock.

    Which one a key is in stands in its entry, in the field that is named: to schedule a key is to
    put it into a bucket and to set that field. So a key costs no dictionary of its own, being moved
    searches nothing, and a key without an entry is due no more.

    Args:
        entries: The entry of each key.
        field: The field that holds the bucket, or None.
    """

    __slots__ = ("_bucket_in", "_buckets", "_entries", "_field")

    def __init__(self, entries: dict[bytes, EntryT], field: str) -> None:
        self._entries = entries
        self._field = field
        self._bucket_in = attrgetter(field)
        self._buckets: dict[int, Bucket] = {}

    def __contains__(self, key: bytes) -> bool:
        entry = self._entries.get(key)
        return entry is not None and self._bucket_in(entry) is not None

    def schedule(self, key: bytes, deadline: float) -> None:
        """Move a key that has an entry to the bucket of a deadline, in seconds."""
        entry = self._entries.get(key)
        if entry is not None:
            bucket = self.bucket(deadline)
            if self._bucket_in(entry) is not bucket:
                setattr(entry, self._field, bucket)
                bucket.keys.append(key)

    def cancel(self, key: bytes) -> None:
        """Forget a key's timer."""
        entry = self._entries.get(key)
        if entry is not None:
            setattr(entry, self._field, None)

    def clear(self) -> None:
        """Forget all timers, those that a former owner left in the entries too."""
        self._buckets.clear()
        for entry in self._entries.values():
            setattr(entry, self._field, None)

    def bucket(self, deadline: float) -> Bucket:
        """Return the bucket in which a deadline lies, for whoever puts many keys there himself."""
        number = int(deadline // BUCKET_SECONDS) + 1
        bucket = self._buckets.get(number)
        if bucket is None:
            bucket = self._buckets[number] = Bucket()
        return bucket

    def due(self, time: float) -> Iterator[bytes]:
        """Give the keys whose bucket is due; each is given until it is scheduled again."""
        current = int(time // BUCKET_SECONDS)
        for number in sorted(number for number in self._buckets if number <= current):
            yield from self._held(self._buckets[number])

    def drop_empty_buckets(self, time: float) -> None:
        """Let go of buckets whose keys have all been scheduled again."""
        current = int(time // BUCKET_SECONDS)
        for number in [number for number in self._buckets if number <= current]:
            bucket = self._buckets[number]
            bucket.keys = list(self._held(bucket))
            if not bucket.keys:
                del self._buckets[number]

    def _held(self, bucket: Bucket) -> Iterator[bytes]:
        get, bucket_in = self._entries.get, self._bucket_in
        for key in bucket.keys:
            entry = get(key)
            if entry is not None and bucket_in(entry) is bucket:
                yield key
