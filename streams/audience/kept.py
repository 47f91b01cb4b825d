"""Where the sealed minutes of a run can be read again: an index in its row, of bounded size.

Each sealed minute goes out as a record of its own, among those of all other broadcasts. So that an
evening is a few fetches, every half hour or so one of these records has a header with a **block**:
the minutes that were sealed since the block before. The row knows the **places** of the newest
blocks, each block those before it, so a run of weeks keeps no more in its row than one of a day.

Where a record lies is known only once its transaction is through. Until the row's next change says
so, the row still holds the block's minutes: if that change never comes (its worker was killed), the
next sealed minute brings them along once more. What a row says is therefore always whole.

Invariants: the minutes of places, then `cells`, follow each other without overlap, for what is
sealed later is later. The block of the first place in a list knows all places before that list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from streams.audience.minute import Cell  # noqa: TC001  # msgspec reads the annotations

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: The header that has a block.
HEADER: Final = "minutes"

#: So many minutes make a block; as many at most are kept in a row in between.
BLOCK_MINUTES: Final = 30

#: A block has no more, where a batch has sealed many at once.
LARGEST_BLOCK: Final = 240

#: A row has so many places: of a day.
PLACES: Final = 48


class Place(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, gc=False):
    """Where a block lies.

    Attributes:
        partition: Of the topic of the minutes.
        offset: Of the record that has it in its header.
        first: The earliest of its minutes, since 1970 UTC; not each minute has a cell.
        last: The latest.
    """

    partition: int
    offset: int
    first: int
    last: int


class MinuteBlock(msgspec.Struct, array_like=True, tag="m2", forbid_unknown_fields=True, gc=False):
    """Minutes that were sealed one after the other, as they were sealed.

    Attributes:
        cells: At least one, by minute.
        before: Places of blocks before it; see the invariants above.
    """

    cells: dict[int, Cell]
    before: list[Place]

    @property
    def first(self) -> int:
        """Its earliest minute."""
        return min(self.cells)

    @property
    def last(self) -> int:
        """Its latest minute."""
        return max(self.cells)


class KeptMinutes(msgspec.Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    """What a row knows of its sealed minutes.

    Attributes:
        since: All that was sealed after this minute can be read; what was before cannot.
        until: All up to this one went out.
        cells: Those that are in no block whose place is known.
        places: Of the newest blocks, the earliest first.
    """

    since: int
    until: int
    cells: dict[int, Cell] = {}
    places: list[Place] = []

    def seal(self, cells: Mapping[int, Cell], until: int) -> None:
        """Take in minutes that go out now.

        Args:
            cells: Those of which something was told, all after `self.until`.
            until: The last minute that is sealed with them.
        """
        self.cells.update(cells)
        self.until = until

    def blocks(self, records: int, after: int = -1) -> list[MinuteBlock]:
        """What is to go out in the headers of so many records; all of it stays in the row.

        Args:
            records: How many there are.
            after: Up to this minute all is on its way already.
        """
        minutes = sorted([minute for minute in self.cells if minute > after])
        if len(minutes) < BLOCK_MINUTES:
            return []
        before = list(self.places)
        pieces = [
            minutes[begin : begin + LARGEST_BLOCK]
            for begin in range(0, len(minutes), LARGEST_BLOCK)
        ]
        return [
            MinuteBlock({minute: self.cells[minute] for minute in piece}, before)
            for piece in pieces[:records]
        ]

    def place(self, found: Sequence[Place], before: Sequence[Place]) -> bool:
        """Note where blocks lie that went out one after the other; their cells leave the row.

        Args:
            found: Their places, the earliest first.
            before: What these blocks say of those before them.

        Returns:
            Whether that was so: nothing is done where the row has gone on in another way.
        """
        if not self.cells or self.places != list(before):
            return False
        following = min(self.cells)
        for place in found:
            if place.first != following or place.last not in self.cells:
                return False
            following = min([each for each in self.cells if each > place.last], default=-1)
        last = found[-1].last
        self.cells = {minute: cell for minute, cell in self.cells.items() if minute > last}
        self.places = [*before, *found] if len(before) + len(found) <= PLACES else list(found)
        return True


def kept_since(kept: KeptMinutes | None, folded_until: int) -> KeptMinutes:
    """What a row keeps before its next minutes are sealed.

    Args:
        kept: What it has kept so far; None for nothing.
        folded_until: Up to where it has sealed minutes so far.
    """
    if kept is None or kept.until != folded_until:
        # What was sealed without going out leaves a gap: it is told from there on.
        return KeptMinutes(folded_until, folded_until)
    return kept


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(MinuteBlock)


def encode_block(block: MinuteBlock) -> bytes:
    """A block as its header holds it."""
    return _encoder.encode(block)


def decode_block(value: bytes) -> MinuteBlock:
    """The block of a header.

    Raises:
        msgspec.DecodeError: It is none, or another version's.
    """
    return _decoder.decode(value)
