"""Audiences as steps: what many minutes are in a few numbers.

A step says by how much the audience of a minute is above that of the minute before. A stretch of
any length costs two numbers so, its start and the minute after its end. Steps add up like what they
stand for.
"""

from __future__ import annotations

Steps = dict[int, int]


def by_minute(steps: Steps) -> dict[int, int]:
    """What steps add up to, in ascending order of the minutes; without zeros."""
    minutes: dict[int, int] = {}
    level = since = 0
    for minute in sorted(steps):
        if level:
            if minute - since == 1:
                minutes[since] = level
            else:
                minutes.update(dict.fromkeys(range(since, minute), level))
        level += steps[minute]
        since = minute
    return minutes
