"""Panels of what fails, of what is refused, and of what is counted because it is odd."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agents.alerts import Timing
from boards.panels import (
    AMBER,
    RATE,
    SECONDS,
    SHARE,
    THIRD,
    Line,
    PanelSeries,
    timeseries_panel,
)
from boards.queries import largest, max_by, metric, rate, smallest, with_short_topic
from boards.shares import share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grafana_foundation_sdk.builders import timeseries

_PARTITION: Final = "topic, partition"
_SKEW: Final = Timing().skew
_FUTURE: Final = 120.0
_REFUSED, _LATE = 0.01, 0.05


def at_work() -> str:
    """Return how many partitions are at work, by topic; 0 where none is."""
    restored = f"max by ({_PARTITION}) ({metric('audience_restore_progress_ratio')}) == 1"
    failing = f"max by ({_PARTITION}) ({metric('audience_partition_failing_seconds')}) > 0"
    none = f"0 * {max_by('topic', 'audience_topic_partitions')}"
    return f"count by (topic) ({restored} unless on ({_PARTITION}) {failing}) or {none}"


def partitions() -> Iterator[timeseries.Panel]:
    """Yield whether all partitions are at work, and how those do that are not."""
    yield timeseries_panel(
        "Partitions at no worker, by topic",
        "Partitions that are restoring, failing, or given to nobody: what comes for them waits in "
        "Kafka. PartitionsUnowned fires after 2 minutes of any.",
        PanelSeries(
            with_short_topic(
                f"{max_by('topic', 'audience_topic_partitions')} - on (topic) ({at_work()})"
            ),
            "{{topic}}",
        ),
    )
    yield timeseries_panel(
        "State read back",
        "How much of a partition's state was read back, 0 to 1, of those with the least in the "
        "time shown; 1 once it is at work.",
        PanelSeries(
            with_short_topic(smallest(_PARTITION, "audience_restore_progress_ratio")),
            "{{topic}}/{{partition}}",
        ),
        unit=SHARE,
        most=1,
        many=True,
    )
    yield timeseries_panel(
        "Restore duration",
        "How long it took to read a partition's state back when it was last given to a worker, of "
        "those that took longest.",
        PanelSeries(
            largest("stage, partition", "audience_recovery_seconds"), "{{stage}} {{partition}}"
        ),
        unit=SECONDS,
        many=True,
        width=THIRD,
    )
    yield timeseries_panel(
        "Failing for",
        "For how long a partition has failed again and again, of those that did so longest; 0 "
        "while it goes on.",
        PanelSeries(
            with_short_topic(largest(_PARTITION, "audience_partition_failing_seconds")),
            "{{topic}}/{{partition}}",
        ),
        unit=SECONDS,
        many=True,
        width=THIRD,
    )
    yield timeseries_panel(
        "Partitions that fail, and rebalances",
        "Times a second that the work of one partition failed and was restarted, and that the "
        "group rebalanced, by topic.",
        PanelSeries(
            with_short_topic(f"sum by (topic) ({rate('audience_partition_failures_total')})"),
            "{{topic}} failed",
        ),
        PanelSeries(
            with_short_topic(f"sum by (topic) ({rate('audience_rebalances_total')})"),
            "{{topic}} rebalanced",
        ),
        unit=RATE,
        width=THIRD,
    )


def transactions() -> Iterator[timeseries.Panel]:
    """Yield how the work with Kafka goes."""
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


def refused() -> Iterator[timeseries.Panel]:
    """Yield what producers sent wrong."""
    yield timeseries_panel(
        "Refused, by reason",
        "Records that went to viewer-events-rejected, a second. Any `error` is a defect of this "
        "system; the others are the producers'. `live-audience rejected` lists them.",
        PanelSeries(f"sum by (reason) ({rate('audience_rejected_total')})", "{{reason}}"),
        unit=RATE,
    )
    yield timeseries_panel(
        "Rejected and late share",
        "Share of the records read that were rejected: late, or for another reason.",
        PanelSeries(share("rejected"), "rejected"),
        PanelSeries(share("late"), "late"),
        unit=SHARE,
        lines=[
            Line(_REFUSED, "1 % for one reason: EventsRefused fires", AMBER),
            Line(_LATE, "5 % late: EventsLate fires"),
        ],
    )
    yield timeseries_panel(
        "Clock skew of producers",
        "The most by which an accepted event was ahead of its Kafka timestamp lately, or of the "
        "worker's clock where that is earlier.",
        PanelSeries(f"max({metric('audience_producer_clock_skew_seconds')})", "ahead by"),
        unit=SECONDS,
        width=THIRD,
        lines=[
            Line(_SKEW, "1 min: ProducerClockSkewed fires", AMBER),
            Line(_FUTURE, "2 min: by default events are refused (AUDIENCE_FUTURE)"),
        ],
    )
    yield timeseries_panel(
        "Relabelled and mended events",
        "Accepted records, a second, that name another venue or programme than their broadcast "
        "has, after its first minute was sealed: it keeps what it has. And those whose title was "
        "cut, or in which a lone surrogate was replaced.",
        PanelSeries(f"sum({rate('audience_relabelled_total')})", "relabelled"),
        PanelSeries(f"sum by (what) ({rate('audience_mended_total')})", "{{what}}"),
        unit=RATE,
        width=THIRD,
    )
    yield timeseries_panel(
        "Broadcasts without their beginning",
        "Broadcasts, a second, of which the topic may have lost the beginning when this group's "
        "state was built: none of their summaries is sent.",
        PanelSeries(f"sum({rate('audience_cut_broadcasts_total')})", "broadcasts"),
        unit=RATE,
        width=THIRD,
    )


def outcome() -> Iterator[timeseries.Panel]:
    """Yield what becomes of broadcasts, and what their scopes lack."""
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
        "What scopes lack",
        "Minutes, a second, that came after the scope's history had closed: they count in its "
        "sums, no more in its peak. And changes that were skipped, by reason: its sums lack them, "
        "and ScopeChangesSkipped fires.",
        PanelSeries(f"sum({rate('audience_scope_closed_total')})", "too old for the peak"),
        PanelSeries(
            f"sum by (reason) ({rate('audience_scope_skipped_total')})", "skipped: {{reason}}"
        ),
        unit=RATE,
        width=THIRD,
    )
