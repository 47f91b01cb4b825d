"""The exposition of things by the thousand without holding up the loop.

prometheus-client would block the loop for a second for 100,000 samples. So this writes the text
itself: what it writes of a broadcast or a scope is kept until its row has changed, and all long
work is done in slices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import msgspec
import structlog

from agents.serving.live import TimeSlice

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from agents.serving.live import QueryableStore, TopSelection
    from agents.serving.metrics.catalogue import Metric

log = structlog.get_logger(__name__)

RowT = TypeVar("RowT")

# Things between two looks at the clock: rendering one takes some 20 us, joining its line of one
# metric some 0.1 us.
_RENDERED, _JOINED = 16, 512
#: A chunk of the exposition has about so many bytes.
_CHUNK: Final = 128 * 1024


class Block(msgspec.Struct, gc=False):
    """All lines of one broadcast or scope.

    Attributes:
        encoded: The row that they were made of.
        lines: Of each metric, in the catalogue's order; empty if it has no sample.
    """

    encoded: bytes
    lines: tuple[bytes, ...]


class Snapshot:
    """All of them as they stood at one moment, to be written in one format or the other.

    Args:
        metrics: Those that each block has lines of.
        blocks: The lines.
    """

    def __init__(self, metrics: Sequence[Metric], blocks: Sequence[Block]) -> None:
        self.metrics = metrics
        self.blocks = blocks

    async def write(self, *, openmetrics: bool) -> AsyncIterator[bytes]:
        """The exposition, metric by metric, in chunks; without OpenMetrics' last line."""
        time_slice = TimeSlice()
        blocks = self.blocks
        parts: list[bytes] = []
        size = 0
        for number, metric in enumerate(self.metrics):
            parts.append(metric.header(openmetrics=openmetrics))
            for start in range(0, len(blocks), _JOINED):
                some = blocks[start : start + _JOINED]
                joined = b"".join([block.lines[number] for block in some])
                parts.append(joined)
                size += len(joined)
                if size >= _CHUNK:
                    yield b"".join(parts)
                    parts.clear()
                    size = 0
                await time_slice.yield_if_over()
        yield b"".join(parts)


class BlockMetrics(Generic[RowT]):
    """Writes the metrics of what is selected, one block for each.

    Args:
        metrics: Which they are.
        live: What this worker owns.
        selection: Chooses what of it is exported.
    """

    def __init__(
        self,
        metrics: Sequence[Metric],
        live: QueryableStore[Any, RowT],
        selection: TopSelection,
    ) -> None:
        self._metrics = metrics
        self._live = live
        self._selection = selection
        self._blocks: dict[bytes, Block] = {}

    def _render(self, partition: int, key: bytes, encoded: bytes, row: RowT) -> Block:
        raise NotImplementedError

    async def snapshot(self) -> Snapshot:
        """Choose what is exported and render what has changed."""
        time_slice = TimeSlice()
        blocks: dict[bytes, Block] = {}
        for partition, keys in (await self._selection.select()).items():
            for start in range(0, len(keys), _RENDERED):
                for key in keys[start : start + _RENDERED]:
                    block = self._block(partition, key)
                    if block is not None:
                        blocks[key] = block
                await time_slice.yield_if_over()
        self._blocks = blocks
        return Snapshot(self._metrics, list(blocks.values()))

    def _block(self, partition: int, key: bytes) -> Block | None:
        """The lines of a key as its row is now; None if it was lost or deleted meanwhile."""
        encoded = self._live.encoded(partition, key)
        if encoded is None:
            return None
        block = self._blocks.get(key)
        if block is not None and block.encoded is encoded:
            return block
        try:
            row = self._live.row(partition, key)
            return None if row is None else self._render(partition, key, encoded, row)
        except Exception as error:  # noqa: BLE001  # whatever a row holds, the others are exported
            log.error(  # noqa: TRY400  # its message says all
                "a row cannot be read, so it is not exported",
                partition=partition,
                key=key.decode(errors="backslashreplace"),
                error=f"{type(error).__name__}: {error}",
            )
            return None


def escaped(value: str) -> str:
    """A label's value as both formats want it."""
    if "\\" in value or '"' in value or "\n" in value:
        return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return value
