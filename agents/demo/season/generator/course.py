"""How an audience goes: a fast first minute, a rise, a plateau, a long tail."""

from __future__ import annotations

from math import exp
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random

#: People stay so many minutes, in the mean of a broadcast, but no more than that part of it.
_STAY: Final = (4.0, 10.0)
_STAY_PART: Final = 0.35
#: What is there at the end of the first minute, as a part of the plateau.
_FIRST: Final = (0.35, 0.95)
#: By how much a plateau falls until the end.
_SAG: Final = 0.25
#: When the tail begins, as a part of the length, and what is left of the audience at last.
_TAIL: Final = (0.6, 0.9)
_LEFT: Final = (0.15, 0.5)
_NOISE: Final = 0.03


def audience(views: int, minutes: int, rng: random.Random) -> list[int]:
    """Return concurrent viewers minute by minute, never more than there are views.

    Args:
        views: Views in all.
        minutes: How long it is, at least 10.
        rng: Its shape.
    """
    between = rng.uniform
    first = between(*_FIRST)
    rise = 1.0 + 0.08 * minutes * rng.random()
    tail = minutes * between(*_TAIL)
    left = between(*_LEFT)
    fall = (minutes - tail) / 2
    sag = _SAG * rng.random() / minutes
    level = []
    for minute in range(minutes):
        height = (1.0 - (1.0 - first) * exp(-minute / rise)) * (1.0 - sag * minute)
        if minute > tail:
            height *= left + (1.0 - left) * exp((tail - minute) / fall)
        level.append(height)
    stay = min(between(*_STAY), _STAY_PART * minutes)
    scale = views * stay / sum(level)
    noise = rng.random
    return [
        min(views, int(scale * height * (1.0 + _NOISE * (2.0 * noise() - 1.0)))) for height in level
    ]
