"""How much of a partition the next batch takes: pure, it knows no Kafka and no clock."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from streams.exact.fetch import Taken
from streams.exact.parsing import KEPT_BYTES, KEPT_KEY_BYTES, Unreadable

if TYPE_CHECKING:
    from streams.exact.errors import TooLarge

#: A batch that takes less than this part of its time lets the next ones be larger.
_EASY = 0.25


class Portions:
    """Sizes the batches of one partition.

    A batch that outlasts its time makes the next ones smaller, and they grow back slowly. What
    comes of a batch may be too large for a topic: then it is put back, and comes again in halves,
    until it is one record, which comes as unreadable.

    Args:
        most: How many records a batch holds at most.
        seconds: How long a batch may take.

    Attributes:
        records: How many records the next batch holds at most.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self.records = most
        self._most = most
        self._seconds = seconds
        self._waiting: list[tuple[Taken, int]] = []

    def worked(self, records: int, seconds: float) -> None:
        """Take note of how long a batch of so many records took."""
        if not records:
            return  # what took long was work of the agent's own, which is not less with fewer
        if seconds > self._seconds:
            self.records = max(1, min(self.records, records) // 2)
        elif records >= self.records and seconds < _EASY * self._seconds:
            self.records = min(self._most, 2 * self.records)

    def failed(self) -> None:
        """Forget what was put back, for all is read again; and have less of it at a time."""
        self._waiting.clear()
        self.records = max(1, self.records // 2)

    def next(self) -> tuple[Taken, int] | None:
        """Give what was put back and comes first, with the offset behind it; None if nothing."""
        return self._waiting.pop() if self._waiting else None

    def put_back(self, taken: Taken, end: int, error: TooLarge) -> None:
        """Have a batch come again, smaller.

        Args:
            taken: What it held.
            end: The offset behind it.
            error: What was too large.

        Raises:
            TooLarge: `error`, if there is nothing to be made smaller.
        """
        if not error.is_record:  # smaller batches for the topic will do
            self._waiting.append((taken, end))
        elif taken.size > 1:
            entries = sorted([*taken.records, *taken.unreadable], key=attrgetter("offset"))
            half = len(entries) // 2
            self._waiting.append((_taken(entries[half:]), end))
            self._waiting.append((_taken(entries[:half]), entries[half].offset))
        elif taken.records:
            self._waiting.append((Taken([], [_unreadable(taken.records[0], str(error))]), end))
        elif taken.unreadable and (bare := _bare(taken.unreadable[0])) != taken.unreadable[0]:
            self._waiting.append((Taken([], [bare]), end))
        else:
            raise error


def _taken(entries: list[Any]) -> Taken:
    return Taken(
        [entry for entry in entries if type(entry) is not Unreadable],
        [entry for entry in entries if type(entry) is Unreadable],
    )


def _unreadable(record: Any, detail: str) -> Unreadable:
    key, value = record.key, record.value
    key_bytes = -1 if key is None else len(key)
    value_bytes = -1 if value is None else len(value)
    headers = record.headers
    size = sum(len(name) + len(content or b"") for name, content in headers)
    return Unreadable(
        record.offset,
        -1 if record.timestamp is None else record.timestamp,
        key if key is None else key[:KEPT_KEY_BYTES],
        value if value is None else value[:KEPT_BYTES],
        headers,
        max(0, key_bytes) + max(0, value_bytes) + size,
        1,
        f"what comes of it cannot be sent: {detail}",
        key_bytes,
        value_bytes,
    )


def _bare(unreadable: Unreadable) -> Unreadable:
    """An unreadable record with nothing that takes room."""
    return unreadable._replace(key=None, value=None, headers=())
