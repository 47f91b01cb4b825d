"""One run of a broadcast: every figure of sections 2, 3 and 5 by brute force from all its events.

Each method is the definition in the contract, worked out anew each time it is asked. Times are
microseconds since 1970, minutes are minutes since 1970, both in UTC.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from itertools import pairwise
from typing import Any

from contract.rules import Rules

from streams.viewer_event import ViewerEvent

MINUTE = 60_000_000


@dataclass(frozen=True, slots=True)
class Told:
    """An accepted event."""

    event: ViewerEvent
    at: int

    @property
    def minute(self) -> int:
        return self.at // MINUTE


@dataclass(frozen=True, slots=True)
class Cell:
    """What the events of the highest revision say of one minute; None is unknown."""

    audience: int | None
    audience_at: int | None
    high: int | None
    joins: int | None
    views: int | None


def _once(method: Callable[["Run"], Any]) -> Callable[["Run"], Any]:
    """Work a definition out once for the events there are: the next event forgets it."""

    @wraps(method)
    def known(run: "Run") -> Any:
        name = method.__name__
        if name not in run.known:
            run.known[name] = method(run)
        return run.known[name]

    return known


class Run:
    """One run. `began` is its minute, None for a first run; minutes up to `sealed` are closed."""

    def __init__(self, rules: Rules, began: int | None = None, sealed: int = -1):
        self.rules = rules
        self.began = began
        self.told: list[Told] = []
        self.late = 0
        self.venue: str | None = None
        self.programme: str | None = None
        self.relabelled = 0
        self.known: dict[str, Any] = {}
        self._sealed = sealed

    # -- what is accepted (sections 3 and 5) -----------------------------------------------------

    def is_late(self, at: int) -> bool:
        return at // MINUTE <= self.sealed()

    def sealed(self) -> int:
        """The newest minute that is sealed."""
        if not self.told:
            return self._sealed
        return max(self._sealed, self.newest() - self.rules.lateness)

    def accept(self, event: ViewerEvent, at: int) -> None:
        sealed = self.sealed()
        settled = any(told.minute <= sealed for told in self.told)
        self.told.append(Told(event, at))
        self.known.clear()
        if settled:
            self.relabelled += event.venue not in (None, self.venue) or (
                event.programme not in (None, self.programme)
            )
            return
        venues = [(t.at, t.event.venue) for t in self.told if t.event.venue is not None]
        named = [(t.at, t.event.programme) for t in self.told if t.event.programme is not None]
        self.venue = min(venues)[1] if venues else None
        self.programme = min(named)[1] if named else None

    # -- the span (section 2) --------------------------------------------------------------------

    @_once
    def newest(self) -> int:
        return max(told.minute for told in self.told)

    @_once
    def started(self) -> list[Told]:
        """The `started` events that count for `started_at`."""
        started = [told for told in self.told if told.event.kind == "started"]
        highest = max((told.event.revision for told in started), default=0)
        return [told for told in started if told.event.revision == highest]

    @_once
    def started_at(self) -> int:
        return min(told.at for told in self.started() or self.told)

    @_once
    def ended_at(self) -> int | None:
        ended = [told.at for told in self.told if told.event.kind == "ended"]
        if not ended:
            return None
        end = max(ended)
        for told in self.told:
            if told.event.kind == "started" and told.at > end:
                return None
            if (told.event.viewers or 0) > 0 and told.at > end + self.rules.tolerance * MINUTE:
                return None
        return end

    def first(self) -> int:
        """The span's first minute."""
        return self.started_at() // MINUTE

    def last(self) -> int:
        """The span's last minute."""
        end = self.ended_at()
        return self.newest() if end is None else end // MINUTE

    # -- cells -----------------------------------------------------------------------------------

    @_once
    def cells(self) -> dict[int, Cell]:
        by_minute: dict[int, list[Told]] = {}
        for told in self.told:
            event = told.event
            silent = event.viewers is None and event.joins is None and event.views is None
            if not (silent and event.kind in ("started", "ended")):
                by_minute.setdefault(told.minute, []).append(told)
        cells = {}
        for minute, events in by_minute.items():
            highest = max(told.event.revision for told in events)
            counting = [told for told in events if told.event.revision == highest]
            audiences = [(t.at, t.event.viewers) for t in counting if t.event.viewers is not None]
            at, audience = max(audiences, default=(None, None))
            cells[minute] = Cell(
                audience,
                at,
                max((viewers for _, viewers in audiences), default=None),
                max((t.event.joins for t in counting if t.event.joins is not None), default=None),
                max((t.event.views for t in counting if t.event.views is not None), default=None),
            )
        return cells

    @_once
    def observed(self) -> dict[int, tuple[int, int]]:
        """The observed minutes of the span, in their order, with audience and high."""
        first, last = self.first(), self.last()
        started_at, ended_at, starts = self.started_at(), self.ended_at(), bool(self.started())
        observed = {}
        for minute, cell in sorted(self.cells().items()):
            if cell.audience is None or not first <= minute <= last:
                continue
            at_start = starts and minute == first
            at_end = ended_at is not None and minute == ended_at // MINUTE
            if (at_start and cell.audience_at < started_at) or (
                at_end and cell.audience_at > ended_at
            ):
                continue
            high = cell.audience if at_start or at_end else cell.high
            observed[minute] = (cell.audience, high)
        return observed

    def waiting(self) -> list[int]:
        """What was highest in each minute of the waiting room."""
        first, started_at, starts = self.first(), self.started_at(), bool(self.started())
        highs = []
        for minute, cell in self.cells().items():
            if cell.high is not None and minute < first:
                highs.append(cell.high)
            at_start = starts and minute == first and cell.audience is not None
            if at_start and cell.audience_at < started_at:
                highs.append(cell.audience)
        return highs

    def carried(self, observed: dict[int, int], last: int | None) -> dict[int, int]:
        """The minutes that carry from those given, up to and with `last`, with their audience."""
        carry, carried = self.rules.carry, {}
        for minute in {seen + more for seen in observed for more in range(1, carry + 1)}:
            if minute not in observed and (last is None or minute <= last):
                source = next(m for m in range(minute - 1, minute - carry - 1, -1) if m in observed)
                carried[minute] = observed[source]
        return carried

    @_once
    def in_scopes(self) -> dict[int, int]:
        """Minutes with the audience that it adds to its scopes (section 7), past its newest too.

        The start means nothing here: those who wait are there.
        """
        end = self.ended_at()
        observed = {}
        for minute, cell in self.cells().items():
            told_in_time = end is None or (cell.audience_at or 0) <= end
            if cell.audience is not None and told_in_time:
                observed[minute] = cell.audience
        return observed | self.carried(observed, None if end is None else end // MINUTE)

    # -- figures ---------------------------------------------------------------------------------

    def figures(self) -> dict[str, object]:
        """All of section 3: the summary's and, of the newest minutes, `viewers` and peaks."""
        observed, cells = self.observed(), self.cells()
        first, last, newest = self.first(), self.last(), self.newest()
        audiences = {minute: audience for minute, (audience, _) in observed.items()}
        highs = {minute: high for minute, (_, high) in observed.items()}
        carried = self.carried(audiences, last)
        peak = max(highs.values(), default=None)
        with_audience = len(observed) + len(carried)
        viewer_minutes = sum(audiences.values()) + sum(carried.values())
        seen = [(minute, audience) for minute, audience in audiences.items() if audience > 0]
        views = {m: c.views for m, c in cells.items() if c.views is not None and first <= m <= last}
        titles = [(t.at, t.event.title) for t in self.told if t.event.title is not None]
        return {
            "venue": self.venue or "unknown",
            "programme": self.programme,
            "title": max(titles)[1] if titles else None,
            "run": self.began,
            "started_at": self.started_at(),
            "ended_at": self.ended_at(),
            "viewers": audiences[max(audiences)] if audiences else None,
            "peak": peak,
            "peak_at": min((minute for minute in highs if highs[minute] == peak), default=None),
            "peak_5m": max((high for m, high in highs.items() if newest - m < 5), default=None),
            "peak_1h": max((high for m, high in highs.items() if newest - m < 60), default=None),
            "peak_held": max(self._held(audiences), default=None),
            "waiting_peak": max(self.waiting(), default=None),
            "first_minute": audiences.get(first),
            "first_audience": seen[0][1] if seen else None,
            "first_audience_at": seen[0][0] if seen else None,
            "viewer_minutes": viewer_minutes,
            "minutes_observed": len(observed),
            "minutes_carried": len(carried),
            "minutes_live": last - first + 1,
            "coverage": len(observed) / (last - first + 1),
            "average": viewer_minutes / with_audience if with_audience else None,
            "joins": sum(c.joins or 0 for m, c in cells.items() if first <= m <= last),
            "views": views[max(views)] if views else None,
            "events": len(self.told),
            "late": self.late,
        }

    def _held(self, audiences: dict[int, int]) -> Iterator[int]:
        minutes = sorted(audiences)
        for before, after in pairwise(minutes):
            held = min(audiences[before], audiences[after])
            if after - before <= self.rules.carry + 1 and held > 0:
                yield held

    # -- where a new run begins (section 4) ------------------------------------------------------

    def restart(self) -> int:
        """The end of the gap: a new run begins after this minute."""
        end = self.ended_at()
        if end is not None:
            return end // MINUTE + self.rules.restart_gap
        shown = [told.minute for told in self.told if told.event.viewers != 0]
        return max(shown, default=self.newest()) + self.rules.run_gap
