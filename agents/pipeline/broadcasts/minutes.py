"""Sealed minutes on their way out: each once, in the transaction that seals it.

Now and then one of them has the header `minutes`: a block of the minutes before it, by which they
are found again (see `streams.audience.kept`).
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

from streams.audience import Row, summary_key
from streams.audience.kept import HEADER, Place, encode_block, kept_since
from streams.summaries import BroadcastMinute, encode, minute_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streams.audience.kept import MinuteBlock
    from streams.audience.minute import Cell
    from streams.exact import Batch


class SentBlock(NamedTuple):
    """A block that went out: its record's mark.

    Attributes:
        key: Of its row.
        run: Of its row.
        first: Its earliest minute.
        last: Its latest.
        before: The places that it knows.
    """

    key: bytes
    run: int | None
    first: int
    last: int
    before: list[Place]


class SealedMinutes:
    """Sends the minutes of rows that are about to be sealed.

    Args:
        topic: Where they go.
    """

    def __init__(self, topic: str) -> None:
        self._topic = topic
        # Blocks that are durable, by partition and key, until a change of the row says so.
        self._placed: dict[int, dict[bytes, list[tuple[SentBlock, Place]]]] = {}

    def seal(self, batch: Batch[Any], key: bytes, row: Row) -> None:
        """Send the minutes that are sealed now, in their order; `row.kept` knows of them.

        To be called once before they are folded: what is folded is no longer there.

        Args:
            batch: With which they go out.
            key: `platform:broadcast`.
            row: The row.
        """
        line = row.newest - row.lateness
        if line <= row.folded_until:
            return
        self.settle(batch, key, row)
        kept = row.kept = kept_since(row.kept, row.folded_until)
        sealed = {minute: row.cells[minute] for minute in sorted(row.cells) if minute <= line}
        kept.seal(sealed, line)
        name = _name(key, row)
        blocks = kept.blocks(len(sealed), _last_sent(batch, name))
        self._send(batch, key, row, sealed, blocks)

    def send_rest(self, batch: Batch[Any], key: bytes, row: Row) -> None:
        """Send what is still open of a row that goes."""
        self._send(batch, key, row, {minute: row.cells[minute] for minute in sorted(row.cells)}, [])

    def settle(self, batch: Batch[Any], key: bytes, row: Row) -> None:
        """Let a row know where the blocks lie that it has sent."""
        found = self._placed.get(batch.partition, {}).get(key)
        if found is None or row.kept is None or found[0][0].run != row.run:
            return
        row.kept.place([place for _, place in found], found[0][0].before)

    def committed(self, batch: Batch[Any]) -> None:
        """Take note of where blocks of a durable batch lie."""
        waiting = self._placed.setdefault(batch.partition, {})
        for key in waiting.keys() & batch.changed.keys():
            if not _is_waited_for(waiting[key][0][0], batch.changed[key]):
                del waiting[key]
        found: dict[bytes, list[tuple[SentBlock, Place]]] = {}
        for mark, partition, offset in batch.placed:
            assert isinstance(mark, SentBlock), "nothing else here is sent with a mark"
            place = Place(partition, offset, mark.first, mark.last)
            found.setdefault(mark.key, []).append((mark, place))
        waiting.update(found)

    def lost(self, partition: int) -> None:
        """Forget a partition: its rows are another worker's."""
        self._placed.pop(partition, None)

    def _send(
        self,
        batch: Batch[Any],
        key: bytes,
        row: Row,
        sealed: Mapping[int, Cell],
        blocks: Sequence[MinuteBlock],
    ) -> None:
        """Send minutes in their order, the last of them with the blocks."""
        if not sealed:
            return
        platform, _, broadcast = key.decode().partition(":")
        name = _name(key, row)
        run = None if row.run is None else minute_text(row.run)
        without = len(sealed) - len(blocks)
        for count, (minute, cell) in enumerate(sealed.items()):
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
            if count < without:
                batch.send(self._topic, name, encode(told))
                continue
            block = blocks[count - without]
            mark = SentBlock(key, row.run, block.first, block.last, block.before)
            headers = [(HEADER, encode_block(block))]
            batch.send(self._topic, name, encode(told), headers, mark=mark)


def _is_waited_for(sent: SentBlock, row: object) -> bool:
    """Whether a row as it is now does not know of a block yet."""
    return (
        isinstance(row, Row)
        and row.run == sent.run
        and row.kept is not None
        and row.kept.places == sent.before
    )


def _name(key: bytes, row: Row) -> bytes:
    """The key of its summaries, which its minutes have too."""
    platform, _, broadcast = key.decode().partition(":")
    return summary_key(platform, broadcast, row.run).encode()


def _last_sent(batch: Batch[Any], name: bytes) -> int:
    """The last minute that this batch has in a block of the same run already; -1 without."""
    # A broadcast's events are applied one after the other, so what it has sent stands at the end.
    own = takewhile(lambda output: output.key == name, reversed(batch.outputs))
    return next((each.mark.last for each in own if isinstance(each.mark, SentBlock)), -1)
