"""What the demo sends: the museums, the wrong records and the real trace, as they were sent."""

from __future__ import annotations

import heapq
from collections import Counter
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING

from agents.demo import trace
from agents.demo.mistakes import mistakes
from agents.demo.museums import museums, records

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agents.demo.record import SourceRecord


def events() -> Iterator[SourceRecord]:
    """Yield all records of the demo `(key, value, sent)`, by the time of sending (microseconds).

    That is the order of event time, but for the few records that a producer held back.
    """
    wrong = sorted((mistake.record for mistake in mistakes()), key=attrgetter("sent"))
    yield from heapq.merge(*right(), wrong, key=attrgetter("sent"))


@cache
def right() -> tuple[list[SourceRecord], ...]:
    """Return the right records, a list for each broadcast: all of them are to be accepted."""
    return (*(records(museum) for museum in museums()), trace.records())


def accepted() -> Counter[bytes]:
    """Return how many records of each key are to be accepted."""
    return Counter(record.key for broadcast in right() for record in broadcast)


def refused() -> Counter[str]:
    """Return how many records are to be refused for each reason."""
    return Counter(mistake.reason for mistake in mistakes())


def write(path: Path) -> int:
    """Write the right records to a JSONL file, for `live-audience replay`, and return how many.

    The wrong ones are left out: a line can hold neither a record's key nor when it was sent.
    """
    ordered = heapq.merge(*right(), key=attrgetter("sent"))
    lines = [record.value for record in ordered]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return len(lines)
