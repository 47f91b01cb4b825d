"""Live: the world now, by platform, venue and programme, and its largest broadcasts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from boards.layout import add_row, multi_variable, new_dashboard, top_variable
from boards.panels import (
    AMBER,
    HALF,
    MOMENT,
    RED,
    SECONDS,
    SHARE,
    WHOLE,
    Column,
    PanelSeries,
    levels,
    stat_panel,
    table_panel,
    timeseries_panel,
)
from boards.queries import (
    BROADCAST,
    CHOSEN,
    SCOPE,
    broadcasts,
    largest,
    max_by,
    others,
    scopes,
)
from boards.stages import behind_anywhere

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grafana_foundation_sdk.builders import stat, table, timeseries
    from grafana_foundation_sdk.builders.dashboard import Dashboard, QueryVariable

_PART: Final = 'scope!="world"'
_WORLD: Final = 'scope="world"'
_SEEN: Final = ('platform=~"$platforms"', 'venue=~"$venues"')
_EACH: Final = f"on ({BROADCAST})"

#: Where one of them is seen alone.
_EVENING: Final = (
    "/d/live-audience-broadcast?${datasource:queryparam}&${cluster:queryparam}"
    "&${namespace:queryparam}&${job:queryparam}"
    "&var-platform=${__data.fields.Platform:percentencode}"
    "&var-broadcast=${__data.fields.Broadcast:percentencode}"
)

#: The largest broadcasts of this moment, each with its viewers.
_TOP: Final = f"topk($top, {broadcasts('audience_viewers', *_SEEN)})"

#: The programme of each broadcast. Not its title too: that may change under way, and for a moment
#: the broadcast would be there twice.
_PROGRAMME: Final = max_by(f"{BROADCAST}, programme", "audience_broadcast_info", 'programme!=""')
_SIMULCAST: Final = f"(count by (programme) (count by (programme, platform) ({_PROGRAMME})) > 1)"

#: The largest programmes by what they have now or had in the time seen.
_PROGRAMMES: Final = (
    "label_replace("
    + largest(SCOPE, "audience_scope_viewers", 'scope="programme"')
    + ', "programme", "$1", "name", "(.+)")'
)

#: Of each kind of scope the largest of this moment.
_TOP_SCOPES: Final = f"topk by (scope) ($top, {scopes('audience_scope_viewers', _PART)})"


def dashboard() -> Dashboard:
    """Return the dashboard."""
    board = (
        new_dashboard(
            "live-audience-live",
            "Live audience: live",
            "How many people are watching right now, where, and what.",
            since="now-3h",
            refresh="30s",
        )
        .with_variable(_filter("platform"))
        .with_variable(_filter("venue"))
        .with_variable(top_variable("of the largest broadcasts, platforms, venues and programmes"))
    )
    add_row(board, "The world", *_world(), _course())
    add_row(board, "By platform and venue", _by("platform"), _by("venue"), _parts())
    add_row(board, "Largest broadcasts", _largest(), _curves())
    add_row(board, "Simulcasts", _by("programme"), _legs())
    return board


def _filter(label: str) -> QueryVariable:
    # The plural, for links take variables along by name, and the broadcast's board takes one.
    name = f"{label}s"
    variable = multi_variable(
        name, name.capitalize(), f"audience_broadcast_info{{{CHOSEN}}}", label
    )
    return variable.description("Of the broadcasts below; the world and its parts stay whole.")


def _world() -> Iterator[stat.Panel]:
    yield stat_panel(
        "Viewers now",
        "Viewers of all live broadcasts together that have told theirs within 5 minutes. Empty "
        "where there is none.",
        scopes("audience_scope_viewers", _WORLD),
    )
    yield stat_panel(
        "Peak",
        "The most viewers that all broadcasts had together in one minute, those in waiting rooms "
        "too: the peak of the sum, not the sum of the peaks.",
        scopes("audience_scope_peak_viewers", _WORLD),
    )
    yield stat_panel(
        "Live broadcasts",
        "Broadcasts that are on air.",
        scopes("audience_scope_live_broadcasts", _WORLD),
    )
    yield stat_panel(
        "Viewer-hours",
        "Time watched by all viewers together: 1,000 viewers for an hour are 1,000 of them.",
        f"{scopes('audience_scope_watch_time_seconds', _WORLD)} / 3600",
    )
    yield stat_panel(
        "Views",
        "Views as the platforms count them; joins where a platform gives no views.",
        scopes("audience_scope_views", _WORLD),
    )
    yield stat_panel(
        "Behind by",
        "Age of the oldest record that is not yet in these figures, over all partitions of both "
        "stages; 0 when none waits. The world's total comes from the second one, the scopes'.",
        behind_anywhere(),
        unit=SECONDS,
        colors=levels((30, AMBER), (120, RED)),
    )


def _course() -> timeseries.Panel:
    return timeseries_panel(
        "Viewers of the world",
        "Viewers of all live broadcasts together, and the most there have been so far.",
        # The peak first: what is drawn later lies above.
        PanelSeries(scopes("audience_scope_peak_viewers", _WORLD), "peak"),
        PanelSeries(scopes("audience_scope_viewers", _WORLD), "viewers"),
        width=WHOLE,
    )


def _by(scope: str) -> timeseries.Panel:
    which = (SCOPE, "audience_scope_viewers", f'scope="{scope}"')
    shown = [PanelSeries(largest(*which), "{{name}}")]
    if scope != "programme":  # each broadcast is of one platform and one venue, and of the world
        world = scopes("audience_scope_viewers", _WORLD)
        shown.append(PanelSeries(others(world, *which), "all others"))
    return timeseries_panel(
        f"Viewers by {scope}",
        f"Viewers of all live broadcasts of each {scope} together: those that had the most in the "
        "time shown.",
        *shown,
        stacked=scope != "programme",
        width=HALF,
        many=True,
    )


def _parts() -> table.Panel:
    return table_panel(
        "Largest platforms, venues and programmes",
        "Those with the most viewers now, of each kind. The peak is that of the sum of their "
        "broadcasts; broadcasts are all that ever belonged to them.",
        [
            Column(_TOP_SCOPES, "Viewers"),
            Column(_of_scopes("audience_scope_peak_viewers"), "Peak"),
            Column(_of_scopes("audience_scope_live_broadcasts"), "Live"),
            Column(_of_scopes("audience_scope_broadcasts"), "Broadcasts"),
            Column(f"{_of_scopes('audience_scope_watch_time_seconds')} / 3600", "Viewer-hours"),
            Column(_of_scopes("audience_scope_views"), "Views"),
            Column(_of_scopes("audience_scope_joins"), "Joins"),
        ],
        labels={"scope": "Kind", "name": "Name"},
        sort="Viewers",
        height=8,
    )


def _of_scopes(name: str) -> str:
    return f"({scopes(name)} and on ({SCOPE}) {_TOP_SCOPES})"


def _largest() -> table.Panel:
    return table_panel(
        "Largest broadcasts",
        "The live broadcasts with the most viewers: their peaks over 5 minutes, an hour and the "
        "whole, what two successive minutes have both reached, and what they began with. Covered "
        "is the share of its minutes that are no holes.",
        [
            Column(_TOP, "Viewers"),
            Column(_of_top("audience_peak_viewers", 'window="5m"'), "Peak, 5 min"),
            Column(_of_top("audience_peak_viewers", 'window="1h"'), "Peak, 1 h"),
            Column(_of_top("audience_peak_viewers", 'window="broadcast"'), "Peak"),
            Column(_of_top("audience_peak_held_viewers"), "Peak held"),
            Column(_of_top("audience_first_viewers"), "First audience"),
            Column(_of_top("audience_average_viewers"), "Average"),
            Column(f"{_of_top('audience_watch_time_seconds')} / 3600", "Viewer-hours"),
            Column(_of_top("audience_covered_ratio"), "Covered", SHARE),
            Column(f"{_of_top('audience_started_timestamp_seconds')} * 1000", "Started", MOMENT),
            Column(
                f"{max_by(f'{BROADCAST}, programme, title', 'audience_broadcast_info', *_SEEN)} "
                f"and {_EACH} {_TOP}",
                "",
            ),
        ],
        labels={
            "title": "Title",
            "venue": "Venue",
            "platform": "Platform",
            "broadcast": "Broadcast",
            "programme": "Programme",
        },
        links={"Broadcast": _EVENING},
        sort="Viewers",
    )


def _of_top(name: str, *matchers: str) -> str:
    return f"({broadcasts(name, *matchers, *_SEEN)} and {_EACH} {_TOP})"


def _curves() -> timeseries.Panel:
    return timeseries_panel(
        "Viewers of the largest broadcasts",
        "The broadcasts that had the most viewers at any moment of the time shown, also those that "
        "are over.",
        PanelSeries(largest(BROADCAST, "audience_viewers", *_SEEN), "{{broadcast}} ({{platform}})"),
        width=WHOLE,
        many=True,
    )


def _legs() -> timeseries.Panel:
    return timeseries_panel(
        "Simulcasts by platform",
        "Viewers of each platform's part of the largest programmes that are shown on more than one "
        "platform. A part that is missing here is off air, or not heard of.",
        PanelSeries(
            f"sum by (programme, platform) ({broadcasts('audience_viewers')} "
            f"* {_EACH} group_left (programme) {_PROGRAMME}) "
            f"and on (programme) {_SIMULCAST} and on (programme) {_PROGRAMMES}",
            "{{programme}}, {{platform}}",
        ),
        stacked=True,
        many=True,
    )
