"""Times as the two platforms write them: one in UTC to the millisecond, one in Beijing's time."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from agents.demo.season.generator.calendar import BEIJING
from streams.rfc3339 import MINUTE, SECOND

_EPOCH: Final = date(1970, 1, 1)
_DAY: Final = 24 * 60
_MINUTES: Final = tuple(f"T{minute // 60:02d}:{minute % 60:02d}" for minute in range(_DAY))


def to_the_millisecond(at: int) -> str:
    """Return microseconds since 1970 in UTC, `2020-09-25T12:00:34.250Z`: cut at milliseconds."""
    minute, rest = divmod(at, MINUTE)
    second, rest = divmod(rest, SECOND)
    return f"{_minute(minute)}:{second:02d}.{rest // 1000:03d}Z"


def in_beijing(at: int) -> str:
    """Return microseconds since 1970 in Beijing, `2020-09-25T20:00:34+08:00`: cut at seconds."""
    minute, rest = divmod(at, MINUTE)
    return f"{_minute(minute + BEIJING)}:{rest // SECOND:02d}+08:00"


def _minute(minute: int) -> str:
    day, of_day = divmod(minute, _DAY)
    return _day(day) + _MINUTES[of_day]


@lru_cache(maxsize=1024)
def _day(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).isoformat()
