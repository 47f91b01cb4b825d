"""What a source tells to whom it may concern: metrics, views, timers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streams.exact.batch import Batch
    from streams.exact.rows import Rows


class Listener:
    """Follows a source's partitions; each method does nothing here, override what you need.

    Everything told is durable. The methods are called from the event loop and must not block.
    """

    def restoring(self, partition: int, done: int, total: int) -> None:
        """Rows are being read back: so many changelog offsets of so many."""

    def restored(self, partition: int, rows: Rows[Any], seconds: float) -> None:
        """The partition is ours, its rows are complete, batches follow."""

    def committed(self, batch: Batch[Any], work_seconds: float, commit_seconds: float) -> None:
        """A batch has become durable, with all it changed and sent."""

    def lost(self, partition: int) -> None:
        """The partition is no longer ours, or not for now."""

    def failed(self, partition: int, reason: Exception) -> None:
        """A partition's work failed; it alone is begun anew, after a pause."""

    def rebalanced(self) -> None:
        """The group has given this worker its partitions anew, perhaps the same ones."""

    def session_lost(self, reason: Exception) -> None:
        """A session with Kafka ended; another one is tried."""
