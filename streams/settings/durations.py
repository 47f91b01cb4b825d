"""Durations as people write them: `500ms`, `90s`, `15m`, `2h`, `7d`, and joined: `1h30m`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

_UNITS: Final = {
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1_000,
    "ms": 1,
}
_PART: Final = re.compile(r"(\d{1,12})(ms|[dhms])", re.ASCII)
_WHOLE: Final = re.compile(r"(?:\d{1,12}(?:ms|[dhms]))+", re.ASCII)
_LONGEST: Final = timedelta(days=36_500)

EXAMPLES: Final = "a duration such as 500ms, 90s, 15m, 2h or 7d"


def parse_duration(text: str) -> timedelta:
    """Read a duration.

    Args:
        text: whole numbers, each with its unit (`ms`, `s`, `m`, `h`, `d`), or a bare `0`.

    Raises:
        ValueError: it is none, or longer than 100 years.
    """
    text = text.strip()
    if text == "0":
        return timedelta(0)
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"not {EXAMPLES}")
    total = sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if total > milliseconds(_LONGEST):
        raise ValueError("longer than 100 years")
    return timedelta(milliseconds=total)


def format_duration(duration: timedelta) -> str:
    """Write a duration as `parse_duration` reads it, e.g. `1h30m`; `0s` for none."""
    left = milliseconds(duration)
    parts = []
    for unit, size in _UNITS.items():
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def milliseconds(duration: timedelta) -> int:
    """The duration in whole milliseconds, as Kafka's settings take it."""
    return duration // timedelta(milliseconds=1)


def minutes(duration: timedelta) -> int:
    """The duration in whole minutes, as the arithmetic takes it."""
    return duration // timedelta(minutes=1)
