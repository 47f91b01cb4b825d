"""What the process has counted: fed once a batch, by plain numbers."""

from __future__ import annotations

import platform as machine
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Gauge, Histogram, Info, disable_created_metrics

from agents.serving.metrics import catalogue
from streams.rejections import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import CollectorRegistry

    from agents.serving.metrics.catalogue import Metric
    from streams.clock import Clock

#: So many platforms have a label of their own; what comes after shares one.
MAX_PLATFORMS: Final = 100
OTHER: Final = "other"

_SECONDS: Final = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30)
_RECORDS: Final = (1, 10, 100, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000)
_SKEW_WINDOW: Final = 60.0


class PipelineMetrics:
    """The pipeline's own counters, gauges and histograms.

    Args:
        registry: Where they are registered.
        clock: By it the clock skew of producers is forgotten.
    """

    def __init__(self, registry: CollectorRegistry, clock: Clock) -> None:
        # A `_created` beside each counter would only double their number; a switch of the library.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library's own gap
        self._events = _counter(catalogue.EVENTS, registry)
        self._rejected = _counter(catalogue.REJECTED, registry)
        self._relabelled = _counter(catalogue.RELABELLED, registry)
        self._mended = _counter(catalogue.MENDED, registry)
        for what in ("title", "surrogate"):
            self._mended.labels(what)
        self._cut = _counter(catalogue.CUT, registry)
        self._finalised = _counter(catalogue.FINALISED, registry)
        self._scope_closed = _counter(catalogue.SCOPE_CLOSED, registry)
        self._scope_skipped = _counter(catalogue.SCOPE_SKIPPED, registry)
        self._transactions = _counter(catalogue.TRANSACTIONS, registry)
        self._fenced = _counter(catalogue.FENCED, registry)
        self._sessions_lost = _counter(catalogue.SESSIONS_LOST, registry)
        self._partition_failures = _counter(catalogue.PARTITION_FAILURES, registry)
        self._rebalances = _counter(catalogue.REBALANCES, registry)
        self._batch_seconds = _histogram(catalogue.BATCH_SECONDS, _SECONDS, registry)
        self._batch_records = _histogram(catalogue.BATCH_RECORDS, _RECORDS, registry)
        self._changelog_seconds = _histogram(catalogue.CHANGELOG_SECONDS, _SECONDS, registry)
        self._skew = WindowedMax(clock, _SKEW_WINDOW)
        skew = catalogue.CLOCK_SKEW
        Gauge(skew.name, skew.help, unit=skew.unit, registry=registry).set_function(self._skew.get)
        build = Info(catalogue.BUILD.family, catalogue.BUILD.help, registry=registry)
        build.info(
            {
                "version": _version("live-audience"),
                "python": machine.python_version(),
                "faust": _version("faust-streaming"),
            }
        )
        # Rates need a first value: what can be named beforehand stands at 0 from the start.
        for reason in Reason:
            self._rejected.labels(reason.value)
        for why in catalogue.SKIPPED_BECAUSE:
            self._scope_skipped.labels(why)
        for outcome in ("committed", "failed"):
            self._transactions.labels(outcome)
        self._platforms: set[str] = set()

    def observe_batch(
        self,
        *,
        accepted: Mapping[str, int],
        late: Mapping[str, int],
        rejected: Mapping[str, int],
        reasons: Mapping[str, int],
        relabelled: int = 0,
        mended: Mapping[str, int] | None = None,
        cut: int = 0,
        finalised: int = 0,
        ahead: float = 0.0,
    ) -> None:
        """Count what a durable batch did.

        Args:
            accepted: Records accepted, by platform.
            late: Refused as late, by platform.
            rejected: Refused for another reason, by platform; empty where none that is valid is
                named.
            reasons: Refused, late ones too, by reason.
            relabelled: Records that name another venue or programme.
            mended: Records of which something for people was mended, by what.
            cut: New broadcasts whose beginning the topic may no longer hold.
            finalised: Broadcasts that became final.
            ahead: Greatest time by which an accepted event's `at` was ahead of its record's Kafka
                timestamp, in seconds.
        """
        # Accepted ones first: what is refused must not take a platform's place.
        for outcome, counts in (("accepted", accepted), ("late", late), ("rejected", rejected)):
            for platform, count in counts.items():
                if count:
                    self._events.labels(self._bounded(platform), outcome).inc(count)
        for reason, count in reasons.items():
            self._rejected.labels(Reason(reason).value).inc(count)
        for what, count in (mended or {}).items():
            self._mended.labels(what).inc(count)
        if relabelled:
            self._relabelled.inc(relabelled)
        if cut:
            self._cut.inc(cut)
        if finalised:
            self._finalised.inc(finalised)
        self._skew.observe(ahead)

    def scope_closed(self, minutes: int) -> None:
        """Count changes of minutes that were closed in their scope."""
        self._scope_closed.inc(minutes)

    def scope_skipped(self, reason: str, changes: int) -> None:
        """Count changes of scopes that were skipped.

        Args:
            reason: `malformed` or `error`.
            changes: How many.
        """
        self._scope_skipped.labels(reason).inc(changes)

    def observe_transaction(
        self, *, records: int, work_seconds: float, commit_seconds: float
    ) -> None:
        """Count a committed transaction.

        Args:
            records: How many records its batch had; 0 for one that only finalises.
            work_seconds: From reading them until the agent was through.
            commit_seconds: From then until they were durable.
        """
        self._transactions.labels("committed").inc()
        self._batch_records.observe(records)
        self._batch_seconds.observe(work_seconds + commit_seconds)
        self._changelog_seconds.observe(commit_seconds)

    def session_lost(self, *, fenced: bool, in_transaction: bool) -> None:
        """Count a session with Kafka that ended with an error.

        Args:
            fenced: Because another worker had taken over.
            in_transaction: While a transaction was open: what became of it only Kafka knows.
        """
        self._sessions_lost.inc()
        self._failed(fenced=fenced, in_transaction=in_transaction)

    def follow(self, topic: str) -> None:
        """Begin to count what becomes of a topic's partitions."""
        self._partition_failures.labels(topic)
        self._rebalances.labels(topic)

    def partition_failed(self, topic: str, *, fenced: bool, in_transaction: bool) -> None:
        """Count a partition's work that failed, and is begun anew.

        Args:
            topic: Whose partition it is.
            fenced: Because another writer had taken over.
            in_transaction: While a transaction was open.
        """
        self._partition_failures.labels(topic).inc()
        self._failed(fenced=fenced, in_transaction=in_transaction)

    def rebalanced(self, topic: str) -> None:
        """Count that the group has given the worker its partitions of a topic anew."""
        self._rebalances.labels(topic).inc()

    def _failed(self, *, fenced: bool, in_transaction: bool) -> None:
        if fenced:
            self._fenced.inc()
        if in_transaction:
            self._transactions.labels("failed").inc()

    def _bounded(self, platform: str) -> str:
        """The label for a platform: itself, or `other` if too many are known."""
        if not platform or platform in self._platforms:
            return platform
        if len(self._platforms) >= MAX_PLATFORMS:
            return OTHER
        self._platforms.add(platform)
        return platform


class WindowedMax:
    """The greatest of what was noted lately.

    Args:
        clock: Tells what is late.
        window: In seconds: a value stands for at least so long, and at most twice.
    """

    def __init__(self, clock: Clock, window: float) -> None:
        self._clock = clock
        self._window = window
        self._since = clock.time()
        self._current = self._previous = 0.0

    def observe(self, value: float) -> None:
        """Take in a value, 0 or more."""
        self._rotate()
        self._current = max(self._current, value)

    def get(self) -> float:
        """The greatest value; 0 if none was greater."""
        self._rotate()
        return max(self._current, self._previous)

    def _rotate(self) -> None:
        now = self._clock.time()
        age = now - self._since
        if 0 <= age < self._window:
            return
        self._previous = self._current if 0 <= age < 2 * self._window else 0.0
        self._current = 0.0
        self._since = now


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"  # run from its sources, not installed


def _counter(metric: Metric, registry: CollectorRegistry) -> Counter:
    return Counter(metric.family, metric.help, metric.labels, registry=registry)


def _histogram(
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
