"""What is around the panels: name, time range, variables, links to the other dashboards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grafana_foundation_sdk.builders.dashboard import (
    AnnotationQuery,
    CustomVariable,
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
from boards.queries import CHOSEN, SYSTEM

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders import stat, table, timeseries

_TAG: Final = "live-audience"

#: The same system as in `queries.SYSTEM`, and alerts that name no system: some are about what no
#: worker tells of any more.
_ALERTS: Final = ", ".join(
    f'{name}=~"${{{name}:regex}}|"' for name in ("cluster", "namespace", "job")
)


def new_dashboard(
    uid: str,
    title: str,
    description: str,
    *,
    since: str,
    refresh: str,
    alerts: str = "",
    known_by: str = "audience_build_info",
) -> Dashboard:
    """Return a dashboard without panels, with the variables and annotations that all have.

    Args:
        uid: Its lasting name, a part of its address.
        title: Its title.
        description: What it is for.
        since: Where its time range begins, e.g. `now-6h`.
        refresh: How often it asks again, e.g. `30s`.
        alerts: A matcher of the alerts that it marks, beside those of the system; empty for all.
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
            single_variable("cluster", "Cluster", known_by).description(
                "By the label `cluster`; empty where there is none."
            )
        )
        .with_variable(
            single_variable(
                "namespace", "Namespace", f'{known_by}{{cluster="$cluster"}}'
            ).description("By the label `namespace`; empty where there is none.")
        )
        .with_variable(
            single_variable(
                "job", "Job", f'{known_by}{{cluster="$cluster", namespace="$namespace"}}'
            ).description("The workers of one system: one consumer group, one set of topics.")
        )
        .with_variable(
            multi_variable("instance", "Instance", f"{known_by}{{{SYSTEM}}}").description(
                "Its workers. All, unless one of them is to be looked at."
            )
        )
        .annotation(_firing(alerts))
        .annotation(
            moment(
                "Worker started",
                "blue",
                f"max by (instance) (process_start_time_seconds{{{CHOSEN}}})",
                "{{instance}}",
            )
        )
    )


def _firing(matcher: str) -> AnnotationQuery:
    """What fires, for as long as it does."""
    matchers = ", ".join(
        each
        for each in (
            'alertstate="firing", system="live-audience", alertname!="Watchdog"',
            _ALERTS,
            matcher,
        )
        if each
    )
    return (
        AnnotationQuery()
        .name("Alerts")
        .datasource(SOURCE)
        .enable(enable=True)
        .icon_color("orange")
        .expr(f"ALERTS{{{matchers}}}")
        .step("30s")
        .title_format("{{alertname}}")
        .text_format("{{platform}} {{broadcast}} {{venue}} {{instance}} {{topic}} {{reason}}")
        .tag_keys("severity")
    )


def moment(name: str, color: str, seconds: str, text: str, tag: str = "") -> AnnotationQuery:
    """Return lines across the graphs at times that a query tells.

    Args:
        name: What happened then.
        color: Of the lines.
        seconds: PromQL whose values are the times, in seconds.
        text: What is said of it, `{{label}}` stands for a label.
        tag: A label to be shown as a tag, if any.
    """
    query = (
        AnnotationQuery()
        .name(name)
        .datasource(SOURCE)
        .enable(enable=True)
        .icon_color(color)
        # The value itself is the time, in milliseconds; of equal ones one is shown.
        .expr(f"{seconds} * 1000")
        .use_value_for_time(use_value_for_time=True)
        .step("60s")
        .title_format(name)
        .text_format(text)
    )
    return query.tag_keys(tag) if tag else query


def top_variable(what: str) -> CustomVariable:
    """Return the variable that says how many of the largest are shown one by one."""
    return (
        CustomVariable("top")
        .label("Largest")
        .description(f"How many {what} are shown one by one.")
        .values("5,10,20,50")
        .current(VariableOption(selected=True, text="10", value="10"))
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


def multi_variable(
    name: str, label: str, series: str, of: str = "", all_value: str = ".*"
) -> QueryVariable:
    """Return a variable like `single_variable` of which any number can be chosen, by default all.

    "All" is a pattern, not the list of today's values: the past of a worker that is gone counts.

    Args:
        name: As there, like the others.
        label: See there.
        series: See there.
        of: See there.
        all_value: The pattern of all.
    """
    return (
        single_variable(name, label, series, of)
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(all_value)
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
