"""The rows of one partition: what Kafka holds, and a cache of what it means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

RowT = TypeVar("RowT")

#: Keys that begin so are the layer's own (see `position.py`).
RESERVED = b"\x00"


class Rows(Generic[RowT]):
    """Rows of one partition by key.

    `committed` maps each key to its encoded row exactly as the changelog holds it: it changes only
    when a transaction is through. Decoded rows are a bounded cache beside it. So a batch that
    fails is forgotten by dropping what it touched from the cache, and a million rows at rest cost
    their bytes and no objects.

    Args:
        decode: From the changelog's bytes to a row.
        encode: The reverse.
        cache_size: How many decoded rows are kept.
        cache_bytes: How many encoded bytes are committed before all decoded rows are evicted, so
            that fewer are kept where they are large. Decoded they take some ten times as much.
    """

    __slots__ = ("_bytes", "_cache", "_limit", "_most_bytes", "committed", "decode", "encode")

    def __init__(
        self,
        decode: Callable[[bytes], RowT],
        encode: Callable[[RowT], bytes],
        cache_size: int = 50_000,
        cache_bytes: int = 32 * 1024 * 1024,
    ) -> None:
        self.committed: dict[bytes, bytes] = {}
        self.decode = decode
        self.encode = encode
        self._cache: dict[bytes, RowT] = {}
        self._limit = cache_size
        self._bytes = 0
        self._most_bytes = cache_bytes

    def __len__(self) -> int:
        return len(self.committed)

    def get(self, key: bytes) -> RowT | None:
        """Return the row of a key as a batch may change it, or None.

        The batch that changes it must say so in its `changed`; nobody else may change it.
        """
        row = self._cache.get(key)
        if row is None:
            encoded = self.committed.get(key)
            if encoded is None:
                return None
            row = self._cache[key] = self.decode(encoded)
        return row

    def read(self, key: bytes) -> RowT | None:
        """Return a copy of a key's committed row, for readers beside the batches, or None."""
        encoded = self.committed.get(key)
        return None if encoded is None else self.decode(encoded)

    def forget(self, key: bytes) -> None:
        """Drop what is cached of a key: the next `get` gives the committed row again."""
        self._cache.pop(key, None)

    def commit(self, changed: dict[bytes, RowT | None], encoded: dict[bytes, bytes | None]) -> None:
        """Take over what a transaction has made durable.

        Args:
            changed: Rows by key, None where deleted.
            encoded: The same as the changelog has them.
        """
        committed, cache = self.committed, self._cache
        size = sum([len(value) for value in encoded.values() if value])
        self._bytes += size
        if len(cache) + len(changed) > self._limit or self._bytes > self._most_bytes:
            cache.clear()
            self._bytes = size
        # Whole dictionaries at once, for a batch may change tens of thousands of rows.
        committed.update(encoded)  # type: ignore[arg-type]  # what is None goes at once, below
        if len(changed) <= self._limit and size <= self._most_bytes:
            cache.update(changed)  # type: ignore[arg-type]  # as above
        if None in encoded.values():
            for key in [key for key, value in encoded.items() if value is None]:
                del committed[key]
                cache.pop(key, None)

    def rollback(self, changed: dict[bytes, RowT | None]) -> None:
        """Forget a batch that did not become durable."""
        for key in changed:
            self._cache.pop(key, None)

    def clear(self) -> None:
        """Forget everything, before a restore from the beginning."""
        self.committed.clear()
        self._cache.clear()

    def load(self, key: bytes, value: bytes | None) -> None:
        """Apply one changelog record while restoring."""
        self._cache.pop(key, None)
        if value is None:
            self.committed.pop(key, None)
        else:
            self.committed[key] = value
