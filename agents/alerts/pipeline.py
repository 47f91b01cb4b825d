"""Alerts about the pipeline."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from agents.alerts.model import Group, make_alert
from agents.alerts.timing import duration, number

if TYPE_CHECKING:
    from collections.abc import Callable

    from agents.alerts.timing import Timing

#: The lag grows by so many seconds each second from where on a partition falls behind.
_LAG_SLOPE = 0.02
_REFUSED, _REFUSED_COUNT, _LATE = 0.01, 10, 0.05
_PLATFORM_REFUSED = 0.5
#: Part of the scrapes' time-out from which they are slow.
_SLOW = 0.6
_FAULTS: Final = 3
_FAILED: Final = 5
#: Part of all events from which on failures of our own cannot wait for the day.
_FAILING: Final = 0.001


def group(timing: Timing, runbook: Callable[[str], str]) -> Group:
    """The group of these alerts."""
    alert = partial(make_alert, timing, runbook)
    gap, known = duration(timing.gap), duration(timing.known)
    rate, counted = duration(timing.rate), duration(timing.counted)
    window, lag = duration(timing.lag_window), "job_stage_partition:audience_source_lag_seconds:max"
    stopped = duration(timing.stopped)
    usual, usual_offset = duration(timing.usual), duration(timing.usual_offset)
    rules = [
        alert(
            "WorkerDown",
            "up == 0",
            "warning",
            "Worker {{ $labels.instance }} is down",
            "Prometheus cannot scrape it. The other workers take its partitions over.",
        ),
        alert(
            "NoWorkerReady",
            f"""
            (
              max by (job) (up)
              or
              max_over_time(job:audience_worker_ready:max[{known}])
              or
              absent(
                up or max_over_time(job:audience_worker_ready:max[{known}])
              )
            )
            unless on (job)
            max by (job) (audience_worker_ready) == 1
            """,
            "critical",
            "No worker is ready",
            "No figure is being updated. Events wait in Kafka and are counted later: nothing is "
            "lost within their retention.",
            why="Of each system: of those that discovery finds, of those that were there within a "
            "day; and where there is none at all.",
        ),
        alert(
            "EventsStopped",
            f"""
            (
              job:audience_live_broadcasts:sum > 0
              or
              max by (job) (ALERTS{{alertname="EventsStopped", alertstate="firing"}})
            )
            unless on (job)
            sum by (job) (increase(audience_events_total[{stopped}])) > 0
            """,
            "critical",
            "No events come any more",
            "Broadcasts were live, and not one event of any platform has been counted for "
            "5 minutes. Either none are sent, or none are read: then FiguresStale fires too.",
            why="Where the last broadcast ends in good order, none is live once its last event is "
            "counted. Silent ones are taken as ended after a while, so once it fires it stays "
            "until events come.",
        ),
        alert(
            "PlatformSilent",
            f"""
            (
              job_platform:audience_live_broadcasts:max > 0
              and on (job, platform)
              max_over_time(
                job_platform:audience_events:increase3m[{usual}] offset {usual_offset}
              ) > 0
              unless on (job, platform)
              last_over_time(
                job_platform:audience_events:quiet3m[{usual}] offset {usual_offset}
              )
              or
              max by (job, platform) (ALERTS{{alertname="PlatformSilent", alertstate="firing"}})
            )
            unless on (job, platform)
            job_platform:audience_events:increase3m > 0
            """,
            "warning",
            "Platform {{ $labels.platform }} is silent",
            "Broadcasts of it were live, and it has sent nothing for 5 minutes; within the hour "
            "before it was never so quiet.",
            why="Against its own last hour: one that sends everything each 5 minutes is not silent "
            "between.",
        ),
        alert(
            "PartitionsUnowned",
            """
            max by (job, topic) (audience_topic_partitions)
            - on (job, topic)
            (
              count by (job, topic) (
                max by (job, topic, partition) (
                  audience_restore_progress_ratio == 1
                  unless
                  audience_partition_failing_seconds > 0
                )
              )
              or
              max by (job, topic) (audience_topic_partitions) * 0
            )
            > 0
            """,
            "critical",
            "Partitions of {{ $labels.topic }} are at work nowhere",
            "{{ $value | humanize }} of them: restoring, failing, or given to no worker. What lies "
            "in them is not counted, and waits in Kafka.",
            why="Also where none at all is at work, of which there is no series.",
        ),
        alert(
            "WorkerRestarts",
            f"""
            sum by (job, instance) (changes(process_start_time_seconds[{counted}])) >= {_FAULTS}
            and on (job, instance)
            max_over_time(audience_worker_ready[{counted}])
            """,
            "warning",
            "Worker {{ $labels.instance }} starts again and again",
            "{{ $value | humanize }} times in 15 minutes. Each time its partitions move to others "
            "and back.",
            why="Of our workers only: each process of a Prometheus client tells its start.",
        ),
        alert(
            "SessionsLost",
            f"""
            max by (job, instance, stage) (
              increase(audience_sessions_lost_total[{counted}])
            ) >= {_FAULTS}
            """,
            "warning",
            "Worker {{ $labels.instance }} loses its session with Kafka again and again",
            '{{ printf "%.0f" $value }} times in 15 minutes that of the {{ $labels.stage }}, for '
            "whatever reason; its log says it. "
            "Nothing counts twice, but figures stand still between.",
            why="By worker, so that it means the same with 2 and with 50 of them.",
        ),
        alert(
            "PlatformRefused",
            f"""
            (
              sum by (job, platform) (
                rate(audience_events_total{{outcome="rejected", platform!=""}}[{rate}])
              )
              / on (job, platform)
              sum by (job, platform) (rate(audience_events_total{{platform!=""}}[{rate}]))
            ) > {_PLATFORM_REFUSED}
            and on (job, platform)
            sum by (job, platform) (
              increase(audience_events_total{{outcome="rejected", platform!=""}}[{rate}])
            ) >= {_REFUSED_COUNT}
            """,
            "warning",
            "Events of {{ $labels.platform }} are refused",
            "{{ $value | humanizePercentage }} of what it has sent in the last 5 minutes. They are "
            "kept in viewer-events-rejected with the reason.",
            why="A small platform that is refused whole is lost in the share of all events.",
        ),
        alert(
            "ScrapeSlow",
            f"""
            max by (job, instance) (scrape_duration_seconds)
            > {number(_SLOW * timing.scrape_timeout)}
            """,
            "warning",
            "Scrapes of worker {{ $labels.instance }} are slow",
            "{{ $value | humanizeDuration }} of the 10 s that a scrape may take. Past them it is "
            "down as far as Prometheus can tell.",
        ),
        alert(
            "Watchdog",
            "vector(1)",
            "none",
            "Alerts are evaluated and sent",
            "Always fires. Have something outside raise the alarm when it stops coming.",
            why="A dead man's switch.",
        ),
        alert(
            "LagGrowing",
            f"""
            {lag}
            and
            min_over_time({lag}[{window}]) > {number(timing.lag_least)}
            and
            deriv({lag}[{window}]) > {_LAG_SLOPE}
            """,
            "warning",
            "The lag of partition {{ $labels.partition }} of the {{ $labels.stage }} is growing",
            "Its oldest record has waited for {{ $value | humanizeDuration }}: more come than are "
            "read.",
            why="In time, for a thousand records are nothing to a busy partition and a day to a "
            "quiet one. After a restart much waits, but less and less; and what comes and goes "
            "between two batches is no lag.",
        ),
        alert(
            "FiguresStale",
            f"""
            job_stage:audience_source_lag_seconds:max > {number(timing.stale)}
            """,
            "critical",
            "The figures of {{ $labels.stage }} are behind",
            "The oldest record that is not yet in them is {{ $value | humanizeDuration }} old.",
            why="Of both stages: the world's total comes from that of the scopes.",
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
            "warning",
            "Our own code failed on events",
            '{{ printf "%.0f" $value }} in the last 15 minutes: a defect of this system. They are '
            "kept in viewer-events-rejected and can be replayed when it is mended.",
            why="A rise before a new worker's first scrape is no rise to Prometheus, so what a "
            "young one has counted is taken as it is.",
        ),
        alert(
            "EventsFailing",
            f"""
            max by (job) (job_reason:audience_rejected:ratio_rate5m{{reason="error"}}) > {_FAILING}
            and on (job)
            sum by (job) (
              increase(audience_rejected_total{{reason="error"}}[{rate}])
            ) >= {_REFUSED_COUNT}
            """,
            "critical",
            "Our own code fails on event after event",
            "{{ $value | humanizePercentage }} of all events of the last 5 minutes: a defect of "
            "this system, and figures lack them. They are kept in viewer-events-rejected and can "
            "be replayed when it is mended.",
            why="A single one is a ticket: EventsFailed.",
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
            f"""
            job:audience_late:ratio_rate5m > {_LATE}
            and on (job)
            sum by (job) (
              increase(audience_rejected_total{{reason="late"}}[{rate}])
            ) >= {_REFUSED_COUNT}
            """,
            "warning",
            "Many events come late",
            "{{ $value | humanizePercentage }} of all events came for minutes that were already "
            "sealed, or for broadcasts that are long over.",
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
            f"""
            max by (job, instance) (
              changes(audience_fenced_total[{counted}])
              - resets(audience_fenced_total[{counted}])
            ) >= {_FAULTS}
            """,
            "warning",
            "Worker {{ $labels.instance }} is fenced again and again",
            "{{ $value | humanize }} times in 15 minutes: it stands still for longer than the "
            "session timeout, or another runs with its AUDIENCE_INSTANCE.",
            why="How often, not how many: one pause fences the producers of all its partitions at "
            "once. By worker, so that it means the same with 2 and with 50 of them.",
        ),
        alert(
            "TransactionsFailing",
            f"""
            max by (job, instance) (
              changes(audience_transactions_total{{outcome="failed"}}[{counted}])
              - resets(audience_transactions_total{{outcome="failed"}}[{counted}])
            ) >= {_FAILED}
            """,
            "warning",
            "Transactions of worker {{ $labels.instance }} fail again and again",
            "At {{ $value | humanize }} scrapes in 15 minutes more had failed. Nothing counts "
            "twice: what became of each is looked up before going on.",
            why="How often, not how many: a broker that goes away fails one of each partition. A "
            "restart of brokers one by one is no more than a few times.",
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
