"""When broadcasts start: the season's days, its weekends, and the evenings of Beijing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from streams.rfc3339 import DAY, MINUTE, SECOND

if TYPE_CHECKING:
    import random

FIRST: Final = datetime(2020, 2, 1, tzinfo=UTC)
END: Final = datetime(2020, 10, 1, tzinfo=UTC)
"""The first moment after the season."""

_DAYS: Final = (END - FIRST).days
_FIRST_AT: Final = int(FIRST.timestamp()) * SECOND
#: Beijing's clock is so many minutes ahead of UTC.
BEIJING: Final = 8 * 60
_WEEKEND: Final = 1.7
_SATURDAY: Final = 5
#: How much is on by the hour, from 8 to 23 in Beijing, which is 0 to 15 in UTC: the evening most.
_HOURS: Final = (2, 4, 8, 8, 5, 5, 8, 8, 6, 5, 6, 14, 22, 16, 7, 2)
#: From hardly anything in the first days to all of it: this many days.
_RISE: Final = 45
#: How often a broadcast is announced for the full or the half hour.
_ANNOUNCED: Final = 0.6


def _day_weight(day: int) -> float:
    weekday = (FIRST + timedelta(days=day)).weekday()
    rise = 0.15 + 0.85 * min(1.0, day / _RISE)
    return rise * (_WEEKEND if weekday >= _SATURDAY else 1.0)


_BY_DAY: Final = list(accumulate(_day_weight(day) for day in range(_DAYS)))
_BY_HOUR: Final = list(accumulate(_HOURS))
_BUSIEST: Final = max(_HOURS)


def start(rng: random.Random) -> int:
    """Return the minute for which a broadcast is announced, in microseconds since 1970."""
    (day,) = rng.choices(range(_DAYS), cum_weights=_BY_DAY)
    (hour,) = rng.choices(range(len(_HOURS)), cum_weights=_BY_HOUR)
    step = 30 if rng.random() < _ANNOUNCED else 1
    minute = step * int(60 // step * rng.random())
    return _FIRST_AT + day * DAY + (hour * 60 + minute) * MINUTE


def pull(at: int) -> float:
    """Return how many people have time to watch at a time: 0 to 1 and a weekend's more."""
    day, of_day = divmod(at - _FIRST_AT, DAY)
    hour = of_day // (60 * MINUTE)
    weekday = (FIRST + timedelta(days=day)).weekday()
    return (_WEEKEND if weekday >= _SATURDAY else 1.0) * (0.3 + 0.7 * _HOURS[hour] / _BUSIEST)
