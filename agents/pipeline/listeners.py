"""Passes on what has become durable, to timers, readers and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from streams.exact import Fenced, Listener, SessionLost

if TYPE_CHECKING:
    from agents.pipeline.broadcasts.agent import BroadcastProcessor
    from agents.pipeline.broadcasts.arrivals import Arrivals
    from agents.pipeline.broadcasts.outcome import BatchCounters
    from agents.serving.live import LiveBroadcasts
    from agents.serving.metrics import Metrics, StageMetrics
    from agents.topics.owner import OutputOwnership
    from streams.clock import Clock
    from streams.exact import Batch, Rows, Source


log = structlog.get_logger(__name__)


class StageListener(Listener):
    """What both sources' listeners count: batches, and sessions and partitions that fail.

    Args:
        stage: Counts it.
        clock: When events become durable.
    """

    def __init__(self, stage: StageMetrics, clock: Clock) -> None:
        self._stage = stage
        self._clock = clock

    def failed(self, partition: int, reason: Exception) -> None:
        """Count a partition's work that failed."""
        del partition
        self._stage.partition_failed(**_kind(reason))

    def rebalanced(self) -> None:
        """Count a rebalance."""
        self._stage.rebalanced()

    def session_lost(self, reason: Exception) -> None:
        """Count a lost session."""
        self._stage.session_lost(**_kind(reason))

    def restored(self, partition: int, rows: Rows[Any], seconds: float) -> None:
        """Tell how long a restore took."""
        del rows
        self._stage.restored(partition, seconds)

    def lost(self, partition: int) -> None:
        """Forget a partition."""
        self._stage.lost(partition)

    def count(
        self, batch: Batch[Any], arrivals: Arrivals, work_seconds: float, commit_seconds: float
    ) -> None:
        """Count a batch that is durable.

        Args:
            batch: The batch.
            arrivals: When its events arrived.
            work_seconds: From reading it until the agent was through.
            commit_seconds: From then until it was durable.
        """
        self._stage.observe_transaction(
            records=len(batch.records) + sum(found.records for found in batch.unreadable),
            work_seconds=work_seconds,
            commit_seconds=commit_seconds,
        )
        self._stage.observe_latency(arrivals, self._clock.time())


def _kind(reason: Exception) -> dict[str, bool]:
    return {
        "fenced": isinstance(reason, Fenced),
        "in_transaction": isinstance(reason, SessionLost) and reason.in_transaction,
    }


class BroadcastsListener(StageListener):
    """Follows the viewer events' source.

    Args:
        work: The agent's part, which keeps the timers.
        live: What readers see.
        metrics: What is counted.
        clock: From when on a restored broadcast's silence counts.
        ownership: Knows what former owners of the outputs have refused already.
        stage: What is counted of the stage.

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
        stage: StageMetrics,
    ) -> None:
        super().__init__(stage, clock)
        self._work = work
        self._live = live
        self._metrics = metrics
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
        super().restored(partition, rows, seconds)

    def committed(self, batch: Batch[Any], work_seconds: float, commit_seconds: float) -> None:
        """Take over what a batch has made durable."""
        counters: BatchCounters = batch.result
        self._work.committed(batch)
        if batch.is_empty:
            return
        self._live.committed(batch.partition, batch.changed, batch.removed)
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
        self.count(batch, counters.arrivals, work_seconds, commit_seconds)

    def lost(self, partition: int) -> None:
        """Show nothing of a partition any more."""
        log.info("partition lost", partition=partition)
        self._work.lost(partition)
        self._live.lost(partition)
        super().lost(partition)
