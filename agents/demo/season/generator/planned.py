"""What is planned of each broadcast before any record is made: all that makes the totals."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

import msgspec

from agents.demo.museums import Museum, museums
from agents.demo.season.generator import calendar
from agents.demo.season.generator.shares import shares
from agents.demo.season.generator.venues import venue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    Counts = Literal["views", "joins", "both"]

FLIGGY: Final = "fliggy"
KUAISHOU: Final = "kuaishou"

#: One broadcast in so many is shown on Kuaishou too.
_SIMULCAST_EVERY: Final = 83
#: How a broadcast's views are told: the weights of `_COUNTS`.
_COUNTS: Final = ("views", "joins", "both")
_COUNTS_WEIGHTS: Final = (75, 20, 5)
_SHORTEST: Final = 10
_LONGEST: Final = 240
_MEAN: Final = 40
#: Sizes are lognormal: the spread of their logarithm, and what the heaviest of them come near.
_SPREAD: Final = 1.5
_HEAVIEST: Final = 600.0
#: Views that the smallest broadcast has; what is heavier has more on top of it.
_FEWEST: Final = 40
_FINENESS: Final = 1_000_000

#: Views of those museums' broadcasts of which none were published: made to fit their audiences.
_MUSEUM_VIEWS: Final = {
    "fliggy:louvre-2020-09-25": 3_450_000,
    "fliggy:versailles-2020": 2_700_000,
    "fliggy:prado-2020": 640_000,
}


class Planned(msgspec.Struct, frozen=True, gc=False):
    """One broadcast to be made.

    Attributes:
        platform: Where it is shown.
        broadcast: Its id, unique on its platform.
        venue: Where it takes place.
        programme: What joins it to the same show elsewhere; None if it is shown here alone.
        start: The minute for which it is announced, in microseconds since 1970.
        minutes: How long it is.
        views: Its views in all, by the contract's rule for scopes.
        counts: How the platform tells them: as `views`, as `joins` by the minute, or as both.
        seed: Of all else about it.
    """

    platform: str
    broadcast: str
    venue: str
    programme: str | None
    start: int
    minutes: int
    views: int
    counts: Counts
    seed: int


class _Draft(msgspec.Struct, gc=False):
    """A broadcast whose size is known against the others' alone."""

    platform: str
    venue: str
    programme: str | None
    start: int
    minutes: int
    weight: int


def known_broadcasts() -> list[Museum]:
    """Return the museums' broadcasts of the demo, all of them with views.

    Raises:
        KeyError: Nothing is said of the views of one of them.
    """
    return [museum if museum.made.views else _with_views(museum) for museum in museums()]


def plan(seed: int, broadcasts: int, views: int) -> list[Planned | Museum]:
    """Plan a season, the museums' broadcasts among it, by start.

    Args:
        seed: Of everything but those.
        broadcasts: How many there are in all.
        views: How many they have together: exactly.

    Raises:
        ValueError: There are too few broadcasts or views for the museums alone.
    """
    theirs = known_broadcasts()
    others = broadcasts - len(theirs)
    # The `or 0` is never needed: all of them have views by now.
    left = views - sum(museum.made.views or 0 for museum in theirs) - _FEWEST * others
    if others < 1 or left < 0:
        raise ValueError(
            f"{broadcasts} broadcasts with {views} views: the {len(theirs)} museums alone have more"
        )
    # Not for secrets: the same seed gives the same season.
    rng = random.Random(seed)  # noqa: S311 - see above
    sketches = sorted(_sketches(rng, others), key=lambda sketch: sketch.start)
    sizes = shares(left, [sketch.weight for sketch in sketches])
    planned = [
        _planned(number, sketch, _FEWEST + size, rng)
        for number, (sketch, size) in enumerate(zip(sketches, sizes, strict=True), 1)
    ]
    return sorted([*planned, *theirs], key=lambda broadcast: broadcast.start)


def _sketches(rng: random.Random, count: int) -> Iterator[_Draft]:
    simulcasts = count // _SIMULCAST_EVERY
    for number in range(count - simulcasts):
        sketch = _sketch(rng)
        if number < simulcasts:
            programme = f"evening-{number + 1}-at-{sketch.venue}"
            sketch.programme = programme
            yield msgspec.structs.replace(
                sketch, platform=KUAISHOU, weight=int(sketch.weight * (0.2 + 0.8 * rng.random()))
            )
        yield sketch


def _sketch(rng: random.Random) -> _Draft:
    start = calendar.start(rng)
    place, fame = venue(rng)
    minutes = min(_LONGEST, _SHORTEST + int(rng.expovariate(1 / (_MEAN - _SHORTEST))))
    size = rng.lognormvariate(0, _SPREAD) * fame * calendar.pull(start)
    size *= _HEAVIEST / (_HEAVIEST + size)
    return _Draft(FLIGGY, place, None, start, minutes, int(size * _FINENESS))


def _planned(number: int, sketch: _Draft, views: int, rng: random.Random) -> Planned:
    (counts,) = rng.choices(_COUNTS, weights=_COUNTS_WEIGHTS)
    return Planned(
        sketch.platform,
        f"{sketch.venue}-{number:05d}",
        sketch.venue,
        sketch.programme,
        sketch.start,
        sketch.minutes,
        views,
        counts,  # type: ignore[arg-type]  # one of those that it may be
        rng.getrandbits(48),
    )


def _with_views(museum: Museum) -> Museum:
    made = msgspec.structs.replace(museum.made, views=_MUSEUM_VIEWS[museum.key.decode()])
    return msgspec.structs.replace(museum, made=made)
