"""The exposition of single broadcasts: ten thousand of them without holding up the loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agents.serving.metrics import catalogue
from agents.serving.metrics.blocks import Block, BlockMetrics, escaped
from streams.audience import Row, figures

if TYPE_CHECKING:
    from agents.serving.live import LiveBroadcasts, TopSelection
    from streams.clock import Clock

# All but the last two have one sample at most, and the same labels.
_PLAIN: Final = [metric.name for metric in catalogue.BROADCAST_METRICS[:-2]]
_PEAK: Final = catalogue.PEAK_VIEWERS.name
_INFO: Final = catalogue.BROADCAST_INFO.name


class BroadcastMetrics(BlockMetrics[Row]):
    """Writes the metrics of the selected broadcasts; as `BlockMetrics`."""

    def __init__(
        self, live: LiveBroadcasts, selection: TopSelection, stale: float, clock: Clock
    ) -> None:
        super().__init__(catalogue.BROADCAST_METRICS, live, selection, stale, clock)

    def _render(self, key: bytes, encoded: bytes, row: Row) -> Block:
        return render(key, encoded, row, self._stale)


def render(key: bytes, encoded: bytes, row: Row, stale: int) -> Block:
    """Write the lines of one broadcast.

    Args:
        key: `platform:broadcast`.
        encoded: The row's bytes, to know it by.
        row: The row.
        stale: Age of its newest record from which its viewers are no longer shown, milliseconds.
    """
    told = figures(row)
    platform, _, broadcast = key.decode().partition(":")
    labels = (
        f'{{platform="{escaped(platform)}",broadcast="{escaped(broadcast)}",'
        f'venue="{escaped(row.venue or "unknown")}"'
    )
    values = (
        told.viewers,
        told.first_minute,
        told.average,
        told.viewer_minutes * 60,
        told.joins,
        told.views,
        told.coverage,
        told.started_at / 1e6,
        None if told.ended_at is None else told.ended_at / 1e6,
        told.newest_at / 1e6,
    )
    end = labels + "} "
    lines = [
        b"" if value is None else f"{name}{end}{value}\n".encode()
        for name, value in zip(_PLAIN, values, strict=True)
    ]
    lines.append(
        "".join(
            [
                f'{_PEAK}{labels},window="{window}"}} {peak}\n'
                for window, peak in (
                    ("5m", told.peak_5m),
                    ("1h", told.peak_1h),
                    ("broadcast", told.peak),
                )
                if peak is not None
            ]
        ).encode()
    )
    lines.append(
        f'{_INFO}{labels},programme="{escaped(row.programme or "")}",'
        f'title="{escaped(row.title or "")}"}} 1\n'.encode()
    )
    fresh_until = row.timestamp + stale if told.ended_at is None else 0
    return Block(encoded, fresh_until, tuple(lines))
