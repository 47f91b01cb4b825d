"""The figures of one broadcast, and its summary (contract, section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from streams.audience.bounds import LARGEST_SUM
from streams.audience.broadcast import LONGEST_WINDOW
from streams.audience.minute import MINUTE
from streams.audience.unfolded import carried, joins, observations, views
from streams.summaries import BroadcastSummary, minute_text, number, time_text

if TYPE_CHECKING:
    from streams.audience.broadcast import Row
    from streams.summaries import Status

_SHORT_WINDOW: Final = 5


class Figures(msgspec.Struct, gc=False):
    """The figures of one broadcast.

    Times are microseconds since 1970 UTC, minutes are minutes since 1970 UTC. What the words mean
    stands in the contract.

    Attributes:
        viewers: None if no minute was observed.
        peak: None if no viewers were ever known, like the other two.
        peak_minute: The earliest minute that reached `peak`.
        peak_5m: The same over the last 5 minutes, the newest included.
        peak_1h: The same over the last 60.
        first_minute: None if the minute of `started_at` was not observed.
        viewer_minutes: Viewers times minutes.
        minutes_observed: How many.
        minutes_carried: How many more had an audience without being observed.
        minutes_live: From the minute of `started_at` to the newest, both included.
        coverage: From 0 to 1.
        average: Viewers; None without any audience.
        joins: 0 if never given.
        views: None if never given.
        events: Records accepted.
        late: Records refused as late while it was live.
        started_at: A time.
        ended_at: A time; None while it goes on.
        newest: Its newest minute.
        newest_at: The latest `at` of its accepted events.
    """

    viewers: int | None
    peak: int | None
    peak_minute: int | None
    peak_5m: int | None
    peak_1h: int | None
    first_minute: int | None
    viewer_minutes: int
    minutes_observed: int
    minutes_carried: int
    minutes_live: int
    coverage: float
    average: float | None
    joins: int
    views: int | None
    events: int
    late: int
    started_at: int
    ended_at: int | None
    newest: int
    newest_at: int


def figures(row: Row) -> Figures:
    """The figures of a broadcast as its accepted events have them; the row stays as it is."""
    newest, started_at = row.newest, row.started_at
    observed = observations(row)
    minutes_observed = row.observed + len(observed)
    viewer_minutes = row.viewer_minutes + sum([audience for _, audience, _ in observed])
    minutes_carried = row.carried
    for before, until, audience in carried(row, observed, newest):
        minutes_carried += until - before
        viewer_minutes += audience * (until - before)
    if row.released:
        minutes_carried += len(row.suppressed) + row.suppressed_zeros
        viewer_minutes += sum(row.suppressed.values())
    peak, peak_minute = row.peak, row.peak_minute
    for minute, _, high in observed:
        if peak is None or high > peak:
            peak, peak_minute = high, minute
    minutes_live = newest - started_at // MINUTE + 1
    return Figures(
        viewers=observed[-1][1] if observed else row.last_audience,
        peak=peak,
        peak_minute=peak_minute,
        peak_5m=_peak_after(newest - _SHORT_WINDOW, row, observed),
        peak_1h=_peak_after(newest - LONGEST_WINDOW, row, observed),
        first_minute=_first_minute(row),
        viewer_minutes=min(viewer_minutes, LARGEST_SUM),
        minutes_observed=minutes_observed,
        minutes_carried=minutes_carried,
        minutes_live=minutes_live,
        coverage=min(1.0, minutes_observed / minutes_live),
        average=viewer_minutes / (minutes_observed + minutes_carried) if minutes_observed else None,
        joins=min(joins(row), LARGEST_SUM),
        views=views(row),
        events=row.events,
        late=row.late,
        started_at=started_at,
        ended_at=row.ended_at,
        newest=newest,
        newest_at=row.newest_at,
    )


def _peak_after(minute: int, row: Row, observed: list[tuple[int, int, int]]) -> int | None:
    """The greatest high of the minutes after `minute`, at most `LONGEST_WINDOW` of them."""
    highs = [high for when, _, high in observed if when > minute]
    for when, high in row.recent.items():
        if when > minute:
            highs.append(high)  # those that follow are smaller
            break
    return max(highs, default=None)


def _first_minute(row: Row) -> int | None:
    first = row.started_at // MINUTE
    if first <= row.folded:
        return row.first_audience
    cell = row.cells.get(first)
    return None if cell is None else cell.audience


def summary(platform: str, broadcast: str, row: Row, status: Status) -> BroadcastSummary:
    """What is published of a broadcast.

    Args:
        platform: Where it is shown.
        broadcast: The platform's id of it.
        row: What is kept of it.
        status: `live`, `ended` or `final`.
    """
    told = figures(row)
    return BroadcastSummary(
        platform=platform,
        broadcast=broadcast,
        venue=row.venue or "unknown",
        programme=row.programme,
        title=row.title,
        status=status,
        started_at=time_text(told.started_at),
        ended_at=None if told.ended_at is None else time_text(told.ended_at),
        peak=told.peak,
        peak_at=None if told.peak_minute is None else minute_text(told.peak_minute),
        first_minute=told.first_minute,
        viewer_minutes=told.viewer_minutes,
        minutes_observed=told.minutes_observed,
        minutes_live=told.minutes_live,
        coverage=number(told.coverage),
        average=None if told.average is None else number(told.average),
        joins=told.joins,
        views=told.views,
        events=told.events,
        late=told.late,
    )
