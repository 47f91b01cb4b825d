"""Pipeline: whether the figures can be trusted, and what to look at when not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from boards import faults, flow, workers
from boards.layout import add_row, multi_variable, new_dashboard, top_variable
from boards.panels import (
    AMBER,
    EIGHTH,
    GREEN,
    RED,
    SECONDS,
    SHARE,
    TEXT,
    levels,
    stat_panel,
)
from boards.queries import max_by, metric
from boards.shares import share
from boards.stages import STAGES, behind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grafana_foundation_sdk.builders import stat
    from grafana_foundation_sdk.builders.dashboard import Dashboard


def dashboard() -> Dashboard:
    """Return the dashboard."""
    board = (
        new_dashboard(
            "live-audience-pipeline",
            "Live audience: pipeline",
            "Whether the figures are fresh and whole: lag, batches, transactions, refusals.",
            since="now-1h",
            refresh="30s",
        )
        .with_variable(
            multi_variable(
                "consumergroup",
                "Groups in Kafka",
                f"kafka_consumergroup_lag{{{flow.GROUPS}}}",
                all_value=flow.OURS,
            ).description("As an exporter of Kafka's own lag names them; empty without one.")
        )
        .with_variable(top_variable("partitions, platforms and workers"))
    )
    add_row(board, "Health", *_health())
    add_row(board, "Freshness and lag", *flow.freshness(), *flow.objective(), *flow.lag())
    add_row(board, "Throughput and batches", *flow.throughput(), *flow.batches())
    add_row(board, "Partitions", *faults.partitions())
    add_row(board, "Transactions and sessions", *faults.transactions())
    add_row(board, "Refused and mended events", *faults.refused())
    add_row(board, "Scopes and finality", *faults.outcome())
    add_row(board, "Workers and topics", *workers.panels())
    return board


def _health() -> Iterator[stat.Panel]:
    for stage in STAGES:
        yield stat_panel(
            f"Behind: {stage.name}",
            f"Age of the oldest record that is not yet in {stage.what}, over all partitions.",
            behind(stage),
            unit=SECONDS,
            colors=levels((flow.OBJECTIVE, AMBER), (flow.STALE, RED)),
            width=EIGHTH,
        )
    yield stat_panel(
        "Partitions at no worker",
        "Partitions of both stages that are restoring, failing, or given to nobody: what comes for "
        "them waits in Kafka.",
        f"sum({max_by('topic', 'audience_topic_partitions')}) - sum({faults.at_work()})",
        colors=levels((1, RED)),
        width=EIGHTH,
    )
    yield stat_panel(
        "Workers ready",
        "Workers that are members of the group with all their partitions at work.",
        f"sum({metric('audience_worker_ready')})",
        colors=levels((1, GREEN), base=RED),
        width=EIGHTH,
    )
    yield stat_panel(
        "Workers not ready",
        "Workers that do not answer Prometheus, or that are still restoring their state.",
        f"count({metric('up')}) - sum({metric('audience_worker_ready')})",
        colors=levels((1, AMBER)),
        width=EIGHTH,
    )
    yield stat_panel(
        "Rejected",
        "Share of the records that are rejected, late ones not counted: a producer's mistake.",
        share("rejected"),
        unit=SHARE,
        colors=levels((0.01, AMBER), (0.05, RED)),
        width=EIGHTH,
    )
    yield stat_panel(
        "Late",
        "Share of the records that come after their minute is sealed.",
        share("late"),
        unit=SHARE,
        colors=levels((0.01, AMBER), (0.05, RED)),
        width=EIGHTH,
    )
    yield stat_panel(
        "Version",
        "The versions of live-audience that run.",
        f"count by (version) ({metric('audience_build_info')})",
        unit=TEXT,
        name="{{version}}",
        width=EIGHTH,
    )
