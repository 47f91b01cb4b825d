"""The exposition of single broadcasts: ten thousand of them without holding up the loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agents.serving.metrics import catalogue
from agents.serving.metrics.blocks import Block, BlockMetrics, escaped
from streams.audience import Row, compute_figures

if TYPE_CHECKING:
    from agents.serving.live import LiveBroadcasts, TopSelection

# All but the last two have one sample at most, and the same labels.
_PLAIN: Final = [metric.name for metric in catalogue.BROADCAST_METRICS[:-2]]
_PEAK: Final = catalogue.PEAK_VIEWERS.name
_INFO: Final = catalogue.BROADCAST_INFO.name


class BroadcastMetrics(BlockMetrics[Row]):
    """Writes the metrics of the selected broadcasts; as `BlockMetrics`."""

    def __init__(self, live: LiveBroadcasts, selection: TopSelection) -> None:
        super().__init__(catalogue.BROADCAST_METRICS, live, selection)

    def _render(self, partition: int, key: bytes, encoded: bytes, row: Row) -> Block:
        return render(partition, key, encoded, row)


def render(partition: int, key: bytes, encoded: bytes, row: Row) -> Block:
    """Write the lines of one broadcast.

    Args:
        partition: Where its events lie.
        key: `platform:broadcast`.
        encoded: The row's bytes, to know it by.
        row: The row.
    """
    figures = compute_figures(row)
    platform, _, broadcast = key.decode().partition(":")
    labels = (
        f'{{platform="{escaped(platform)}",broadcast="{escaped(broadcast)}",'
        f'venue="{escaped(row.venue or "unknown")}"'
    )
    values = (
        row.contribution,
        figures.first_minute,
        figures.first_audience,
        figures.peak_held,
        figures.waiting_peak,
        figures.average,
        figures.viewer_minutes * 60,
        figures.joins,
        figures.views,
        figures.coverage,
        (figures.minutes_observed + figures.minutes_carried) / figures.minutes_live,
        figures.started_at / 1e6,
        None if figures.ended_at is None else figures.ended_at / 1e6,
        figures.newest_at / 1e6,
        row.timestamp / 1e3 if row.timestamp > 0 else None,
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
                    ("5m", figures.peak_5m),
                    ("1h", figures.peak_1h),
                    ("broadcast", figures.peak),
                )
                if peak is not None
            ]
        ).encode()
    )
    lines.append(
        f'{_INFO}{labels},programme="{escaped(row.programme or "")}",'
        f'title="{escaped(row.title or "")}",partition="{partition}"}} 1\n'.encode()
    )
    return Block(encoded, tuple(lines))
