"""Alerts about the pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agents.alerts.model import Alert, Group
from agents.alerts.timing import duration, number

if TYPE_CHECKING:
    from collections.abc import Callable

    from agents.alerts.model import Severity
    from agents.alerts.timing import Timing

#: The job's name in the scrape configuration.
JOB: Final = "live-audience"

_LAG_RECORDS, _LAG_SLOPE = 1000, 1
_REFUSED, _REFUSED_COUNT, _LATE = 0.01, 10, 0.05
_FAULTS: Final = 3


def group(timing: Timing, runbook: Callable[[str], str]) -> Group:
    """The group of these alerts."""

    def alert(
        name: str,
        expr: str,
        severity: Severity,
        summary: str,
        description: str,
        *,
        why: str = "",
    ) -> Alert:
        hold = timing.holds[name]
        return Alert(name, expr, severity, summary, description, *hold, runbook(name), why=why)

    gap = duration(timing.gap)
    rate, counted = duration(timing.rate), duration(timing.counted)
    window = duration(timing.lag_window)
    rules = [
        alert(
            "WorkerDown",
            f'up{{job="{JOB}"}} == 0',
            "warning",
            "Worker {{ $labels.instance }} is down",
            "Prometheus cannot scrape it. The other workers take its partitions over.",
        ),
        alert(
            "NoWorkerReady",
            f'absent(audience_worker_ready{{job="{JOB}"}} == 1)',
            "critical",
            "No worker is ready",
            "No figure is being updated. Events wait in Kafka and are counted later: nothing is "
            "lost within their retention.",
            why="Also where discovery finds no worker any more.",
        ),
        alert(
            "LagGrowing",
            f"""
            job_partition:audience_source_lag_records:max > {_LAG_RECORDS}
            and
            deriv(job_partition:audience_source_lag_records:max[{window}]) > {_LAG_SLOPE}
            """,
            "warning",
            "The lag of partition {{ $labels.partition }} is growing",
            "{{ $value | humanize }} records wait in it, and more come than are read.",
            why="After a restart much waits, but less and less.",
        ),
        alert(
            "FiguresStale",
            f"job:audience_source_lag_seconds:max > {number(timing.stale)}",
            "critical",
            "The figures are behind",
            "The oldest record that is not yet in them is {{ $value | humanizeDuration }} old.",
        ),
        alert(
            "EventsRefused",
            f"""
            job_reason:audience_rejected:ratio_rate5m{{reason!~"late|error"}} > {_REFUSED}
            and
            sum by (job, reason) (increase(audience_rejected_total[{rate}])) >= {_REFUSED_COUNT}
            """,
            "warning",
            "Events are rejected as {{ $labels.reason }}",
            "{{ $value | humanizePercentage }} of all events of the last 5 minutes. They are kept "
            "in viewer-events-rejected with the reason.",
        ),
        alert(
            "EventsFailed",
            f"""
            sum by (job) (increase(audience_rejected_total{{reason="error"}}[{counted}])) > 0
            or
            sum by (job) (
              audience_rejected_total{{reason="error"}}
              and on (job, instance)
              time() - process_start_time_seconds < {number(timing.counted)}
            ) > 0
            """,
            "critical",
            "Our own code failed on events",
            '{{ printf "%.0f" $value }} in the last 15 minutes: a defect of this system. They are '
            "kept in viewer-events-rejected and can be replayed when it is mended.",
            why="A rise before a new worker's first scrape is no rise to Prometheus, so what a "
            "young one has counted is taken as it is.",
        ),
        alert(
            "ScopeChangesSkipped",
            f"""
            sum by (job, reason) (increase(audience_scope_skipped_total[{counted}])) > 0
            or
            sum by (job, reason) (
              audience_scope_skipped_total
              and on (job, instance)
              time() - process_start_time_seconds < {number(timing.counted)}
            ) > 0
            """,
            "critical",
            "Changes of scopes were skipped as {{ $labels.reason }}",
            '{{ printf "%.0f" $value }} in the last 15 minutes: figures of scopes lack them from '
            "now on. The log says which, and where they lie.",
            why="As for EventsFailed.",
        ),
        alert(
            "EventsLate",
            f"job:audience_late:ratio_rate5m > {_LATE}",
            "warning",
            "Many events come late",
            "{{ $value | humanizePercentage }} of all events came for minutes that were already "
            "sealed, or for final broadcasts.",
        ),
        alert(
            "RestoreTooLong",
            f"max by (job, instance) (max_over_time(audience_worker_ready[{gap}])) == 0",
            "warning",
            "Worker {{ $labels.instance }} does not become ready",
            "It answers, but is no member of the group or has not read its state back; /readyz "
            "says which.",
        ),
        alert(
            "WorkersFencedRepeatedly",
            f"sum by (job) (increase(audience_fenced_total[{counted}])) >= {_FAULTS}",
            "warning",
            "Workers are fenced again and again",
            '{{ printf "%.0f" $value }} times in 15 minutes: workers stand still for longer than '
            "the session timeout, or two run with one AUDIENCE_INSTANCE.",
        ),
        alert(
            "TransactionsFailing",
            f"""
            sum by (job) (
              increase(audience_transactions_total{{outcome="failed"}}[{counted}])
            ) >= {_FAULTS}
            """,
            "warning",
            "Transactions fail",
            '{{ printf "%.0f" $value }} in 15 minutes. Nothing counts twice: what became of each '
            "is looked up before going on.",
        ),
        alert(
            "BroadcastsNotExported",
            """
            sum by (job, instance) (audience_live_broadcasts)
            - sum by (job, instance) (audience_exported_broadcasts)
            > 0
            """,
            "warning",
            "Worker {{ $labels.instance }} leaves broadcasts out of its metrics",
            "Live broadcasts that are in the API and the summaries only, so that no alert watches "
            "them: {{ $value | humanize }}.",
        ),
        alert(
            "ProducerClockSkewed",
            f"max by (job) (audience_producer_clock_skew_seconds) > {number(timing.skew)}",
            "warning",
            "A producer's clock is ahead",
            "Its events are up to {{ $value | humanizeDuration }} ahead of Kafka's clock; over "
            "AUDIENCE_FUTURE they are rejected.",
        ),
        alert(
            "TopicMisconfigured",
            "max by (job, topic) (audience_topic_findings) > 0",
            "warning",
            "Topic {{ $labels.topic }} is not configured as it must be",
            "Findings: {{ $value | humanize }}. `live-audience topics check` says what they are, "
            "and what to do.",
        ),
    ]
    return Group("live-audience-pipeline", rules, timing.scrape)
