"""Sealed minutes on their way out: each once, in the transaction that seals it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.audience import summary_key
from streams.summaries import BroadcastMinute, encode, minute_text

if TYPE_CHECKING:
    from streams.audience import Row
    from streams.exact import Batch


class SealedMinutes:
    """Sends the minutes of rows that are about to be sealed.

    Args:
        topic: Where they go.
    """

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def send(self, batch: Batch[Any], key: bytes, row: Row, until: int | None = None) -> None:
        """Send what was told of minutes, in their order; the row stays as it is.

        To be called once before they are folded: what is folded is no longer there.

        Args:
            batch: With which they go out.
            key: `platform:broadcast`.
            row: The row.
            until: The last minute that is sealed; None: all are, for the row goes.
        """
        sealed = sorted(minute for minute in row.cells if until is None or minute <= until)
        if not sealed:
            return
        platform, _, broadcast = key.decode().partition(":")
        name = summary_key(platform, broadcast, row.run).encode()
        run = None if row.run is None else minute_text(row.run)
        for minute in sealed:
            cell = row.cells[minute]
            told = BroadcastMinute(
                platform=platform,
                broadcast=broadcast,
                run=run,
                minute=minute_text(minute),
                audience=cell.audience,
                high=cell.high,
                joins=cell.joins,
                views=cell.views,
            )
            batch.send(self._topic, name, encode(told))
