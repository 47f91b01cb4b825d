"""The exposition of single broadcasts: ten thousand of them without holding up the loop.

prometheus-client would block the loop for a second for 100,000 samples. So this writes the text
itself: what it writes of a broadcast is kept until its row has changed, and all long work is done
in slices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from agents.live import Turns
from agents.metrics import catalogue
from streams.audience import Row, figures
from streams.errors import LiveAudienceError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from agents.live import LiveBroadcasts, Selection
    from streams.clock import Clock

log = structlog.get_logger(__name__)

# Broadcasts between two looks at the clock: rendering one takes some 20 us, joining its line of
# one metric some 0.1 us.
_RENDERED, _JOINED = 16, 512
#: A chunk of the exposition has about so many bytes.
_CHUNK: Final = 128 * 1024

_METRICS: Final = catalogue.BROADCAST_METRICS
# All but the last two have one sample at most, and the same labels.
_PLAIN: Final = [metric.name for metric in _METRICS[:-2]]
_PEAK: Final = catalogue.PEAK_VIEWERS.name
_INFO: Final = catalogue.BROADCAST_INFO.name


class Block(msgspec.Struct, gc=False):
    """All lines of one broadcast.

    Attributes:
        encoded: The row that they were made of.
        fresh_until: Until when its viewers are shown, in milliseconds since 1970 UTC; 0: never.
        lines: Of each metric, in the catalogue's order; empty if it has no sample.
    """

    encoded: bytes
    fresh_until: int
    lines: tuple[bytes, ...]


class Snapshot:
    """The broadcasts as they stood at one moment, to be written in one format or the other.

    Attributes:
        blocks: The lines.
        now: The moment, in milliseconds since 1970 UTC.
    """

    def __init__(self, blocks: Sequence[Block], now: float) -> None:
        self.blocks = blocks
        self.now = now

    async def write(self, *, openmetrics: bool) -> AsyncIterator[bytes]:
        """The exposition, metric by metric, in chunks; without OpenMetrics' last line."""
        turns = Turns()
        blocks = self.blocks
        parts: list[bytes] = []
        size = 0
        for number, metric in enumerate(_METRICS):
            parts.append(metric.header(openmetrics=openmetrics))
            for start in range(0, len(blocks), _JOINED):
                some = blocks[start : start + _JOINED]
                if metric is catalogue.VIEWERS:
                    some = [block for block in some if self.now < block.fresh_until]
                joined = b"".join([block.lines[number] for block in some])
                parts.append(joined)
                size += len(joined)
                if size >= _CHUNK:
                    yield b"".join(parts)
                    parts.clear()
                    size = 0
                await turns.pause()
        yield b"".join(parts)


class BroadcastMetrics:
    """Writes the metrics of the selected broadcasts.

    Args:
        live: The broadcasts that this worker owns.
        selection: Chooses which are exported.
        stale: When a live broadcast's newest record is older, its viewers are no longer shown; in
            seconds.
        clock: Tells how old it is.
    """

    def __init__(
        self, live: LiveBroadcasts, selection: Selection, stale: float, clock: Clock
    ) -> None:
        self._live = live
        self._selection = selection
        self._stale = int(stale * 1000)
        self._clock = clock
        self._blocks: dict[bytes, Block] = {}

    async def snapshot(self) -> Snapshot:
        """Choose the broadcasts and render those that have changed."""
        turns = Turns()
        blocks: dict[bytes, Block] = {}
        for partition, keys in (await self._selection.choose()).items():
            for start in range(0, len(keys), _RENDERED):
                for key in keys[start : start + _RENDERED]:
                    block = self._block(partition, key)
                    if block is not None:
                        blocks[key] = block
                await turns.pause()
        self._blocks = blocks
        return Snapshot(list(blocks.values()), self._clock.time() * 1000)

    def _block(self, partition: int, key: bytes) -> Block | None:
        """The lines of a broadcast as its row is now; None if it was lost or deleted meanwhile."""
        encoded = self._live.encoded(partition, key)
        if encoded is None:
            return None
        block = self._blocks.get(key)
        if block is not None and block.encoded is encoded:
            return block
        try:
            row = self._live.row(partition, key)
        except (LiveAudienceError, msgspec.DecodeError) as error:
            log.error(  # noqa: TRY400  # its message says all, as for every such error
                "a row cannot be read, so it is not exported",
                partition=partition,
                key=key.decode(errors="backslashreplace"),
                error=str(error),
            )
            return None
        return None if row is None else render(key, encoded, row, self._stale)


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
        f'{{platform="{_escaped(platform)}",broadcast="{_escaped(broadcast)}",'
        f'venue="{_escaped(row.venue or "unknown")}"'
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
        f'{_INFO}{labels},programme="{_escaped(row.programme or "")}",'
        f'title="{_escaped(row.title or "")}"}} 1\n'.encode()
    )
    fresh_until = row.timestamp + stale if told.ended_at is None else 0
    return Block(encoded, fresh_until, tuple(lines))


def _escaped(value: str) -> str:
    """A label's value as both formats want it."""
    if "\\" in value or '"' in value or "\n" in value:
        return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return value
