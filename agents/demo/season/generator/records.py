"""The records of one broadcast, with the faults of the way from the platform to us.

None of them changes a total, and none is ever refused:

* a sample does not know its viewers: Fliggy's says null, Kuaishou's -1;
* a sample does not tell its views;
* a record comes twice;
* a record comes up to 10 minutes late and so out of order, which is within the lateness of 15;
* a minute is tenfold too high until a higher revision restates it;
* `started` comes late, or never;
* a platform counts on for a moment after the end.
"""

from __future__ import annotations

import random
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from msgspec import UNSET

from agents.demo.museums import Museum
from agents.demo.museums import records as museum_records
from agents.demo.record import SourceRecord, key_of
from agents.demo.season.generator.event import Event, encode
from agents.demo.season.generator.observed import Observed, observe
from agents.demo.season.generator.planned import KUAISHOU, Planned
from agents.demo.season.generator.times import in_beijing, to_the_millisecond
from streams.rfc3339 import MINUTE, SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agents.demo.season.generator.event import GivenCount
    from streams.viewer_event import Kind

_UNKNOWN: Final = 0.015
_UNTOLD: Final = 0.02
_DOUBLED: Final = 0.015
_DELAYED: Final = 0.02
#: Delays of the delayed: from a minute to so much.
_DELAY: Final = 10 * MINUTE
#: Parts of the broadcasts: with a correction, with `started` late or missing, counting on.
_CORRECTED: Final = 0.04
_STARTED_LATE: Final = 0.1
_STARTED_MISSING: Final = 0.05
_COUNTS_ON: Final = 0.03
_TENFOLD: Final = 10
#: Samples at either end that are never corrected: the first minute and the end are elsewhere.
_SURE: Final = 2


def records_of(broadcast: Planned | Museum) -> list[SourceRecord]:
    """Return the records of a broadcast in the order in which they were sent."""
    if isinstance(broadcast, Museum):
        return museum_records(broadcast)
    # Not for secrets: the same seed gives the same broadcast on every machine.
    rng = random.Random(broadcast.seed)  # noqa: S311 - see above
    return sorted(_RecordMaker(broadcast, rng).records(), key=attrgetter("sent"))


class _RecordMaker:
    """The way of one broadcast's events to us."""

    def __init__(self, broadcast: Planned, rng: random.Random) -> None:
        self._broadcast = broadcast
        self._rng = rng
        self._noise = rng.random
        self._key = key_of(broadcast.platform, broadcast.broadcast)
        kuaishou = broadcast.platform == KUAISHOU
        self._unknown = -1 if kuaishou else None
        self._text: Callable[[int], str] = in_beijing if kuaishou else to_the_millisecond

    def records(self) -> Iterator[SourceRecord]:
        """Yield all records, in no order."""
        seen = observe(self._broadcast, self._rng)
        yield from self._start(seen)
        yield from self._samples(seen)
        yield from self._end(seen)

    def _start(self, seen: Observed) -> Iterator[SourceRecord]:
        lot = self._noise()
        if lot < _STARTED_MISSING:
            return
        late = int((_DELAY - MINUTE) * self._noise()) if lot > 1 - _STARTED_LATE else 0
        yield self._sent(seen.started, late, kind="started", title=self._title())

    def _samples(self, seen: Observed) -> Iterator[SourceRecord]:
        noise, sent = self._noise, self._sent
        corrected = self._corrected(seen)
        for number, (at, viewers, joins, all_views) in enumerate(seen.samples):
            views = all_views if noise() > _UNTOLD else UNSET
            if number == corrected:
                yield sent(at, 0, viewers * _TENFOLD, joins, views)
                wait = 2 * MINUTE + int(3 * MINUTE * noise())
                yield sent(at, wait, viewers, joins, views, revision=1)
                continue
            reported = self._unknown if noise() < _UNKNOWN else viewers
            delay = 0
            if noise() < _DELAYED:
                delay = MINUTE + int((_DELAY - MINUTE) * noise())
            record = sent(at, delay, reported, joins, views)
            yield record
            if noise() < _DOUBLED:
                yield record._replace(sent=record.sent + 1 + int(20 * SECOND * noise()))

    def _end(self, seen: Observed) -> Iterator[SourceRecord]:
        yield self._sent(seen.ended, 0, views=seen.views, kind="ended", title=self._title())
        if self._noise() < _COUNTS_ON:
            after = seen.ended + 20 * SECOND + int(80 * SECOND * self._noise())
            viewers = seen.samples[-1].viewers // 3
            yield self._sent(after, 0, viewers, views=seen.views)

    def _corrected(self, seen: Observed) -> int:
        """Return which sample is wrong at first, -1 for none: one that is alone in its minute."""
        samples = seen.samples
        if self._noise() < _CORRECTED:
            number = _SURE + int((len(samples) - 2 * _SURE) * self._noise())
            before, here, after = (
                sample.at // MINUTE for sample in samples[number - 1 : number + 2]
            )
            if before < here < after:
                return number
        return -1

    def _title(self) -> str:
        return f"Live from {self._broadcast.venue.replace('-', ' ').title()}"

    def _sent(
        self,
        at: int,
        delay: int,
        viewers: GivenCount | None = UNSET,
        joins: GivenCount = UNSET,
        views: GivenCount = UNSET,
        kind: Kind = "sample",
        title: str | None = None,
        revision: int = 0,
    ) -> SourceRecord:
        shown = self._broadcast
        event = Event(
            shown.platform,
            shown.broadcast,
            self._text(at),
            kind,
            viewers,
            joins,
            views,
            shown.venue,
            shown.programme,
            title,
            revision,
        )
        sent = at + delay + int(SECOND * (0.2 + self._noise()))
        return SourceRecord(self._key, encode(event), sent)
