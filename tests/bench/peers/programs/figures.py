"""The job that every contestant does: a few figures of each broadcast, and its open minutes.

Of one broadcast are kept, in a row:

- `events`: how many events counted.
- `late`: how many came for a minute that was sealed; they count in nothing else. A minute is sealed
  when it is 15 minutes or more behind the newest one.
- `viewers`, `viewers_at`: what the latest event said, and when that was (ms since 1970); of two at
  the same time, the greater.
- `peak`: the greatest viewers of all events.
- `minutes`: of each open minute (since 1970) the greatest viewers, oldest first.

A row is a plain list of these six in this order, so that every library can keep it as it likes to.
Pure, and without dependencies, for programs in environments of their own import it too. The Java
program has its own (`kafka_streams/src/main/java/peers/Figures.java`), which is held to this one by
comparing what both have kept of the same events.
"""

from datetime import datetime
from typing import Any

OPEN = 15
MINUTE = 60_000

Row = list[Any]


def millis(text: str) -> int:
    """Read the time of an event: milliseconds since 1970."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def add(row: Row | None, at: int, viewers: int) -> Row:
    """Add an event to a row, in place where there is one, and return the row."""
    minute = at // MINUTE
    if not row:
        return [1, 0, viewers, at, viewers, [[minute, viewers]]]
    minutes = row[5]
    newest = minutes[-1][0]
    if minute == newest:
        minutes[-1][1] = max(minutes[-1][1], viewers)
    elif minute > newest:
        row[5] = [each for each in minutes if each[0] > minute - OPEN]
        row[5].append([minute, viewers])
    elif minute <= newest - OPEN:
        row[1] += 1
        return row
    else:
        _put(minutes, minute, viewers)
    row[0] += 1
    if (at, viewers) > (row[3], row[2]):
        row[2], row[3] = viewers, at
    row[4] = max(row[4], viewers)
    return row


def _put(minutes: list[list[int]], minute: int, viewers: int) -> None:
    place = next(n for n, each in enumerate(minutes) if each[0] >= minute)
    if minutes[place][0] == minute:
        minutes[place][1] = max(minutes[place][1], viewers)
    else:
        minutes.insert(place, [minute, viewers])
