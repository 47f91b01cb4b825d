"""Panels of the pipeline's flow: how far behind, how much, in which batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agents.alerts import Timing
from boards.panels import (
    GREEN,
    RATE,
    SECONDS,
    SHARE,
    THIRD,
    Line,
    PanelSeries,
    timeseries_panel,
)
from boards.queries import largest_rates, quantile, rate
from boards.stages import STAGES, behind_by_stage, furthest_behind, waiting_by_stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grafana_foundation_sdk.builders import timeseries

#: What is aimed at: an event is in the figures within so many seconds.
OBJECTIVE: Final = 10.0
#: From here on figures count as stale, in seconds.
STALE: Final = Timing().stale

#: The consumer groups of any deployment; `streams/names.py` makes their names.
OURS: Final = r".*audience\\.[^.]+\\.(broadcasts|scopes)"
#: An exporter of Kafka's lag is a job of its own, perhaps in a namespace of its own.
GROUPS: Final = f'cluster="$cluster", consumergroup=~"{OURS}"'

_QUANTILES: Final = {"median": 0.5, "90 %": 0.9, "99 %": 0.99}


def freshness() -> Iterator[timeseries.Panel]:
    """Yield what says how old the figures are."""
    yield timeseries_panel(
        "Behind by, by stage",
        "Age of the oldest record that is not yet in the figures: broadcasts are those of single "
        "broadcasts, scopes add these up. It grows as the clock does where a partition stands "
        "still.",
        behind_by_stage(),
        unit=SECONDS,
        lines=[
            Line(OBJECTIVE, "10 s is what is aimed at", GREEN, seen=True),
            Line(STALE, "2 min: FiguresStale fires"),
        ],
    )
    yield timeseries_panel(
        "Records that wait, by stage",
        "Records that are not yet in the figures, over all partitions.",
        waiting_by_stage(),
    )


def objective() -> Iterator[timeseries.Panel]:
    """Yield how many events are in the figures in time, and how long they take."""
    in_time = rate("audience_event_latency_seconds_bucket", f'le="{OBJECTIVE}"')
    yield timeseries_panel(
        "Events in the figures within 10 s",
        "Share of the events that were durable in the figures of a stage within 10 s of their "
        "arrival in Kafka, and the objective for 30 days. Those that still wait are not in it.",
        PanelSeries(
            f"sum by (stage) ({in_time}) / "
            f"(sum by (stage) ({rate('audience_event_latency_seconds_count')}) > 0)",
            "{{stage}}",
        ),
        unit=SHARE,
        most=1,
        lines=[Line(0.99, "99 % is what is aimed at", GREEN, seen=True)],
    )
    yield timeseries_panel(
        "Time from arrival to figures",
        "How long events took from their arrival in Kafka until they were durable in the figures "
        "of a stage.",
        *_quantiles("audience_event_latency_seconds"),
        unit=SECONDS,
    )


def lag() -> Iterator[timeseries.Panel]:
    """Yield which partitions lag, by our own account and by Kafka's."""
    for stage in STAGES:
        yield timeseries_panel(
            f"Partitions furthest behind: {stage.name}",
            "Age of the oldest record that waits, of the partitions that were furthest behind in "
            "the time shown. One that is not at work ages too.",
            furthest_behind(stage),
            unit=SECONDS,
            width=THIRD,
            many=True,
            lines=[Line(STALE, "2 min: FiguresStale fires")],
        )
    yield timeseries_panel(
        "Lag as Kafka tells it, by group",
        "Records between the group's committed offset and the topic's end, as an exporter of "
        "Kafka's own lag counts them (and KEDA's Kafka scaler). It counts marks of transactions "
        "and open transactions too, so it need not come to 0. It goes on where no worker tells of "
        "anything. Empty without such an exporter.",
        PanelSeries(
            "sum by (consumergroup) (max by (consumergroup, topic, partition) "
            '(kafka_consumergroup_lag{cluster="$cluster", consumergroup=~"$consumergroup"}))',
            "{{consumergroup}}",
        ),
        width=THIRD,
    )


def throughput() -> Iterator[timeseries.Panel]:
    """Yield how much is read."""
    yield timeseries_panel(
        "Records read, by what became of them",
        "Records that became durable, a second: accepted, late or rejected for another reason.",
        PanelSeries(f"sum by (outcome) ({rate('audience_events_total')})", "{{outcome}}"),
        unit=RATE,
        stacked=True,
    )
    yield timeseries_panel(
        "Records read, by platform",
        "The same of the platforms that sent most in the time shown. (none) is of records "
        "that name none that is valid.",
        PanelSeries(
            f"label_replace({largest_rates('platform', 'audience_events_total')}, "
            '"platform", "(none)", "platform", "")',
            "{{platform}}",
        ),
        unit=RATE,
        stacked=True,
        many=True,
    )


def batches() -> Iterator[timeseries.Panel]:
    """Yield what the batches are like."""
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


def _quantiles(name: str) -> Iterator[PanelSeries]:
    for label, share in _QUANTILES.items():
        yield PanelSeries(quantile(share, name), f"{{{{stage}}}}, {label}")
