"""Every metric of a worker: its name, what it means, its unit and its labels (contract, section 5).

Alerts, dashboards and docs are made from these names; a change here is a change of the contract.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["counter", "gauge", "histogram", "info"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: As it is queried, with `_total` or `_info`.
        kind: Its type.
        help: What it means, in one line.
        labels: Names of its labels.
        unit: Its base unit, the name's last part; empty for plain counts.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""

    @property
    def family(self) -> str:
        """The name that OpenMetrics gives it, without `_total` or `_info`."""
        return self.name.removesuffix("_total").removesuffix("_info")

    def header(self, *, openmetrics: bool) -> bytes:
        """The lines that stand before its samples, for one that this package writes itself."""
        name = self.family if openmetrics else self.name
        kind = "gauge" if self.kind == "info" and not openmetrics else self.kind
        lines = f"# HELP {name} {self.help}\n# TYPE {name} {kind}\n"
        if openmetrics and self.unit:
            lines += f"# UNIT {name} {self.unit}\n"
        return lines.encode()


_BROADCAST: Final = ("platform", "broadcast", "venue")

#: The values of the label `stage`: what viewer events become broadcasts in, and what adds those up.
STAGES: Final = ("broadcasts", "scopes")

# -- of one broadcast, in the order in which they are written --------------------------------------

VIEWERS: Final = Metric(
    "audience_viewers",
    "gauge",
    "Concurrent viewers in the newest observed minute; only while live and recently updated.",
    _BROADCAST,
)
FIRST_MINUTE_VIEWERS: Final = Metric(
    "audience_first_minute_viewers",
    "gauge",
    "Viewers in the minute in which the broadcast began.",
    _BROADCAST,
)
FIRST_VIEWERS: Final = Metric(
    "audience_first_viewers",
    "gauge",
    "Viewers of the earliest observed minute of the broadcast that has any.",
    _BROADCAST,
)
PEAK_HELD_VIEWERS: Final = Metric(
    "audience_peak_held_viewers",
    "gauge",
    "Most viewers that two successive observed minutes both reached: one absurd sample makes none.",
    _BROADCAST,
)
WAITING_VIEWERS: Final = Metric(
    "audience_waiting_viewers",
    "gauge",
    "Most viewers before the broadcast's start: its waiting room.",
    _BROADCAST,
)
AVERAGE_VIEWERS: Final = Metric(
    "audience_average_viewers",
    "gauge",
    "Average-minute audience: viewer-minutes over the minutes observed or carried.",
    _BROADCAST,
)
WATCH_TIME: Final = Metric(
    "audience_watch_time_seconds",
    "gauge",
    "Time watched by all viewers together: viewer-minutes times 60.",
    _BROADCAST,
    "seconds",
)
JOINS: Final = Metric("audience_joins", "gauge", "Viewers who joined, so far.", _BROADCAST)
VIEWS: Final = Metric("audience_views", "gauge", "Views as the platform counts them.", _BROADCAST)
COVERAGE: Final = Metric(
    "audience_coverage_ratio",
    "gauge",
    "Share of the live minutes that were observed, 0 to 1.",
    _BROADCAST,
    "ratio",
)
COVERED: Final = Metric(
    "audience_covered_ratio",
    "gauge",
    "Share of the live minutes that were observed or carried, 0 to 1; the rest are holes.",
    _BROADCAST,
    "ratio",
)
STARTED: Final = Metric(
    "audience_started_timestamp_seconds",
    "gauge",
    "When the broadcast started.",
    _BROADCAST,
    "seconds",
)
ENDED: Final = Metric(
    "audience_ended_timestamp_seconds",
    "gauge",
    "When the broadcast ended, only while it is ended.",
    _BROADCAST,
    "seconds",
)
LAST_EVENT: Final = Metric(
    "audience_last_event_timestamp_seconds",
    "gauge",
    "Time of the newest accepted event, as its platform observed it.",
    _BROADCAST,
    "seconds",
)
LAST_ARRIVAL: Final = Metric(
    "audience_last_arrival_timestamp_seconds",
    "gauge",
    "Kafka timestamp of the last accepted event: when it came, however late its platform told it.",
    _BROADCAST,
    "seconds",
)
PEAK_VIEWERS: Final = Metric(
    "audience_peak_viewers",
    "gauge",
    "Peak concurrent viewers, over the last 5 minutes, the last hour or the whole broadcast.",
    (*_BROADCAST, "window"),
)
BROADCAST_INFO: Final = Metric(
    "audience_broadcast_info",
    "info",
    "Programme and title of the broadcast, and the partition in which its events lie.",
    (*_BROADCAST, "programme", "title", "partition"),
)
BROADCAST_METRICS: Final = (
    VIEWERS,
    FIRST_MINUTE_VIEWERS,
    FIRST_VIEWERS,
    PEAK_HELD_VIEWERS,
    WAITING_VIEWERS,
    AVERAGE_VIEWERS,
    WATCH_TIME,
    JOINS,
    VIEWS,
    COVERAGE,
    COVERED,
    STARTED,
    ENDED,
    LAST_EVENT,
    LAST_ARRIVAL,
    PEAK_VIEWERS,
    BROADCAST_INFO,
)

# -- of one scope, in the order in which they are written ------------------------------------------

_SCOPE: Final = ("scope", "name")

SCOPE_VIEWERS: Final = Metric(
    "audience_scope_viewers",
    "gauge",
    "Sum of audience_viewers over its broadcasts: those that are live and recently updated.",
    _SCOPE,
)
SCOPE_PEAK_VIEWERS: Final = Metric(
    "audience_scope_peak_viewers",
    "gauge",
    "Peak concurrent viewers of all its broadcasts together: the peak of the sum, not "
    "the sum of the peaks.",
    _SCOPE,
)
SCOPE_WATCH_TIME: Final = Metric(
    "audience_scope_watch_time_seconds",
    "gauge",
    "Time watched by all viewers of its broadcasts together: viewer-minutes times 60.",
    _SCOPE,
    "seconds",
)
SCOPE_JOINS: Final = Metric(
    "audience_scope_joins", "gauge", "Viewers who joined its broadcasts, so far.", _SCOPE
)
SCOPE_VIEWS: Final = Metric(
    "audience_scope_views",
    "gauge",
    "Views of its broadcasts, or the joins of those whose platform counts no views.",
    _SCOPE,
)
SCOPE_BROADCASTS: Final = Metric(
    "audience_scope_broadcasts",
    "gauge",
    "Broadcasts that ever belonged to it, each run one.",
    _SCOPE,
)
SCOPE_LIVE: Final = Metric(
    "audience_scope_live_broadcasts", "gauge", "Broadcasts of it that are live.", _SCOPE
)
SCOPE_METRICS: Final = (
    SCOPE_VIEWERS,
    SCOPE_PEAK_VIEWERS,
    SCOPE_WATCH_TIME,
    SCOPE_JOINS,
    SCOPE_VIEWS,
    SCOPE_BROADCASTS,
    SCOPE_LIVE,
)

# -- of the pipeline -------------------------------------------------------------------------------

EVENTS: Final = Metric(
    "audience_events_total",
    "counter",
    "Viewer event records processed, by outcome: accepted, late or rejected.",
    ("platform", "outcome"),
)
REJECTED: Final = Metric(
    "audience_rejected_total",
    "counter",
    "Records rejected, by reason; includes late records.",
    ("reason",),
)
RELABELLED: Final = Metric(
    "audience_relabelled_total",
    "counter",
    "Accepted records that name another venue or programme than their broadcast.",
)
MENDED: Final = Metric(
    "audience_mended_total",
    "counter",
    "Records with a title that was cut, or a lone surrogate that was replaced.",
    ("what",),
)
CUT: Final = Metric(
    "audience_cut_broadcasts_total",
    "counter",
    "Broadcasts of which the topic may have lost the beginning: none of their summaries is sent.",
)
FINALISED: Final = Metric(
    "audience_finalised_total",
    "counter",
    "Times that a broadcast became final: again where it had gone on after that.",
)
SCOPE_CLOSED: Final = Metric(
    "audience_scope_closed_total",
    "counter",
    "Deltas for scope minutes that were already closed: in the sums, not in the peak.",
)
SCOPE_SKIPPED: Final = Metric(
    "audience_scope_skipped_total",
    "counter",
    "Changes of scopes that could not be read (malformed) or added (error): their sums lack them.",
    ("reason",),
)
SKIPPED_BECAUSE: Final = ("malformed", "error")
TRANSACTIONS: Final = Metric(
    "audience_transactions_total",
    "counter",
    "Kafka transactions, by outcome: committed or failed.",
    ("stage", "outcome"),
)
FENCED: Final = Metric(
    "audience_fenced_total",
    "counter",
    "Times that a partition's producer was fenced: another one had taken the partition over.",
    ("stage",),
)
SESSIONS_LOST: Final = Metric(
    "audience_sessions_lost_total",
    "counter",
    "Consumer group sessions that ended with an error; a new one follows each.",
    ("stage",),
)
PARTITION_FAILURES: Final = Metric(
    "audience_partition_failures_total",
    "counter",
    "Times that the work of one partition failed; it alone is begun anew, after a pause.",
    ("topic",),
)
REBALANCES: Final = Metric(
    "audience_rebalances_total",
    "counter",
    "Times that the group has given this worker its partitions anew, the first time included.",
    ("topic",),
)
BATCH_SECONDS: Final = Metric(
    "audience_batch_seconds",
    "histogram",
    "Time from fetching a batch until its transaction is committed.",
    ("stage",),
    "seconds",
)
BATCH_RECORDS: Final = Metric(
    "audience_batch_records", "histogram", "Records per batch (one transaction).", ("stage",)
)
CHANGELOG_SECONDS: Final = Metric(
    "audience_changelog_seconds",
    "histogram",
    "Part of audience_batch_seconds spent writing and committing rows, outputs and position.",
    ("stage",),
    "seconds",
)
EVENT_LATENCY: Final = Metric(
    "audience_event_latency_seconds",
    "histogram",
    "Time from a viewer event's arrival, its Kafka timestamp, until it is durable in the figures "
    "of the stage: those of its broadcast, or of the world.",
    ("stage",),
    "seconds",
)
CLOCK_SKEW: Final = Metric(
    "audience_producer_clock_skew_seconds",
    "gauge",
    "Maximum time by which an event that was not refused as future was ahead of its Kafka "
    "timestamp, or of the worker's clock where that is earlier, over the last 1 to 2 minutes.",
    unit="seconds",
)
BUILD: Final = Metric(
    "audience_build_info",
    "info",
    "The version that runs here; build is compiled or pure.",
    ("version", "python", "faust", "build"),
)

# -- of the worker and its partitions --------------------------------------------------------------

READY: Final = Metric(
    "audience_worker_ready",
    "gauge",
    "1 if this worker is in the group and all its partitions are restored and running, "
    "else 0; same as /readyz.",
)
ASSIGNED: Final = Metric(
    "audience_partitions_assigned", "gauge", "Partitions assigned to this worker."
)
TOPIC_PARTITIONS: Final = Metric(
    "audience_topic_partitions",
    "gauge",
    "Partitions that the topic has, whoever works on them; absent until Kafka has told.",
    ("topic",),
)
LIVE: Final = Metric(
    "audience_live_broadcasts", "gauge", "Broadcasts that are live, not ended.", ("partition",)
)
EXPORTED: Final = Metric(
    "audience_exported_broadcasts",
    "gauge",
    "Broadcasts that are exported one by one, live or ended.",
    ("partition",),
)
LAG_RECORDS: Final = Metric(
    "audience_source_lag_records",
    "gauge",
    "Consumer lag: offsets up to the last stable one not yet processed, also of a partition that "
    "is not at work; absent while unknown.",
    ("stage", "partition"),
)
LAG_SECONDS: Final = Metric(
    "audience_source_lag_seconds",
    "gauge",
    "Age of the oldest record not yet processed, 0 without lag; where that is not known, as no "
    "fetch is answered or the partition is not at work, the time since nothing was known to wait.",
    ("stage", "partition"),
    "seconds",
)
RECOVERY: Final = Metric(
    "audience_recovery_seconds",
    "gauge",
    "Time to restore the partition's state from the changelog when it was last assigned.",
    ("stage", "partition"),
    "seconds",
)
RESTORE_PROGRESS: Final = Metric(
    "audience_restore_progress_ratio",
    "gauge",
    "How much of the partition's state was read back, 0 to 1; 1 once it is at work.",
    ("topic", "partition"),
    "ratio",
)
PARTITION_FAILING: Final = Metric(
    "audience_partition_failing_seconds",
    "gauge",
    "For how long the partition has failed again and again, 0 while it goes on; see /readyz.",
    ("topic", "partition"),
    "seconds",
)
TOPIC_FINDINGS: Final = Metric(
    "audience_topic_findings",
    "gauge",
    "Problems with the topic's configuration, as `live-audience topics check` reports them.",
    ("topic",),
)
HTTP_CLOSED: Final = Metric(
    "audience_http_connections_closed_total",
    "counter",
    "HTTP connections closed before the client did so, by why: a request that did not come (head) "
    "or no further one (idle), an answer that was not read (unread) or took too long (answer), "
    "too many at once (full).",
    ("reason",),
)

PIPELINE_METRICS: Final = (
    EVENTS,
    REJECTED,
    RELABELLED,
    MENDED,
    CUT,
    FINALISED,
    SCOPE_CLOSED,
    SCOPE_SKIPPED,
    TRANSACTIONS,
    FENCED,
    SESSIONS_LOST,
    PARTITION_FAILURES,
    REBALANCES,
    BATCH_SECONDS,
    BATCH_RECORDS,
    CHANGELOG_SECONDS,
    EVENT_LATENCY,
    RECOVERY,
    CLOCK_SKEW,
    BUILD,
)
WORKER_METRICS: Final = (
    READY,
    ASSIGNED,
    TOPIC_PARTITIONS,
    LIVE,
    EXPORTED,
    LAG_RECORDS,
    LAG_SECONDS,
    RESTORE_PROGRESS,
    PARTITION_FAILING,
    TOPIC_FINDINGS,
    HTTP_CLOSED,
)
