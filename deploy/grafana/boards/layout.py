"""What is around the panels: name, time range, variables, links to the other dashboards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grafana_foundation_sdk.builders.dashboard import (
    Dashboard,
    DashboardLink,
    DatasourceVariable,
    QueryVariable,
    Row,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from boards.panels import SOURCE

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders import stat, table, timeseries

_TAG: Final = "live-audience"


def new_dashboard(
    uid: str,
    title: str,
    description: str,
    *,
    since: str,
    refresh: str,
    known_by: str = "audience_build_info",
) -> Dashboard:
    """Return a dashboard without panels, with the variables that all have.

    Args:
        uid: Its lasting name, a part of its address.
        title: Its title.
        description: What it is for.
        since: Where its time range begins, e.g. `now-6h`.
        refresh: How often it asks again, e.g. `30s`.
        known_by: A metric that each process of the system has.
    """
    return (
        Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([_TAG])
        .timezone("browser")
        .time(since, "now")
        .refresh(refresh)
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .readonly()
        .link(
            DashboardLink("live-audience")
            .type(DashboardLinkType.DASHBOARDS)
            .tags([_TAG])
            .as_dropdown(as_dropdown=False)
            .keep_time(keep_time=True)
            .include_vars(include_vars=True)
        )
        .with_variable(DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(
            single_variable("job", "Job", known_by).description(
                "The workers of one system: one consumer group, one set of topics."
            )
        )
        .with_variable(
            multi_variable("instance", "Instance", f'{known_by}{{job="$job"}}').description(
                "Its workers. All, unless one of them is to be looked at."
            )
        )
    )


def single_variable(name: str, label: str, series: str, of: str = "") -> QueryVariable:
    """Return a variable that is one value of a label of the series, by default the first.

    Args:
        name: Its name in queries and addresses.
        label: What stands before it.
        series: A selector.
        of: The series' label, if it is not of the variable's name.
    """
    return (
        QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(f"label_values({series}, {of or name})")
        # With the time range: a broadcast of yesterday is in no series of now.
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )


def multi_variable(name: str, label: str, series: str, of: str = "") -> QueryVariable:
    """Return a variable like `single_variable` of which any number can be chosen, by default all.

    "All" is a pattern, not the list of today's values: the past of a worker that is gone counts.
    """
    return (
        single_variable(name, label, series, of)
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(".*")
        .current(VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def add_row(
    board: Dashboard, heading: str, *panels: stat.Panel | table.Panel | timeseries.Panel
) -> None:
    """Add panels under a heading, from left to right and down.

    Args:
        board: The dashboard.
        heading: What they have in common.
        panels: The panels; each knows its width.
    """
    board.with_row(Row(heading))
    for panel in panels:
        board.with_panel(panel)
