"""The rows of one partition: one entry for each, what Kafka holds and what is noted beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RowT = TypeVar("RowT")

#: Keys that begin so are the layer's own (see `position.py`).
RESERVED = b"\x00"

#: How many decoded rows of a partition are kept.
_CACHED_ROWS: Final = 10_000

#: How many encoded bytes are committed before all decoded rows are evicted, so that fewer are kept
#: where they are large. Decoded they take some ten times as much.
_CACHED_BYTES: Final = 8 * 1024 * 1024


class StateEntry(msgspec.Struct, gc=False):
    """A row at rest: its bytes exactly as the changelog holds them.

    An application that notes something of each row makes a subclass with more fields, each with a
    default, and hands it to `Rows`: so a key costs one dictionary, whatever is noted of it. What is
    noted is the application's: it begins with the defaults, stays while the partition is elsewhere,
    and is to be set anew when the partition is restored.

    It is no object of the garbage collector's, for a million of them would have to be gone through
    each time. So no field may lead back to the entry.

    Attributes:
        value: The encoded row. Only `Rows` changes it, when a transaction is through; it is another
            object whenever the row has changed.
    """

    value: bytes


EntryT = TypeVar("EntryT", bound=StateEntry)


class Rows(Generic[RowT]):
    """Rows of one partition by key.

    What is at rest is bytes, and changes only when a transaction is through. `get` gives a row that
    is the caller's alone: so nothing has to be undone when a batch fails, and a million rows cost
    their bytes and one small entry each.

    Decoding is spared where the same rows are changed again and again: what a batch has changed is
    kept as it is, a bounded number of rows, until the next batch takes it out.

    Args:
        decode: From the changelog's bytes to a row.
        encode: The reverse.
        entry: What is made of a key; other than `StateEntry` where an application notes more.
        cache_size: How many decoded rows are kept.
        cache_bytes: How many encoded bytes are committed before all of them are evicted.

    Attributes:
        entries: The entry of each key. Only `Rows` adds and removes any.
        decode: As given.
        encode: As given.
    """

    __slots__ = (
        "_bytes",
        "_decoded",
        "_limit",
        "_make",
        "_most_bytes",
        "decode",
        "encode",
        "entries",
    )

    def __init__(
        self,
        decode: Callable[[bytes], RowT],
        encode: Callable[[RowT], bytes],
        entry: type[StateEntry] = StateEntry,
        *,
        cache_size: int = _CACHED_ROWS,
        cache_bytes: int = _CACHED_BYTES,
    ) -> None:
        self.entries: dict[bytes, Any] = {}
        self.decode = decode
        self.encode = encode
        self._make = entry
        self._decoded: dict[bytes, RowT] = {}
        self._limit = cache_size
        self._bytes = 0
        self._most_bytes = cache_bytes

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, key: object) -> bool:
        return key in self.entries

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.entries)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Give each key with its encoded row."""
        return ((key, entry.value) for key, entry in self.entries.items())

    def entries_as(self, kind: type[EntryT]) -> dict[bytes, EntryT]:
        """Return the entries as what they were made as, for whoever notes something in them.

        Raises:
            TypeError: They are made as something else.
        """
        if not issubclass(self._make, kind):
            raise TypeError(f"the rows have {self._make.__name__}, and {kind.__name__} is needed")
        return self.entries

    def get(self, key: bytes) -> RowT | None:
        """Return the row of a key for a batch to change, or None.

        It is the caller's alone: another call gives another one, as it was committed. So a batch
        asks for it by `Batch.row`, and must put it into its `changed`.
        """
        row = self._decoded.pop(key, None)
        return self.read(key) if row is None else row

    def read(self, key: bytes) -> RowT | None:
        """Return a copy of a key's committed row, for readers beside the batches, or None."""
        entry = self.entries.get(key)
        return None if entry is None else self.decode(entry.value)

    def encoded(self, key: bytes) -> bytes | None:
        """Return a key's committed row as the changelog holds it, or None."""
        entry = self.entries.get(key)
        return None if entry is None else entry.value

    def commit(
        self, changed: dict[bytes, RowT | None], encoded: dict[bytes, bytes | None]
    ) -> list[Any]:
        """Take over what a transaction has made durable.

        Args:
            changed: Rows by key, None where deleted; they are the rows' own from now on.
            encoded: The same as the changelog has them.

        Returns:
            The entries of those that were deleted.
        """
        entries, decoded, make = self.entries, self._decoded, self._make
        removed = []
        size = 0
        keep = self._make_room(encoded)
        for key, value in encoded.items():
            entry = entries.get(key)
            if value is None:
                if entry is not None:
                    removed.append(entries.pop(key))
                    decoded.pop(key, None)
            elif entry is None:
                # What is new is seldom told of again soon: a backlog would fill memory with it.
                entries[key] = make(value)
            else:
                entry.value = value
                if keep:
                    size += len(value)
                    decoded[key] = changed[key]  # type: ignore[assignment]  # as it has a value
        self._bytes += size
        return removed

    def _make_room(self, encoded: dict[bytes, bytes | None]) -> bool:
        """Evict all decoded rows if these are too many beside them; False if they are anyway."""
        decoded, count = self._decoded, len(encoded)
        if len(decoded) + count > self._limit or self._bytes > self._most_bytes:
            decoded.clear()
            self._bytes = 0
        return count <= self._limit

    def clear(self) -> None:
        """Forget everything, before a restore from the beginning."""
        self.entries.clear()
        self._decoded.clear()

    def load(self, key: bytes, value: bytes | None) -> None:
        """Apply one changelog record while restoring."""
        if self._decoded:
            self._decoded.pop(key, None)
        if value is None:
            self.entries.pop(key, None)
        elif (entry := self.entries.get(key)) is None:
            self.entries[key] = self._make(value)
        else:
            entry.value = value
