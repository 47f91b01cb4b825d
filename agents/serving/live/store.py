"""What a worker owns of one kind of thing, by partition; nothing of it is copied."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

import msgspec
import structlog

from agents.entries import ShownEntry
from agents.serving.live.slices import TimeSlice
from streams.errors import LiveAudienceError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Container, Iterable, Mapping, Sequence

    from streams.exact import Rows

log = structlog.get_logger(__name__)

StateT = TypeVar("StateT")
ShownT = TypeVar("ShownT")

#: Rows decoded, or keys looked at, between two looks at the clock.
_ROWS, _KEYS = 32, 1_024


class FoundRow(NamedTuple, Generic[StateT]):
    """A row that this worker has.

    Attributes:
        partition: Where it lies.
        row: What Kafka holds of it: a copy.
    """

    partition: int
    row: StateT


class Partition(Generic[StateT]):
    """One partition: its rows, and a number in the entry of each of those that are shown.

    Args:
        number: Which it is.
        rows: The source's; only what is committed is looked at.

    Attributes:
        rows: The same.
        entries: Their entries, in which it notes `shown`.
        count: How many are shown.
        indexing: Looks through the rows that were there at the start.
    """

    __slots__ = ("count", "entries", "indexing", "rows")

    def __init__(self, number: int, rows: Rows[StateT]) -> None:
        self.rows = rows
        self.entries = rows.entries_as(ShownEntry)
        self.count = 0
        for entry in self.entries.values():  # of a former time
            if entry.shown is not None:
                entry.shown = None
        self.indexing = asyncio.create_task(self._build_index(number), name=f"index-{number}")

    @property
    def is_complete(self) -> bool:
        """Whether all rows that were there at the start have been looked at."""
        return self.indexing.done()

    def keys(self) -> Iterable[bytes]:
        """The keys of the rows that may be shown."""
        return self.entries

    def update(self, changed: Mapping[bytes, StateT | None]) -> None:
        """Take over the numbers of changed rows, but for those that were deleted."""
        raise NotImplementedError

    def remove(self, entry: ShownEntry) -> None:
        """Show a row no more that was deleted."""
        self.count -= entry.shown is not None

    async def _build_index(self, number: int) -> None:
        """Take the numbers of all rows; batches may commit meanwhile, so each is read when due."""
        time_slice = TimeSlice()
        get, decode = self.entries.get, self.rows.decode
        unreadable = 0
        keys = list(self.keys())
        for start in range(0, len(keys), _ROWS):
            found: dict[bytes, StateT | None] = {}
            for key in keys[start : start + _ROWS]:
                entry = get(key)
                if entry is None or entry.shown is not None:
                    continue
                try:
                    found[key] = decode(entry.value)
                except (LiveAudienceError, msgspec.DecodeError) as error:
                    # The agent cannot go on when it comes to such a row; what can be shown is.
                    unreadable += 1
                    if unreadable == 1:
                        log.error(  # noqa: TRY400  # its message says all, as for every such error
                            "a row cannot be read, so it is not shown",
                            partition=number,
                            key=key.decode(errors="backslashreplace"),
                            error=str(error),
                        )
            self.update(found)
            await time_slice.yield_if_over()


class QueryableStore(Generic[StateT, ShownT]):
    """What readers may know of the rows of the partitions that this worker owns.

    In the entry of each row that is shown is a number by which the largest are found; its figures
    are made when somebody asks, from the row as Kafka holds it. So readers never see what is not
    durable. `viewers_of` tells the viewers that a number stands for.

    All methods belong to the event loop's thread. A partition that was just restored is looked
    through in the background; until that is done, `partitions`, `chunks` and the counts leave it
    out, whereas `find` and `encoded` already know it.

    Args:
        shown: The type of the rows that are shown.
    """

    def __init__(self, shown: type[ShownT]) -> None:
        self._shown = shown
        self._partitions: dict[int, Partition[StateT]] = {}

    def _partition(self, number: int, rows: Rows[StateT]) -> Partition[StateT]:
        raise NotImplementedError

    # -- fed by the source -------------------------------------------------------------------------

    def restored(self, partition: int, rows: Rows[StateT]) -> None:
        """Begin to show a partition; to be called on the event loop."""
        self.lost(partition)
        self._partitions[partition] = self._partition(partition, rows)

    def committed(
        self,
        partition: int,
        changed: Mapping[bytes, StateT | None],
        removed: Sequence[ShownEntry] = (),
    ) -> None:
        """Take note of what a batch has made durable.

        Args:
            partition: The batch's partition.
            changed: The rows as the agent left them; they are not kept. None: deleted.
            removed: The entries of those that were deleted.
        """
        owned = self._partitions.get(partition)
        if owned is not None:
            owned.update(changed)
            for entry in removed:
                owned.remove(entry)

    def lost(self, partition: int) -> None:
        """Stop showing a partition."""
        owned = self._partitions.pop(partition, None)
        if owned is not None:
            owned.indexing.cancel()

    # -- asked by readers --------------------------------------------------------------------------

    @property
    def partitions(self) -> list[int]:
        """The partitions that are shown, in order."""
        return sorted(number for number, owned in self._partitions.items() if owned.is_complete)

    def __len__(self) -> int:
        """How many there are."""
        return sum(owned.count for owned in self._partitions.values() if owned.is_complete)

    def encoded(self, partition: int, key: bytes) -> bytes | None:
        """A row's bytes as Kafka holds them: another object whenever the row has changed."""
        owned = self._partitions.get(partition)
        return None if owned is None else owned.rows.encoded(key)

    def row(self, partition: int, key: bytes) -> ShownT | None:
        """A copy of a row as Kafka holds it; None if there is none or it is not shown.

        Raises:
            LiveAudienceError: a newer version wrote it.
            msgspec.DecodeError: it is damaged.
        """
        owned = self._partitions.get(partition)
        row = None if owned is None else owned.rows.read(key)
        return row if isinstance(row, self._shown) else None

    def state(self, partition: int, key: bytes) -> StateT | None:
        """A copy of any row as Kafka holds it, shown or not; None if there is none.

        Raises:
            LiveAudienceError: a newer version wrote it.
            msgspec.DecodeError: it is damaged.
        """
        owned = self._partitions.get(partition)
        return None if owned is None else owned.rows.read(key)

    def find(self, key: bytes) -> FoundRow[StateT] | None:
        """Look for a row, shown or not, in whichever partition of this worker it lies.

        Raises:
            LiveAudienceError: a newer version wrote it.
            msgspec.DecodeError: it is damaged.
        """
        for number, owned in self._partitions.items():
            row = owned.rows.read(key)
            if row is not None:
                return FoundRow(number, row)
        return None

    def held(self, numbers: Iterable[int]) -> list[object]:
        """What stands for partitions as long as they are this worker's without a break."""
        return [self._partitions.get(number) for number in numbers]

    async def chunks(
        self, only: Container[int] | None = None
    ) -> AsyncIterator[tuple[int, list[tuple[bytes, int]]]]:
        """All that is shown: a partition, and some of its keys with their numbers, chunk by chunk.

        The loop runs on between chunks: each has the numbers as they are when its turn comes.

        Args:
            only: Of these partitions alone; None: of all.
        """
        time_slice = TimeSlice()
        for number, owned in list(self._partitions.items()):
            if not owned.is_complete or (only is not None and number not in only):
                continue
            keys, get = list(owned.keys()), owned.entries.get
            for start in range(0, len(keys), _KEYS):
                if self._partitions.get(number) is not owned:
                    break
                yield (
                    number,
                    [
                        (key, shown)
                        for key in keys[start : start + _KEYS]
                        if (entry := get(key)) is not None and (shown := entry.shown) is not None
                    ],
                )
                await time_slice.yield_if_over()

    async def indexed(self) -> None:
        """Wait until every partition is shown."""
        tasks = [owned.indexing for owned in self._partitions.values()]
        if tasks:
            await asyncio.wait(tasks)


def viewers_of(number: int) -> int:
    """The viewers that a number stands for: of one that is over its complement is kept."""
    return number if number >= 0 else ~number
