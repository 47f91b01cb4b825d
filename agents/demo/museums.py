"""The museums' broadcasts of 2020, minute by minute.

A handful of figures was published; `data/museums.json` holds them, with null where nothing was,
and beside them what was made to fit (`data/README.md` says which is which, number by number). From
these the generator makes what a platform would have sent: a `started`, about a sample a minute, an
`ended`, with the faults that real input has. It is deterministic: the same records, byte for byte,
each time.

The faults, all of them harmless to the figures:

* samples jitter over minute borders: a minute may have two, and the next none;
* one sample of each broadcast does not know its viewers (Fliggy's says null, Kuaishou's -1);
* some records come twice, and some late and so out of order, within the lateness allowed;
* one minute of the Louvre is tenfold too high until a higher revision restates it.
"""

from __future__ import annotations

import random
from datetime import datetime  # noqa: TC003 - msgspec reads the annotation
from functools import cache
from importlib.resources import files
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import orjson

from agents.demo.record import MINUTE, SECOND, SourceRecord, key_of, rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Where in its minute a sample is taken, and how far from that it strays: over the border at times.
_PHASE: Final = 57 * SECOND
_JITTER: Final = 8 * SECOND
_NOISE: Final = 0.015
_DOUBLED: Final = 0.02
_DELAYED: Final = 0.03
#: The longest delay of a delayed record: less than any lateness that a setting allows by default.
_DELAY: Final = 5 * MINUTE
_TENFOLD: Final = 10


