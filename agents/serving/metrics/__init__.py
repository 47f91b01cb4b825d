"""The metrics of a worker (contract, section 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from agents.serving.live import TopSelection, is_always_exported
from agents.serving.metrics.broadcasts import BroadcastMetrics
from agents.serving.metrics.catalogue import STAGES
from agents.serving.metrics.exposition import Exposition
from agents.serving.metrics.pipeline import PipelineMetrics
from agents.serving.metrics.scopes import ScopeMetrics
from agents.serving.metrics.stages import StageMetrics
from agents.serving.metrics.worker import WorkerMetrics, no_stages
from streams.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agents.serving.live import LiveBroadcasts, LiveScopes
    from agents.serving.metrics.worker import Stage
    from streams.clock import Clock

__all__ = ["STAGES", "Exposition", "Metrics", "PipelineMetrics", "StageMetrics"]


class Metrics:
    """All metrics of one worker, in a registry of their own.

    Args:
        live: The broadcasts that it owns.
        scopes: The scopes that it owns.
        top: How many of the broadcasts are exported one by one.
        top_scopes: How many of the scopes are.
        assigned: How many partitions the group has given to the worker.
        not_ready_reason: What is missing before the worker is ready; None if it is.
        stages: The sources, by the catalogue's `STAGES`.
        clock: The wall clock.

    Attributes:
        pipeline: To be told what batches did.
        worker: To be told of findings about topics, and of closed connections.
        exposition: What a scrape gets.
    """

    def __init__(
        self,
        live: LiveBroadcasts,
        scopes: LiveScopes,
        *,
        top: int,
        top_scopes: int,
        assigned: Callable[[], int],
        not_ready_reason: Callable[[], str | None],
        stages: Callable[[], Mapping[str, Stage]] = no_stages,
        clock: Clock | None = None,
    ) -> None:
        clock = clock or SystemClock()
        registry = CollectorRegistry()
        selection = TopSelection(live, top)
        self.pipeline = PipelineMetrics(registry, clock)
        self.worker = WorkerMetrics(
            registry,
            live,
            selection,
            assigned=assigned,
            not_ready_reason=not_ready_reason,
            stages=stages,
        )
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        scope_selection = TopSelection(
            scopes,
            top_scopes,
            is_always_exported,
            most_always=max(1, min(100, top_scopes)),
            only_active=True,
        )
        self.exposition = Exposition(
            registry,
            [
                BroadcastMetrics(live, selection),
                ScopeMetrics(scopes, scope_selection),
            ],
        )
