"""What is published of broadcasts: summaries, unless their beginning may be lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.audience import summary, summary_key
from streams.summaries import encode

if TYPE_CHECKING:
    from streams.audience import Figures, Row
    from streams.exact import Batch
    from streams.settings import Settings
    from streams.summaries import Status


class SummaryPublisher:
    """Sends summaries with the batch that they come of.

    Args:
        settings: The settings in force.
        topic: Where to.
    """

    def __init__(self, settings: Settings, topic: str) -> None:
        self._summaries = topic
        self._future = int(settings.future.total_seconds() * 1_000_000)
        self._margin = settings.final_margin.total_seconds()

    def publish_change(
        self, batch: Batch[Any], key: bytes, row: Row, live_again: Figures | None
    ) -> None:
        """Publish a row that ended, changed after its end or when it was final, or went on."""
        if live_again is not None:
            self.publish(batch, key, row, "live", live_again)
        else:
            self.publish(batch, key, row, "final" if row.final else "ended")

    def is_cut(self, batch: Batch[Any], row: Row) -> bool:
        """Whether the topic may have lost this broadcast's beginning before the rows were built.

        A run that had records there and went on had others within its gap, so it is in the topic
        from then on: one that began later than that, by the time of the events, had none.
        """
        if not batch.since:
            return False
        reach = int(((row.run_gap + row.lateness) * 60 + self._margin) * 1_000_000) + self._future
        return row.earliest_at < batch.since * 1000 + reach

    def publish(
        self,
        batch: Batch[Any],
        key: bytes,
        row: Row,
        status: Status,
        figures: Figures | None = None,
    ) -> None:
        """Publish what a row says, or what it said when it had these figures."""
        if figures is None:
            row.note_published()
        else:
            row.published_events = figures.events + figures.late
        if self.is_cut(batch, row):
            return  # of what is left of it the figures would be wrong
        platform, _, broadcast = key.decode().partition(":")
        value = encode(summary(platform, broadcast, row, status, figures))
        batch.send(self._summaries, summary_key(platform, broadcast, row.run).encode(), value)
