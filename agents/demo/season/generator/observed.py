"""What the platform sees of a broadcast, before any fault of the way to us."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec import UNSET

from agents.demo.season.generator.course import audience
from agents.demo.season.generator.shares import shares
from streams.rfc3339 import MINUTE, SECOND

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from agents.demo.season.generator.event import GivenCount
    from agents.demo.season.generator.planned import Planned

#: How far a sample strays from its place in the minute: over the border at times.
_JITTER: Final = 8 * SECOND
#: It starts within so much of the announced minute.
_PUNCTUAL: Final = 4 * SECOND
#: A part of the broadcasts has a gap, of so many samples: more than are carried, at times.
_WITH_GAP: Final = 0.12
_GAP: Final = 7
#: Samples at either end that a gap leaves alone.
_WHOLE: Final = 2


class Sample(NamedTuple):
    """One look at the counters of a broadcast.

    Attributes:
        at: When, in microseconds since 1970.
        viewers: Concurrent viewers.
        joins: Who has joined since the minute began; UNSET if not told.
        views: Views so far; UNSET if not told.
    """

    at: int
    viewers: int
    joins: GivenCount
    views: GivenCount


class Observed(NamedTuple):
    """All looks at a broadcast.

    Attributes:
        started: When it started, in microseconds since 1970.
        samples: By time, one a minute, but for gaps.
        ended: When it ended.
        views: What the platform says at the end; UNSET if it tells joins alone.
    """

    started: int
    samples: list[Sample]
    ended: int
    views: GivenCount


def observe(broadcast: Planned, rng: random.Random) -> Observed:
    """Return what the platform sees, so that it comes to the planned views exactly."""
    noise = rng.random
    started = broadcast.start + int(_PUNCTUAL * noise())
    # However far it strays, the first sample is not before the start; it may miss the first minute.
    place = _PUNCTUAL + _JITTER + int((MINUTE - _PUNCTUAL - _JITTER) * noise())
    viewers = audience(broadcast.views, broadcast.minutes, rng)
    times = [
        broadcast.start + minute * MINUTE + place + int(_JITTER * (2.0 * noise() - 1.0))
        for minute in range(broadcast.minutes)
    ]
    ended = max(times[-1], broadcast.start + broadcast.minutes * MINUTE) + SECOND
    if noise() < _WITH_GAP:
        missing = 1 + int(_GAP * noise())
        first = _WHOLE + int((broadcast.minutes - missing - 2 * _WHOLE + 1) * noise())
        if first + missing <= broadcast.minutes - _WHOLE:
            del times[first : first + missing], viewers[first : first + missing]
    joins: Iterator[GivenCount] = repeat(UNSET)
    views: Iterator[GivenCount] = repeat(UNSET)
    last: GivenCount = UNSET
    if broadcast.counts != "views":
        joins = _joins(broadcast.views, times, viewers)
    if broadcast.counts != "joins":
        views = _views(broadcast.views, viewers)
        last = broadcast.views
    return Observed(started, list(map(Sample, times, viewers, joins, views)), ended, last)


def _views(total: int, viewers: list[int]) -> Iterator[int]:
    """Yield the views at each sample: they grow as watch time does, and are all at the last."""
    views = opening = viewers[0]
    for seen, due in zip(viewers, shares(total - opening, [n + 1 for n in viewers]), strict=True):
        opening += due
        views = max(views, seen, opening)
        yield views


def _joins(total: int, times: list[int], viewers: list[int]) -> Iterator[int]:
    """Yield the joins at each sample: those of the minutes add up to the total.

    The last sample of a minute tells all of that minute, one before it a half.
    """
    minutes = [at // MINUTE for at in times]
    watching = dict(zip(minutes, viewers, strict=True))
    # All that watch the first minute have joined in it; of the later ones a share is new each time.
    first = minutes[0]
    weights = [0 if minute == first else seen + 1 for minute, seen in watching.items()]
    joined = dict(zip(watching, shares(total - watching[first], weights), strict=True))
    joined[first] += watching[first]
    for minute, after in zip(minutes, [*minutes[1:], None], strict=True):
        yield joined[minute] // 2 if minute == after else joined[minute]