class Published(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was published of a broadcast; None is: nothing was.

    Attributes:
        day: Its date, or its month.
        minutes: How long it was, in minutes.
        first_minute: Viewers in its first minute.
        views: Views in all.
    """

    day: str | None
    minutes: int | None
    first_minute: int | None
    views: int | None


class Synthetic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was made up so that the published figures come out.

    Attributes:
        start: The start of its first minute, RFC 3339.
        minutes: How long it is, in minutes.
        audience: Corners `(minute, viewers)` of the audience's course, the first at minute 0.
        views: Views in all at its end; None where the platform gives none.
        joins: Whether the platform gives joins.
        unknown: The minute in which the platform does not know the viewers.
        corrected: The minute that is tenfold too high until it is corrected; None for none.
    """

    start: datetime
    minutes: int
    audience: tuple[tuple[int, int], ...]
    views: int | None
    joins: bool
    unknown: int
    corrected: int | None


class Museum(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One museum's broadcast: what it is called, what was published, what was made up."""

    platform: str
    broadcast: str
    venue: str
    programme: str | None
    title: str
    published: Published
    made: Synthetic

    @property
    def key(self) -> bytes:
        """The key of its records."""
        return key_of(self.platform, self.broadcast)

    @property
    def start(self) -> int:
        """The start of its first minute, in microseconds since 1970."""
        return int(self.made.start.timestamp()) * SECOND


class _Observation(NamedTuple):
    """What the platform saw at a moment, before any fault of the way to us."""

    at: int
    viewers: int
    minute: int


@cache
def museums() -> tuple[Museum, ...]:
    """Return the museums' broadcasts of the data file."""
    data = files("agents.demo").joinpath("data", "museums.json").read_bytes()
    return msgspec.json.decode(data, type=tuple[Museum, ...])


def course(corners: tuple[tuple[int, int], ...], minute: int) -> float:
    """Return the viewers at a minute, on straight lines between the corners, level outside them."""
    before = max((c for c in corners if c[0] <= minute), default=corners[0])
    after = min((c for c in corners if c[0] > minute), default=before)
    if after[0] == before[0]:
        return float(before[1])
    share = (minute - before[0]) / (after[0] - before[0])
    return before[1] + share * (after[1] - before[1])


def records(museum: Museum) -> list[SourceRecord]:
    """Return the records of one museum's broadcast in the order in which they were sent."""
    # Not for secrets: the same seed gives the same broadcast on every machine.
    rng = random.Random(f"{museum.platform}:{museum.broadcast}")  # noqa: S311 - see above
    seen = _observations(museum, rng)
    joined = list(_joins(museum, seen))
    viewed = _views(museum, seen)
    started = museum.start + int(3 * SECOND * rng.random())
    ended = museum.start + museum.made.minutes * MINUTE - SECOND // 2

    sent = [_event(museum, started, started, kind="started")]
    for observed, joins, views in zip(seen, joined, viewed, strict=True):
        sent += _samples(museum, observed, {"joins": joins, "views": views}, ended, rng)
    sent.append(_event(museum, ended, ended + SECOND, kind="ended", views=museum.made.views))
    return sorted(sent, key=lambda record: record.sent)


def _observations(museum: Museum, rng: random.Random) -> list[_Observation]:
    made = museum.made
    seen = [_Observation(museum.start + _PHASE, made.audience[0][1], 0)]
    # The last minute is left to the jitter of the sample before it and to the `ended` event.
    for minute in range(1, made.minutes - 1):
        stray = int(_JITTER * (2 * rng.random() - 1))
        if minute in (made.unknown - 1, made.unknown, made.corrected):
            # Nothing strays into the minute that is to be unknown, nor out of it, and what is to be
            # corrected is corrected in its own minute.
            stray = -abs(stray)
        viewers = round(course(made.audience, minute) * (1 + _NOISE * (2 * rng.random() - 1)))
        at = museum.start + minute * MINUTE + _PHASE + stray
        seen.append(_Observation(at, viewers, minute))
    return seen


def _joins(museum: Museum, seen: list[_Observation]) -> Iterator[int | None]:
    """Yield, for each observation, who has joined since its minute began."""
    for observed in seen:
        # All of the first minute joined in it; later a twelfth of the audience is new each minute.
        share = 1 if observed.minute == 0 else 12
        yield observed.viewers // share if museum.made.joins else None


def _views(museum: Museum, seen: list[_Observation]) -> Iterator[int | None]:
    """Yield, for each observation, the views so far: they grow as watch time does."""
    total = sum(observed.viewers for observed in seen)
    for watched in accumulate(observed.viewers for observed in seen):
        yield None if museum.made.views is None else museum.made.views * watched // total


def _samples(
    museum: Museum,
    observed: _Observation,
    counted: dict[str, int | None],
    ended: int,
    rng: random.Random,
) -> Iterator[SourceRecord]:
    """Yield the records of one observation: one as a rule."""
    viewers: int | None = observed.viewers
    if observed.minute == museum.made.unknown:
        viewers = -1 if museum.platform == "kuaishou" else None
    # All that is sent before the end arrives before it, so that its summary is whole at once.
    latest = ended - observed.at
    sent = observed.at + int(SECOND * (0.2 + rng.random()))
    if rng.random() < _DELAYED:
        sent = observed.at + min(MINUTE + int((_DELAY - MINUTE) * rng.random()), latest)
    if observed.minute == museum.made.corrected:
        wrong = observed.viewers * _TENFOLD
        yield _event(museum, observed.at, sent, viewers=wrong, **counted)
        again = sent + 3 * MINUTE
        yield _event(museum, observed.at, again, viewers=viewers, revision=1, **counted)
        return
    record = _event(museum, observed.at, sent, viewers=viewers, **counted)
    yield record
    if rng.random() < _DOUBLED:
        yield record._replace(sent=observed.at + min(sent - observed.at + 9 * SECOND, latest))


def _event(museum: Museum, at: int, sent: int, **fields: Any) -> SourceRecord:
    """Return a record of a viewer event; a field that is None is left out, but for viewers."""
    event: dict[str, Any] = {
        "platform": museum.platform,
        "broadcast": museum.broadcast,
        "at": rfc3339(at),
        "venue": museum.venue,
        "programme": museum.programme,
        "title": museum.title,
        **fields,
    }
    kept = {name: value for name, value in event.items() if value is not None or name == "viewers"}
    return SourceRecord(museum.key, orjson.dumps(kept), sent)
