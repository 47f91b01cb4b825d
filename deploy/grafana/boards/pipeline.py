"""Pipeline: whether the figures can be trusted, and what to look at when not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from boards.layout import add_row, new_dashboard
from boards.panels import (
    AMBER,
    BYTES,
    CORES,
    GREEN,
    RATE,
    RED,
    SECONDS,
    SHARE,
    TEXT,
    THIRD,
    WHOLE,
    PanelSeries,
    levels,
    stat_panel,
    timeseries_panel,
)
from boards.queries import max_by, metric, quantile, rate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grafana_foundation_sdk.builders import stat, timeseries
    from grafana_foundation_sdk.builders.dashboard import Dashboard

_QUANTILES: Final = {"median": 0.5, "90 %": 0.9, "99 %": 0.99}
_READ: Final = f"sum({rate('audience_events_total')})"


def dashboard() -> Dashboard:
    """Return the dashboard."""
    board = new_dashboard(
        "live-audience-pipeline",
        "Live audience: pipeline",
        "Whether the figures are fresh and whole: workers, lag, batches, transactions, refusals.",
        since="now-1h",
        refresh="30s",
    )
    add_row(board, "Health", *_health())
    add_row(board, "Lag and throughput", *_lag(), *_throughput())
    add_row(board, "Batches and transactions", *_batches())
    add_row(board, "Rejected events", *_rejected())
    add_row(board, "Workers, partitions and topics", *_workers())
    add_row(board, "Processes", *_processes())
    return board


def _health() -> Iterator[stat.Panel]:
    yield stat_panel(
        "Freshness",
        "Age of the oldest record that is not yet in the figures, over all partitions of both "
        "stages: broadcasts, and the scopes that are added up from them.",
        f"max({metric('audience_source_lag_seconds')})",
        unit=SECONDS,
        colors=levels((30, AMBER), (120, RED)),
    )
    yield stat_panel(
        "Workers ready",
        "Workers that are members of the group with all their partitions at work.",
        f"sum({metric('audience_worker_ready')})",
        colors=levels((1, GREEN), base=RED),
    )
    yield stat_panel(
        "Workers not ready",
        "Workers that do not answer Prometheus, or that are still restoring their state.",
        f"count({metric('up')}) - sum({metric('audience_worker_ready')})",
        colors=levels((1, AMBER)),
    )
    yield stat_panel(
        "Rejected",
        "Share of the records that are rejected, late ones not counted: a producer's mistake.",
        _share("rejected"),
        unit=SHARE,
        colors=levels((0.01, AMBER), (0.05, RED)),
    )
    yield stat_panel(
        "Late",
        "Share of the records that come after their minute is sealed.",
        _share("late"),
        unit=SHARE,
        colors=levels((0.01, AMBER), (0.05, RED)),
    )
    yield stat_panel(
        "Version",
        "The versions of live-audience that run.",
        f"count by (version) ({metric('audience_build_info')})",
        unit=TEXT,
        name="{{version}}",
    )


def _share(outcome: str) -> str:
    """The part of the records read that come to this; none where nothing is read.

    Nothing has been rejected where no such series is there yet: that is 0, not unknown.
    """
    matcher = f'outcome="{outcome}"'
    rejected = f"sum({rate('audience_events_total', matcher)})"
    return f"({rejected} or 0 * {_READ}) / ({_READ} > 0)"


def _lag() -> Iterator[timeseries.Panel]:
    yield timeseries_panel(
        "Consumer lag (time)",
        "By stage and partition. It grows as the clock does where a partition stands still.",
        PanelSeries(
            max_by("stage, partition", "audience_source_lag_seconds"), "{{stage}} {{partition}}"
        ),
        unit=SECONDS,
    )
    yield timeseries_panel(
        "Consumer lag (records)",
        "Records that are not yet in the figures, by stage and partition; also of partitions that "
        "are not at work.",
        PanelSeries(
            max_by("stage, partition", "audience_source_lag_records"), "{{stage}} {{partition}}"
        ),
        stacked=True,
    )
    in_time = rate("audience_event_latency_seconds_bucket", 'le="10.0"')
    yield timeseries_panel(
        "Events in the figures within 10 s",
        "Share of the events that were durable in the figures of a stage within 10 s of their "
        "arrival in Kafka, and the objective for 30 days. Those that still wait are not in it.",
        PanelSeries(
            f"sum by (stage) ({in_time}) / "
            f"(sum by (stage) ({rate('audience_event_latency_seconds_count')}) > 0)",
            "{{stage}}",
        ),
        PanelSeries("vector(0.99)", "objective"),
        unit=SHARE,
        most=1,
    )
    yield timeseries_panel(
        "Time from arrival to figures",
        "How long events took from their arrival in Kafka until they were durable in the figures "
        "of a stage.",
        *_quantiles("audience_event_latency_seconds"),
        unit=SECONDS,
    )


def _throughput() -> Iterator[timeseries.Panel]:
    yield timeseries_panel(
        "Records read, by what became of them",
        "Records that became durable, a second: accepted, late or rejected for another reason.",
        PanelSeries(f"sum by (outcome) ({rate('audience_events_total')})", "{{outcome}}"),
        unit=RATE,
        stacked=True,
    )
    yield timeseries_panel(
        "Records read, by platform",
        "The same by platform. Empty is a record that names none that is valid.",
        PanelSeries(f"sum by (platform) ({rate('audience_events_total')})", "{{platform}}"),
        unit=RATE,
        stacked=True,
    )


def _batches() -> Iterator[timeseries.Panel]:
    yield timeseries_panel(
        "Batch duration",
        "From reading a batch until it is durable.",
        *_quantiles("audience_batch_seconds"),
        unit=SECONDS,
        width=THIRD,
    )
    yield timeseries_panel(
        "Commit duration",
        "Part of audience_batch_seconds spent writing and committing rows, outputs and position.",
        *_quantiles("audience_changelog_seconds"),
        unit=SECONDS,
        width=THIRD,
    )
    yield timeseries_panel(
        "Records per batch",
        "Records per batch (one transaction). Batches grow by themselves under load.",
        *_quantiles("audience_batch_records"),
        width=THIRD,
    )
    yield timeseries_panel(
        "Transactions",
        "Kafka transactions a second. A failed one costs a new session, and nothing else.",
        PanelSeries(
            f"sum by (stage, outcome) ({rate('audience_transactions_total')})",
            "{{stage}} {{outcome}}",
        ),
        unit=RATE,
    )
    yield timeseries_panel(
        "Sessions lost",
        "Sessions with Kafka that ended with an error, and those of them that another worker had "
        "taken over, a second. A few at a rebalance are usual; again and again they are not.",
        PanelSeries(f"sum by (stage) ({rate('audience_sessions_lost_total')})", "{{stage}} lost"),
        PanelSeries(f"sum by (stage) ({rate('audience_fenced_total')})", "{{stage}} fenced"),
        unit=RATE,
    )
    yield timeseries_panel(
        "Partitions that fail, and rebalances",
        "Times a second that the work of one partition failed and was restarted, and that the "
        "group rebalanced, by topic.",
        PanelSeries(
            f"sum by (topic) ({rate('audience_partition_failures_total')})", "{{topic}} failed"
        ),
        PanelSeries(
            f"sum by (topic) ({rate('audience_rebalances_total')})", "{{topic}} rebalanced"
        ),
        unit=RATE,
        width=THIRD,
    )
    yield timeseries_panel(
        "Failing for",
        "For how long a partition has failed again and again; 0 while it goes on.",
        PanelSeries(
            max_by("topic, partition", "audience_partition_failing_seconds"),
            "{{topic}}/{{partition}}",
        ),
        unit=SECONDS,
        width=THIRD,
    )
    yield timeseries_panel(
        "State read back",
        "How much of a partition's state was read back, 0 to 1; 1 once it is at work.",
        PanelSeries(
            max_by("topic, partition", "audience_restore_progress_ratio"),
            "{{topic}}/{{partition}}",
        ),
        unit=SHARE,
        width=THIRD,
    )


def _quantiles(name: str) -> Iterator[PanelSeries]:
    for label, share in _QUANTILES.items():
        yield PanelSeries(quantile(share, name), f"{{{{stage}}}}, {label}")


def _rejected() -> Iterator[timeseries.Panel]:
    yield timeseries_panel(
        "Refused, by reason",
        "Records that went to viewer-events-rejected, a second. Any `error` is a defect of this "
        "system; the others are the producers'.",
        PanelSeries(f"sum by (reason) ({rate('audience_rejected_total')})", "{{reason}}"),
        unit=RATE,
    )
    yield timeseries_panel(
        "Rejected and late share",
        "Share of the records read that were rejected: late, or for another reason.",
        PanelSeries(_share("rejected"), "rejected"),
        PanelSeries(_share("late"), "late"),
        unit=SHARE,
    )
    yield timeseries_panel(
        "Clock skew of producers",
        "The most by which an accepted event was ahead of its Kafka timestamp lately, or of the "
        "worker's clock where that is earlier. Over the setting AUDIENCE_FUTURE, 2 minutes by "
        "default, after their timestamp events are rejected.",
        PanelSeries(f"max({metric('audience_producer_clock_skew_seconds')})", "ahead by"),
        unit=SECONDS,
    )
    yield timeseries_panel(
        "Relabelled events",
        "Accepted records, a second, that name another venue or programme than their broadcast "
        "has, after its first minute was sealed: it keeps what it has.",
        PanelSeries(f"sum({rate('audience_relabelled_total')})", "records"),
        unit=RATE,
    )


def _workers() -> Iterator[timeseries.Panel]:
    yield timeseries_panel(
        "Partitions per worker",
        "Partitions that the group has given to each worker.",
        PanelSeries(max_by("instance", "audience_partitions_assigned"), "{{instance}}"),
        width=THIRD,
        stacked=True,
    )
    yield timeseries_panel(
        "Ready",
        "1 while a worker is a member of the group with all its partitions at work.",
        PanelSeries(max_by("instance", "audience_worker_ready"), "{{instance}}"),
        width=THIRD,
        most=1,
    )
    yield timeseries_panel(
        "Restore duration",
        "How long it took to read a partition's state back when it was last given to a worker.",
        PanelSeries(
            max_by("stage, partition", "audience_recovery_seconds"), "{{stage}} {{partition}}"
        ),
        unit=SECONDS,
        width=THIRD,
    )
    yield timeseries_panel(
        "Broadcasts",
        "Broadcasts that are live, and those that are exported one by one, live or ended: the "
        "largest of each worker, up to AUDIENCE_TOP_BROADCASTS.",
        PanelSeries(f"sum({max_by('partition', 'audience_live_broadcasts')})", "live"),
        PanelSeries(f"sum({max_by('partition', 'audience_exported_broadcasts')})", "exported"),
        width=THIRD,
    )
    yield timeseries_panel(
        "Broadcasts that became final",
        "Broadcasts, a second, that were silent for long enough: their final summary is out. One "
        "that goes on later is live again.",
        PanelSeries(f"sum({rate('audience_finalised_total')})", "broadcasts"),
        unit=RATE,
        width=THIRD,
    )
    yield timeseries_panel(
        "Too old for a scope's peak",
        "Minutes, a second, that came after the scope's history had closed: they count in its "
        "sums, no more in its peak.",
        PanelSeries(f"sum({rate('audience_scope_closed_total')})", "minutes"),
        unit=RATE,
        width=THIRD,
    )
    yield timeseries_panel(
        "Topic problems",
        "Findings by topic, as `live-audience topics check` reports them: partitions, "
        "cleanup, replication. All is well at 0.",
        PanelSeries(max_by("topic", "audience_topic_findings"), "{{topic}}"),
        width=WHOLE,
    )


def _processes() -> Iterator[timeseries.Panel]:
    yield timeseries_panel(
        "Memory",
        "Resident memory of each worker. It holds the rows of all its live broadcasts.",
        PanelSeries(max_by("instance", "process_resident_memory_bytes"), "{{instance}}"),
        unit=BYTES,
    )
    yield timeseries_panel(
        "CPU",
        "Processor cores that each worker uses. One is the most for one worker, as a rule.",
        PanelSeries(f"sum by (instance) ({rate('process_cpu_seconds_total')})", "{{instance}}"),
        unit=CORES,
    )
    yield timeseries_panel(
        "Open files",
        "Files and connections that each worker has open.",
        PanelSeries(max_by("instance", "process_open_fds"), "{{instance}}"),
    )
    yield timeseries_panel(
        "Scrape duration",
        "How long Prometheus waits for each worker's metrics.",
        PanelSeries(max_by("instance", "scrape_duration_seconds"), "{{instance}}"),
        unit=SECONDS,
    )
