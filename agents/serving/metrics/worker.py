"""How the worker and its partitions stand: asked for at each scrape.

Only partitions that the worker has now are in it, so nothing stays when one is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from agents.serving.metrics import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric as Family

    from agents.serving.live import LiveBroadcasts, TopSelection
    from agents.serving.metrics.catalogue import Metric
    from streams.exact import Lag


class Stage(Protocol):
    """What is asked of a stage of the pipeline: its source.

    Attributes:
        topic: What it reads.
    """

    topic: str

    def lags(self) -> Mapping[int, Lag]:
        """How many records wait in each partition, and how old the oldest is."""

    def failing(self) -> Mapping[int, float]:
        """For how long each of its partitions fails, in seconds; 0 if it does not."""

    def restored_ratios(self) -> Mapping[int, float]:
        """How much of each partition's rows was read back, 0 to 1."""

    def partition_count(self) -> int | None:
        """How many partitions its topic has; None before that is known."""


def no_stages() -> Mapping[str, Stage]:
    """Nothing to ask: for a registry without sources."""
    return {}


class WorkerMetrics(Collector):
    """Gauges of the worker, and how often it closed HTTP connections.

    Args:
        registry: Where it is registered.
        live: The broadcasts it owns.
        selection: Which of them are exported.
        assigned: How many partitions the group has given it.
        not_ready_reason: What `/readyz` says.
        stages: The sources, by the catalogue's `STAGES`.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        live: LiveBroadcasts,
        selection: TopSelection,
        *,
        assigned: Callable[[], int],
        not_ready_reason: Callable[[], str | None],
        stages: Callable[[], Mapping[str, Stage]] = no_stages,
    ) -> None:
        self._live = live
        self._selection = selection
        self._assigned = assigned
        self._not_ready_reason = not_ready_reason
        self._stages = stages
        self._findings: Mapping[str, int] = {}
        # All reasons from the start: a rate needs a zero before the first.
        self._http_closed = dict.fromkeys(("head", "idle", "unread", "answer", "full"), 0)
        registry.register(self)

    def set_topic_findings(self, findings: Mapping[str, int]) -> None:
        """Take note of how many things are wrong with each topic."""
        self._findings = findings

    def http_closed(self, reason: str) -> None:
        """Take note that an HTTP connection was closed before its client did so."""
        self._http_closed[reason] += 1

    def describe(self) -> Iterator[Family]:
        """The families without samples, so that registering asks nobody."""
        for metric in catalogue.WORKER_METRICS:
            yield _family(metric)

    def collect(self) -> Iterator[Family]:
        """The families as of now."""
        yield _family(catalogue.READY, {(): float(self._not_ready_reason() is None)})
        yield _family(catalogue.ASSIGNED, {(): self._assigned()})
        shown = self._live.partitions
        yield _by_partition(catalogue.LIVE, {number: self._live.live(number) for number in shown})
        yield _by_partition(
            catalogue.EXPORTED, {number: self._selection.count.get(number, 0) for number in shown}
        )
        stages = self._stages()
        lags = {name: dict(sorted(stage.lags().items())) for name, stage in stages.items()}
        yield _by_stage(
            catalogue.LAG_RECORDS,
            {
                name: {number: lag.records for number, lag in found.items()}
                for name, found in lags.items()
            },
        )
        yield _by_stage(
            catalogue.LAG_SECONDS,
            {
                name: {number: lag.seconds for number, lag in found.items()}
                for name, found in lags.items()
            },
        )
        counts = {stage.topic: stage.partition_count() for stage in stages.values()}
        yield _family(
            catalogue.TOPIC_PARTITIONS,
            {(topic,): count for topic, count in counts.items() if count is not None},
        )
        yield _by_stage(
            catalogue.RESTORE_PROGRESS,
            {stage.topic: stage.restored_ratios() for stage in stages.values()},
        )
        yield _by_stage(
            catalogue.PARTITION_FAILING,
            {stage.topic: stage.failing() for stage in stages.values()},
        )
        yield _family(
            catalogue.TOPIC_FINDINGS, {(name,): count for name, count in self._findings.items()}
        )
        yield _family(
            catalogue.HTTP_CLOSED, {(name,): count for name, count in self._http_closed.items()}
        )


def _by_stage(metric: Metric, values: Mapping[str, Mapping[int, float | None]]) -> Family:
    """Make a family by stage or topic, and partition; None has no sample."""
    return _family(
        metric,
        {
            (name, str(number)): value
            for name, by_partition in values.items()
            for number, value in sorted(by_partition.items())
            if value is not None
        },
    )


def _by_partition(metric: Metric, values: Mapping[int, float]) -> Family:
    return _family(metric, {(str(number),): value for number, value in values.items()})


def _family(metric: Metric, values: Mapping[tuple[str, ...], float] | None = None) -> Family:
    family: CounterMetricFamily | GaugeMetricFamily
    if metric.kind == "counter":
        family = CounterMetricFamily(metric.family, metric.help, labels=metric.labels)
    else:
        family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels, unit=metric.unit)
    for labels, value in (values or {}).items():
        family.add_metric(labels, value)
    return family
