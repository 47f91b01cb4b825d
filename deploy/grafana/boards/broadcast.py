"""Broadcast: one broadcast's evening."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agents.alerts import Timing
from boards.layout import add_row, moment, new_dashboard, single_variable
from boards.panels import (
    AMBER,
    GREEN,
    MOMENT,
    RED,
    SECONDS,
    SHARE,
    THIRD,
    WHOLE,
    Column,
    Line,
    PanelSeries,
    levels,
    stat_panel,
    table_panel,
    timeseries_panel,
)
from boards.queries import BROADCAST, CHOSEN, broadcasts, max_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grafana_foundation_sdk.builders import stat, table, timeseries
    from grafana_foundation_sdk.builders.dashboard import AnnotationQuery, Dashboard

#: Four stand beside each other.
_QUARTER: Final = WHOLE // 4
_THIS: Final = ('platform="$platform"', 'broadcast="$broadcast"')
_COVERED: Final = 0.9
_SILENCE: Final = Timing().silence
_PEAKS: Final = {"5m": "peak of 5 min", "1h": "peak of 1 h", "broadcast": "peak so far"}


def dashboard() -> Dashboard:
    """Return the dashboard."""
    series = f"audience_broadcast_info{{{CHOSEN}}}"
    of_platform = f'audience_broadcast_info{{{CHOSEN}, platform="$platform"}}'
    board = (
        new_dashboard(
            "live-audience-broadcast",
            "Live audience: broadcast",
            "One broadcast's evening: its curve, its peaks, how well it was seen, its totals.",
            since="now-6h",
            refresh="30s",
            # And of the pipeline: an alert that names no broadcast may be about this one's figures.
            alerts='platform=~"${platform:regex}|", broadcast=~"${broadcast:regex}|"',
        )
        .with_variable(
            single_variable("platform", "Platform", series).description("Where it is shown.")
        )
        .with_variable(
            single_variable("broadcast", "Broadcast", of_platform).description(
                "The platform's id of it. It can be chosen while its workers report it: until it "
                "is final, and for as long as the time range reaches back to then."
            )
        )
        .annotation(_moment("Started", "green", "audience_started_timestamp_seconds"))
        .annotation(_moment("Ended", "red", "audience_ended_timestamp_seconds"))
    )
    add_row(board, "The broadcast", _names(), *_figures(), *_more_figures(), *_totals())
    add_row(board, "Its evening", _course(), _peaks(), _watched(), _counted())
    add_row(board, "How well it was seen", _coverage(), _silence())
    return board


def _this(name: str, *matchers: str) -> str:
    return broadcasts(name, *_THIS, *matchers)


def _moment(name: str, color: str, metric: str) -> AnnotationQuery:
    """A line across the graphs at the time that the metric gives."""
    return moment(name, color, _this(metric), "{{broadcast}} ({{platform}})", "venue")


def _names() -> table.Panel:
    return table_panel(
        "Which it is",
        "Its venue, its programme if it is one show over several platforms, and its title.",
        [Column(max_by(f"{BROADCAST}, programme, title", "audience_broadcast_info", *_THIS), "")],
        labels={
            "title": "Title",
            "venue": "Venue",
            "platform": "Platform",
            "broadcast": "Broadcast",
            "programme": "Programme",
        },
        height=4,
    )


def _figures() -> Iterator[stat.Panel]:
    yield stat_panel(
        "Viewers now",
        "Viewers in its newest observed minute. Empty when it is over, or told no viewers for 5 "
        "minutes.",
        _this("audience_viewers"),
    )
    yield stat_panel(
        "Peak",
        "The most viewers it has had at once.",
        _this("audience_peak_viewers", 'window="broadcast"'),
    )
    yield stat_panel(
        "First minute",
        "Viewers in the minute in which it started. Empty if that minute was not observed.",
        _this("audience_first_minute_viewers"),
    )
    yield stat_panel(
        "Average",
        "Average-minute audience: viewer-minutes by the minutes that have an audience.",
        _this("audience_average_viewers"),
    )
    yield stat_panel(
        "Coverage",
        "Share of its minutes of which we know the viewers.",
        _this("audience_coverage_ratio"),
        unit=SHARE,
        # Samples that jitter over minute borders leave out one in six or so.
        colors=levels((0.5, AMBER), (0.75, GREEN), base=RED),
    )
    yield stat_panel(
        "Last heard of",
        "How long ago its newest event was observed, by its platform's clock.",
        f"time() - {_this('audience_last_event_timestamp_seconds')}",
        unit=SECONDS,
    )


def _more_figures() -> Iterator[stat.Panel]:
    yield stat_panel(
        "Peak held",
        "The most viewers that two successive minutes have both reached: one absurd sample makes "
        "a peak, but not this. Empty without two such minutes.",
        _this("audience_peak_held_viewers"),
        width=_QUARTER,
    )
    yield stat_panel(
        "First audience",
        "Viewers of its earliest minute that has any: platforms tell nothing, or 0, in the first "
        "minutes.",
        _this("audience_first_viewers"),
        width=_QUARTER,
    )
    yield stat_panel(
        "Waiting room",
        "The most viewers before its start. Empty if none were told of before that.",
        _this("audience_waiting_viewers"),
        width=_QUARTER,
    )
    yield stat_panel(
        "Covered",
        "Share of its minutes that were observed or carry the viewers of a minute before; the "
        "rest are holes, and count as nothing.",
        _this("audience_covered_ratio"),
        unit=SHARE,
        colors=levels((0.9, AMBER), (0.98, GREEN), base=RED),
        width=_QUARTER,
    )


def _totals() -> Iterator[stat.Panel]:
    yield stat_panel(
        "Viewer-hours",
        "Time watched by all its viewers together: 1,000 viewers for an hour are 1,000 of them.",
        f"{_this('audience_watch_time_seconds')} / 3600",
    )
    yield stat_panel(
        "Views",
        "Views as its platform counts them. Empty where that gives none.",
        _this("audience_views"),
    )
    yield stat_panel(
        "Joins",
        "Viewers who joined, so far; 0 where its platform does not count them.",
        _this("audience_joins"),
    )
    yield stat_panel(
        "Started",
        "When it started, as its platform said; else the time of its first event.",
        f"{_this('audience_started_timestamp_seconds')} * 1000",
        unit=MOMENT,
    )
    yield stat_panel(
        "Ended",
        "When it ended, as its platform said. Empty while it goes on.",
        f"{_this('audience_ended_timestamp_seconds')} * 1000",
        unit=MOMENT,
    )
    yield stat_panel(
        "On air for",
        "From its start to its newest event, also where that came after its end.",
        f"{_this('audience_last_event_timestamp_seconds')} "
        f"- {_this('audience_started_timestamp_seconds')}",
        unit=SECONDS,
    )


def _course() -> timeseries.Panel:
    return timeseries_panel(
        "Viewers",
        "Its viewers minute by minute, with its start and its end; and its average so far.",
        PanelSeries(_this("audience_viewers"), "viewers"),
        PanelSeries(_this("audience_average_viewers"), "average so far"),
        width=WHOLE,
    )


def _peaks() -> timeseries.Panel:
    return timeseries_panel(
        "Peaks",
        "The most viewers at once in its last 5 minutes, its last hour and the whole of it, in "
        "event time; and what two successive minutes have both reached. A correction may lower "
        "them.",
        *(
            PanelSeries(_this("audience_peak_viewers", f'window="{window}"'), name)
            for window, name in _PEAKS.items()
        ),
        PanelSeries(_this("audience_peak_held_viewers"), "peak held"),
        width=THIRD,
    )


def _watched() -> timeseries.Panel:
    return timeseries_panel(
        "Viewer-hours so far",
        "Time watched by all its viewers together. It grows as fast as it has viewers.",
        PanelSeries(f"{_this('audience_watch_time_seconds')} / 3600", "viewer-hours"),
        width=THIRD,
    )


def _counted() -> timeseries.Panel:
    return timeseries_panel(
        "Views and joins so far",
        "As its platform counts them; not every platform does.",
        PanelSeries(_this("audience_views"), "views"),
        PanelSeries(_this("audience_joins"), "joins"),
        width=THIRD,
    )


def _coverage() -> timeseries.Panel:
    return timeseries_panel(
        "Coverage so far",
        "Share of its minutes of which we know the viewers, and with those that carry the viewers "
        "of a minute before. Where it falls, events were missing; what is not covered is a hole.",
        PanelSeries(_this("audience_coverage_ratio"), "observed"),
        PanelSeries(_this("audience_covered_ratio"), "observed or carried"),
        unit=SHARE,
        most=1,
        lines=[Line(_COVERED, f"under {_COVERED:.0%} covered BroadcastCoverageLow fires")],
    )


def _silence() -> timeseries.Panel:
    return timeseries_panel(
        "Time since its newest arrival",
        "By Kafka's clock. A sample a minute keeps it under two minutes; what grows on is a "
        "broadcast that is over or no longer heard of.",
        PanelSeries(
            f"time() - {_this('audience_last_arrival_timestamp_seconds')}", "since the newest"
        ),
        unit=SECONDS,
        lines=[Line(_SILENCE, "3 min: BroadcastSilent fires", seen=True)],
    )
