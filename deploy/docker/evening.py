# ruff: noqa: INP001 - a program of its own, no module of a package
"""Writes one evening of the demo's broadcasts as JSONL: they begin within a few minutes.

The demo's broadcasts lie months apart; here each is moved so that they are on air together, as they
would be for an operator who watches a dashboard. The first begins now; `live-audience replay --now`
sends it so from whatever moment it is sent:

    python deploy/docker/evening.py | live-audience replay - --now

Each evening has broadcasts of its own, named by when it began: a name that is used again within
half a day may go on with the show that had it before.
"""

from __future__ import annotations

import heapq
import sys
import time
from datetime import UTC, datetime
from operator import attrgetter
from typing import Final

import orjson

from agents.demo import trace
from agents.demo.museums import museums, records
from agents.demo.record import MINUTE, SourceRecord, key_of, rfc3339

#: Minutes between the first minutes of two shows.
_APART: Final = 3
#: The trace goes on for a week; an evening has so much of it.
_TRACE_HOURS: Final = 4


def evening(start: int, name: str) -> list[SourceRecord]:
    """Return the records of one evening, in the order in which they are sent.

    Args:
        start: The start of its first minute, in microseconds since 1970 UTC.
        name: Put behind the name of each venue, it names the broadcast.
    """
    shows = dict.fromkeys(museum.programme or museum.venue for museum in museums())
    begins = {show: start + n * _APART * MINUTE for n, show in enumerate(shows)}
    moved = []
    for museum in museums():
        # The legs of a simulcast begin as far apart as they did.
        show = museum.programme or museum.venue
        first = min(m.start for m in museums() if (m.programme or m.venue) == show)
        moved.append(
            _moved(records(museum), begins[show] - first, museum.platform, f"{museum.venue}-{name}")
        )
    traced = trace.records()
    first = traced[0].sent // MINUTE * MINUTE
    some = [each for each in traced if each.sent < first + _TRACE_HOURS * 60 * MINUTE]
    moved.append(_moved(some, start - first, trace.PLATFORM, f"{trace.VENUE}-{name}"))
    return list(heapq.merge(*moved, key=attrgetter("sent")))


def _moved(sent: list[SourceRecord], by: int, platform: str, broadcast: str) -> list[SourceRecord]:
    moved = []
    for record in sent:
        event = orjson.loads(record.value)
        moment = datetime.fromisoformat(event["at"])
        at = round(moment.timestamp() * 1_000_000) + by
        event |= {"broadcast": broadcast, "at": rfc3339(at)}
        key = key_of(platform, broadcast)
        moved.append(SourceRecord(key, orjson.dumps(event), record.sent + by))
    return moved


def main() -> None:
    """Write the evening that begins now to standard output."""
    now = time.time_ns() // 1000
    name = datetime.now(UTC).strftime("%Y-%m-%d-%H%M")
    for record in evening(now // MINUTE * MINUTE, name):
        sys.stdout.buffer.write(record.value + b"\n")


if __name__ == "__main__":
    main()
