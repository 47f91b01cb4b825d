"""What is counted of each of the two stages of the pipeline: batches, transactions, sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from agents.serving.metrics import catalogue
from agents.serving.metrics.latency import LatencyHistogram

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric as Family

    from agents.serving.metrics.catalogue import Metric

_SECONDS: Final = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30)
_RECORDS: Final = (1, 10, 100, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000)


class StageFamilies(Collector):
    """The metrics of the stages.

    Args:
        registry: Where they are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.transactions = make_counter(catalogue.TRANSACTIONS, registry)
        self.fenced = make_counter(catalogue.FENCED, registry)
        self.sessions_lost = make_counter(catalogue.SESSIONS_LOST, registry)
        self.partition_failures = make_counter(catalogue.PARTITION_FAILURES, registry)
        self.rebalances = make_counter(catalogue.REBALANCES, registry)
        self.batch_seconds = _make_histogram(catalogue.BATCH_SECONDS, _SECONDS, registry)
        self.batch_records = _make_histogram(catalogue.BATCH_RECORDS, _RECORDS, registry)
        self.changelog_seconds = _make_histogram(catalogue.CHANGELOG_SECONDS, _SECONDS, registry)
        self._stages: dict[str, StageMetrics] = {}
        registry.register(self)

    def of(self, stage: str, topic: str) -> StageMetrics:
        """Begin to count what a stage does.

        Args:
            stage: One of the catalogue's `STAGES`.
            topic: What it reads.

        Raises:
            ValueError: There is no such stage.
        """
        if stage not in catalogue.STAGES:
            raise ValueError(f"a stage is one of {catalogue.STAGES}, not {stage!r}")
        metrics = self._stages[stage] = StageMetrics(self, stage, topic)
        return metrics

    def describe(self) -> Iterator[Family]:
        """The families that are made at each scrape, without samples."""
        yield self._recovery({})
        yield self._latency({})

    def collect(self) -> Iterator[Family]:
        """The same as of now."""
        yield self._recovery(self._stages)
        yield self._latency(self._stages)

    def _recovery(self, stages: dict[str, StageMetrics]) -> Family:
        metric = catalogue.RECOVERY
        family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels, unit=metric.unit)
        for stage, metrics in stages.items():
            for partition, seconds in sorted(metrics.recovery.items()):
                family.add_metric((stage, str(partition)), seconds)
        return family

    def _latency(self, stages: dict[str, StageMetrics]) -> Family:
        metric = catalogue.EVENT_LATENCY
        family = HistogramMetricFamily(
            metric.name, metric.help, labels=metric.labels, unit=metric.unit
        )
        for stage, metrics in stages.items():
            family.add_metric((stage,), metrics.latency.buckets(), metrics.latency.sum)
        return family


class StageMetrics:
    """What is counted of one stage: see `StageFamilies.of`.

    Attributes:
        recovery: How long it took to read back the state of each partition that is here.
        latency: How long events took.
    """

    def __init__(self, families: StageFamilies, stage: str, topic: str) -> None:
        # All of them stand at 0 from the start: rates need a first value.
        self._committed = families.transactions.labels(stage, "committed")
        self._failed = families.transactions.labels(stage, "failed")
        self._fenced = families.fenced.labels(stage)
        self._sessions_lost = families.sessions_lost.labels(stage)
        self._partition_failures = families.partition_failures.labels(topic)
        self._rebalances = families.rebalances.labels(topic)
        self._batch_seconds = families.batch_seconds.labels(stage)
        self._batch_records = families.batch_records.labels(stage)
        self._changelog_seconds = families.changelog_seconds.labels(stage)
        self.recovery: dict[int, float] = {}
        self.latency = LatencyHistogram()

    def observe_transaction(
        self, *, records: int, work_seconds: float, commit_seconds: float
    ) -> None:
        """Count a committed transaction.

        Args:
            records: How many records its batch had; 0 for one that only finalises or publishes.
            work_seconds: From reading them until the agent was through.
            commit_seconds: From then until they were durable.
        """
        self._committed.inc()
        self._batch_records.observe(records)
        self._batch_seconds.observe(work_seconds + commit_seconds)
        self._changelog_seconds.observe(commit_seconds)

    def observe_latency(self, arrivals: Iterable[tuple[int, int]], now: float) -> None:
        """Count events that have become durable; arguments as of `LatencyHistogram.observe`."""
        self.latency.observe(arrivals, now)

    def restored(self, partition: int, seconds: float) -> None:
        """Take note of how long it took to read a partition's state back."""
        self.recovery[partition] = seconds

    def lost(self, partition: int) -> None:
        """Forget a partition."""
        self.recovery.pop(partition, None)

    def session_lost(self, *, fenced: bool, in_transaction: bool) -> None:
        """Count a session with Kafka that ended with an error.

        Args:
            fenced: Because another worker had taken over.
            in_transaction: While a transaction was open: what became of it only Kafka knows.
        """
        self._sessions_lost.inc()
        self._count_failure(fenced=fenced, in_transaction=in_transaction)

    def partition_failed(self, *, fenced: bool, in_transaction: bool) -> None:
        """Count a partition's work that failed, and is begun anew; arguments as above."""
        self._partition_failures.inc()
        self._count_failure(fenced=fenced, in_transaction=in_transaction)

    def rebalanced(self) -> None:
        """Count that the group has given the worker its partitions anew."""
        self._rebalances.inc()

    def _count_failure(self, *, fenced: bool, in_transaction: bool) -> None:
        if fenced:
            self._fenced.inc()
        if in_transaction:
            self._failed.inc()


def make_counter(metric: Metric, registry: CollectorRegistry) -> Counter:
    """Register a counter of the catalogue."""
    return Counter(metric.family, metric.help, metric.labels, registry=registry)


def _make_histogram(
    metric: Metric, buckets: tuple[float, ...], registry: CollectorRegistry
) -> Histogram:
    return Histogram(
        metric.name,
        metric.help,
        metric.labels,
        unit=metric.unit,
        registry=registry,
        buckets=buckets,
    )
