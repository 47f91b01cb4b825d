"""The figures of one run of a broadcast, and its summary (contract, section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from streams.audience.bounds import LARGEST_SUM
from streams.audience.open_minutes import span_totals, view, waiting_peak
from streams.audience.totals import MAX_WINDOW
from streams.summaries import BroadcastSummary, minute_text, number, time_text

if TYPE_CHECKING:
    from streams.audience.row import Row
    from streams.summaries import Status

_SHORT_WINDOW: Final = 5


class Figures(msgspec.Struct, gc=False):
    """The figures of one run of a broadcast.

    Times are microseconds since 1970 UTC, minutes are minutes since 1970 UTC. The contract says
    what the words mean. All but the last six are in its summary, and change it.

    Attributes:
        venue: None if it named none.
        programme: Likewise.
        title: Likewise.
        run: The minute of the event that began it; None for a first run.
        started_at: A time.
        ended_at: A time; None while it goes on.
        peak: None if no minute of the span was observed.
        peak_minute: The earliest minute that reached `peak`.
        peak_held: None without.
        waiting_peak: None without.
        first_minute: None if the minute of `started_at` was not observed.
        first_audience: None without an audience > 0.
        first_audience_minute: Its minute.
        viewer_minutes: Viewers times minutes.
        minutes_observed: How many.
        minutes_carried: How many more had an audience without being observed.
        minutes_live: How many minutes the span has.
        coverage: From 0 to 1.
        average: Viewers; None without any audience.
        joins: 0 if never given.
        views: None if never given.
        events: Records accepted.
        late: Records refused since their minute was sealed.
        viewers: Audience of the newest observed minute; None without one.
        peak_5m: `peak` of the 5 minutes up to the newest minute.
        peak_1h: The same of 60.
        newest_at: The latest `at` of its accepted events, a time.
    """

    venue: str | None
    programme: str | None
    title: str | None
    run: int | None
    started_at: int
    ended_at: int | None
    peak: int | None
    peak_minute: int | None
    peak_held: int | None
    waiting_peak: int | None
    first_minute: int | None
    first_audience: int | None
    first_audience_minute: int | None
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
    viewers: int | None
    peak_5m: int | None
    peak_1h: int | None
    newest_at: int

    def published(self) -> tuple[object, ...]:
        """All that a summary says but for `status`, `events` and `late`."""
        return (
            self.venue,
            self.programme,
            self.title,
            self.run,
            self.started_at,
            self.ended_at,
            self.peak,
            self.peak_minute,
            self.peak_held,
            self.waiting_peak,
            self.first_minute,
            self.first_audience,
            self.first_audience_minute,
            self.viewer_minutes,
            self.minutes_observed,
            self.minutes_carried,
            self.minutes_live,
            self.joins,
            self.views,
        )


def compute_figures(row: Row) -> Figures:
    """The figures of a run as its accepted events have them; the row stays as it is."""
    seen = view(row)
    totals = span_totals(row, seen)
    first = seen.first
    live = totals.until - first + 1
    viewer_minutes = totals.viewer_minutes
    with_audience = totals.observed + totals.carried
    return Figures(
        venue=row.venue,
        programme=row.programme,
        title=row.title,
        run=row.run,
        started_at=row.started_at,
        ended_at=seen.ended,
        peak=totals.peak,
        peak_minute=None if totals.peak is None else totals.peak_minute,
        peak_held=totals.peak_held or None,
        waiting_peak=waiting_peak(row, seen),
        first_minute=totals.first_viewers if totals.first_observed == first else None,
        first_audience=totals.first_audience,
        first_audience_minute=(
            None if totals.first_audience is None else totals.first_audience_minute
        ),
        viewer_minutes=min(viewer_minutes, LARGEST_SUM),
        minutes_observed=totals.observed,
        minutes_carried=totals.carried,
        minutes_live=live,
        coverage=totals.observed / live,
        average=viewer_minutes / with_audience if with_audience else None,
        joins=min(totals.joins, LARGEST_SUM),
        views=totals.views,
        events=row.events,
        late=row.late,
        viewers=totals.last_audience,
        peak_5m=totals.peak_after(row.newest - _SHORT_WINDOW),
        peak_1h=totals.peak_after(row.newest - MAX_WINDOW),
        newest_at=row.newest_at,
    )


def summary(
    platform: str, broadcast: str, row: Row, status: Status, figures: Figures | None = None
) -> BroadcastSummary:
    """What is published of a run.

    Args:
        platform: Where it is shown.
        broadcast: The platform's id of it.
        row: What is kept of it.
        status: `live`, `ended` or `final`.
        figures: Its figures, if they are known; else those of now.
    """
    now = compute_figures(row) if figures is None else figures
    return BroadcastSummary(
        platform=platform,
        broadcast=broadcast,
        run=_minute_text(now.run),
        venue=now.venue or "unknown",
        programme=now.programme,
        title=now.title,
        status=status,
        started_at=time_text(now.started_at),
        ended_at=None if now.ended_at is None else time_text(now.ended_at),
        peak=now.peak,
        peak_at=_minute_text(now.peak_minute),
        peak_held=now.peak_held,
        waiting_peak=now.waiting_peak,
        first_minute=now.first_minute,
        first_audience=now.first_audience,
        first_audience_at=_minute_text(now.first_audience_minute),
        viewer_minutes=now.viewer_minutes,
        minutes_observed=now.minutes_observed,
        minutes_carried=now.minutes_carried,
        minutes_live=now.minutes_live,
        coverage=number(now.coverage),
        average=None if now.average is None else number(now.average),
        joins=now.joins,
        views=now.views,
        events=now.events,
        late=now.late,
    )


def _minute_text(minute: int | None) -> str | None:
    return None if minute is None else minute_text(minute)
