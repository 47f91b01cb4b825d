"""Passes on what has become durable, to timers, readers and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from streams.exact import Fenced, Listener, SessionLost

if TYPE_CHECKING:
    from typing import Protocol

    from agents.pipeline.broadcasts.agent import BroadcastProcessor
    from agents.pipeline.broadcasts.outcome import BatchCounters
    from agents.serving.live import LiveBroadcasts
    from agents.serving.metrics import Metrics
    from agents.topics.owner import OutputOwnership
    from streams.clock import Clock
    from streams.exact import Batch, Rows, Source

    class SessionMetrics(Protocol):
        """What is counted of sessions."""

        def session_lost(self, *, fenced: bool, in_transaction: bool) -> None:
            """Count a session with Kafka that ended with an error."""

        def follow(self, topic: str) -> None:
            """Begin to count what becomes of a topic's partitions."""

        def partition_failed(self, topic: str, *, fenced: bool, in_transaction: bool) -> None:
            """Count a partition's work that failed, and is begun anew."""

        def rebalanced(self, topic: str) -> None:
            """Count that the group has given the worker its partitions anew."""


log = structlog.get_logger(__name__)


class SessionListener(Listener):
    """What both sources' listeners do about what is lost, and about rebalances.

    Args:
        meter: Counts it.
        topic: What the source reads.
    """

    def __init__(self, meter: SessionMetrics, topic: str) -> None:
        self._meter = meter
        self._topic = topic
        meter.follow(topic)

    def failed(self, partition: int, reason: Exception) -> None:
        """Count a partition's work that failed."""
        del partition
        self._meter.partition_failed(self._topic, **_kind(reason))

    def rebalanced(self) -> None:
        """Count a rebalance."""
        self._meter.rebalanced(self._topic)

    def session_lost(self, reason: Exception) -> None:
        """Count a lost session."""
        self._meter.session_lost(**_kind(reason))


def _kind(reason: Exception) -> dict[str, bool]:
    return {
        "fenced": isinstance(reason, Fenced),
        "in_transaction": isinstance(reason, SessionLost) and reason.in_transaction,
    }


class BroadcastsListener(SessionListener):
    """Follows the viewer events' source.

    Args:
        work: The agent's part, which keeps the timers.
        live: What readers see.
        metrics: What is counted.
        clock: From when on a restored broadcast's silence counts.
        ownership: Knows what former owners of the outputs have refused already.
        topic: What the source reads.

    Attributes:
        source: What is followed; to be set before it starts.
    """

    source: Source

    def __init__(
        self,
        work: BroadcastProcessor,
        live: LiveBroadcasts,
        metrics: Metrics,
        clock: Clock,
        ownership: OutputOwnership,
        topic: str,
    ) -> None:
        super().__init__(metrics.pipeline, topic)
        self._work = work
        self._live = live
        self._metrics = metrics
        self._clock = clock
        self._ownership = ownership

    def restoring(self, partition: int, done: int, total: int) -> None:
        """Tell how far a long restore is."""
        log.info("restoring", partition=partition, done=done, total=total)

    def restored(self, partition: int, rows: Rows[Any], seconds: float) -> None:
        """Begin to show a partition."""
        log.info("restored", partition=partition, rows=len(rows), seconds=round(seconds, 3))
        count = self.source.partition_count()
        self._work.refused_before = self._ownership.refused(self.source.topic_id())
        self._work.restored(partition, rows, self._clock.monotonic(), self._clock.time(), count)
        self._live.restored(partition, rows)
        self._metrics.worker.restored(partition, seconds)

    def committed(self, batch: Batch[Any], work_seconds: float, commit_seconds: float) -> None:
        """Take over what a batch has made durable."""
        counters: BatchCounters = batch.result
        self._work.committed(batch)
        if batch.is_empty:
            return
        self._live.committed(batch.partition, batch.changed)
        if counters.cut:
            log.warning(
                "the topic may no longer hold the beginning of these broadcasts: no summary of "
                "them is published, their figures are of what is left",
                partition=batch.partition,
                broadcasts=counters.cut,
            )
        self._metrics.pipeline.observe_batch(
            accepted=counters.accepted,
            late=counters.late,
            rejected=counters.rejected,
            reasons=counters.reasons,
            mended=counters.mended,
            relabelled=counters.relabelled,
            finalised=counters.finalised,
            cut=counters.cut,
            ahead=counters.clock_skew,
        )
        self._metrics.pipeline.observe_transaction(
            records=len(batch.records) + sum(found.records for found in batch.unreadable),
            work_seconds=work_seconds,
            commit_seconds=commit_seconds,
        )

    def lost(self, partition: int) -> None:
        """Show nothing of a partition any more."""
        log.info("partition lost", partition=partition)
        self._work.lost(partition)
        self._live.lost(partition)
        self._metrics.worker.lost(partition)
