"""A real trace: the viewers of Summer Games Done Quick 2018 on Twitch, minute by minute.

From `data/sgdq-2018.csv` (its licence beside it), as it is: minutes in which the collector was
down stay missing, samples without viewers stay unknown. Only the order is mended, and the first
sample is sent as `started` and the last as `ended`, as the platform would have said it.
"""

from __future__ import annotations

import csv
from datetime import datetime
from importlib.resources import files
from typing import Any, Final, NamedTuple

import orjson

from agents.demo.record import SECOND, SourceRecord, key_of, rfc3339

PLATFORM: Final = "twitch"
BROADCAST: Final = "sgdq-2018"
VENUE: Final = "games-done-quick"
TITLE: Final = "Summer Games Done Quick 2018"
KEY: Final = key_of(PLATFORM, BROADCAST)


class Sample(NamedTuple):
    """One row of the trace.

    Attributes:
        at: When it was taken, in microseconds since 1970.
        viewers: Concurrent viewers; None where the platform gave none.
    """

    at: int
    viewers: int | None


def samples() -> list[Sample]:
    """Return the rows of the trace by time."""
    text = files("agents.demo").joinpath("data", "sgdq-2018.csv").read_text(encoding="utf-8")
    return sorted(
        Sample(
            int(datetime.fromisoformat(row["time"]).timestamp()) * SECOND,
            int(row["viewers"]) if row["viewers"] else None,
        )
        for row in csv.DictReader(text.splitlines())
    )


def records() -> list[SourceRecord]:
    """Return the trace as records, one a row, in the order of their times."""
    rows = samples()
    last = len(rows) - 1
    return [_record(row, {0: "started", last: "ended"}.get(n)) for n, row in enumerate(rows)]


def _record(row: Sample, kind: str | None) -> SourceRecord:
    event: dict[str, Any] = {
        "platform": PLATFORM,
        "broadcast": BROADCAST,
        "at": rfc3339(row.at),
        "viewers": row.viewers,
        "venue": VENUE,
        "title": TITLE,
    }
    if kind is not None:
        event["kind"] = kind
    return SourceRecord(KEY, orjson.dumps(event), row.at)
