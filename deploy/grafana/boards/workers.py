"""Panels of the workers' processes, and of the topics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agents.alerts import Timing
from boards.panels import (
    BYTES,
    CORES,
    MOMENT,
    RATE,
    SECONDS,
    THIRD,
    WHOLE,
    Column,
    Line,
    PanelSeries,
    table_panel,
    timeseries_panel,
)
from boards.queries import largest, largest_rates, max_by, metric, rate, with_short_topic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grafana_foundation_sdk.builders import table, timeseries

#: A scrape that takes longer than this part of its time-out is slow.
_SLOW: Final = 0.6 * Timing().scrape_timeout


def panels() -> Iterator[table.Panel | timeseries.Panel]:
    """Yield all of them."""
    yield _each()
    yield timeseries_panel(
        "Workers, by state",
        "Ready: a member of the group with all its partitions at work. Not ready: it answers, and "
        "restores or waits. Away: Prometheus cannot scrape it.",
        PanelSeries(f"sum({metric('audience_worker_ready')})", "ready"),
        PanelSeries(f"count({metric('audience_worker_ready')} == 0) or vector(0)", "not ready"),
        PanelSeries(f"count({metric('up')} == 0) or vector(0)", "away"),
        stacked=True,
        width=THIRD,
    )
    yield timeseries_panel(
        "Partitions per worker",
        "Partitions that the group has given to each worker, of those with the most.",
        PanelSeries(largest("instance", "audience_partitions_assigned"), "{{instance}}"),
        width=THIRD,
        stacked=True,
        many=True,
    )
    yield timeseries_panel(
        "Memory",
        "Resident memory of the workers with the most. It holds the rows of all their live "
        "broadcasts.",
        PanelSeries(largest("instance", "process_resident_memory_bytes"), "{{instance}}"),
        unit=BYTES,
        width=THIRD,
        many=True,
    )
    yield timeseries_panel(
        "CPU",
        "Processor cores that the busiest workers use.",
        PanelSeries(largest_rates("instance", "process_cpu_seconds_total"), "{{instance}}"),
        unit=CORES,
        width=THIRD,
        many=True,
        lines=[Line(1.0, "one core is the most for one worker, as a rule")],
    )
    yield timeseries_panel(
        "Scrape duration",
        "How long Prometheus waits for the metrics of the slowest workers.",
        PanelSeries(largest("instance", "scrape_duration_seconds"), "{{instance}}"),
        unit=SECONDS,
        width=THIRD,
        many=True,
        lines=[Line(_SLOW, "6 s: ScrapeSlow fires")],
    )
    yield timeseries_panel(
        "HTTP connections closed",
        "Connections a second that a worker closed before its client did, by why: no request came "
        "(head), no further one (idle), an answer was not read (unread) or took too long (answer), "
        "or there were too many (full).",
        PanelSeries(
            f"sum by (reason) ({rate('audience_http_connections_closed_total')})", "{{reason}}"
        ),
        unit=RATE,
        width=THIRD,
    )
    yield timeseries_panel(
        "Topic problems",
        "Findings by topic, as `live-audience topics check` reports them: partitions, "
        "cleanup, replication. All is well at 0.",
        PanelSeries(with_short_topic(max_by("topic", "audience_topic_findings")), "{{topic}}"),
        width=WHOLE,
    )


def _each() -> table.Panel:
    return table_panel(
        "Workers",
        "Each worker that answers: whether it is ready (1), its partitions of both stages, since "
        "when it runs, what it uses.",
        [
            Column(_of_each("audience_worker_ready"), "Ready"),
            Column(_of_each("audience_partitions_assigned"), "Partitions"),
            Column(f"{_of_each('process_start_time_seconds')} * 1000", "Started", MOMENT),
            Column(_of_each("process_resident_memory_bytes"), "Memory", BYTES),
            Column(f"sum by (instance) ({rate('process_cpu_seconds_total')})", "Cores", CORES),
            Column(_of_each("process_open_fds"), "Open files"),
            Column(_of_each("scrape_samples_scraped"), "Samples a scrape"),
            Column(_of_each("scrape_duration_seconds"), "Scrape", SECONDS),
        ],
        labels={"instance": "Worker"},
        sort="Partitions",
        height=6,
    )


def _of_each(name: str) -> str:
    return max_by("instance", name)
