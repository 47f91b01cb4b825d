"""The sealed minutes of a broadcast, block by block from where its row says that they lie.

Pure but for the waiting: who fetches a block is asked for it, here nothing knows of Kafka. Bounded:
a block has at least half an hour of told minutes, so the longest answer there is asks for some 400,
and each list of places that lies between is one more.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from streams.audience.kept import KeptMinutes, MinuteBlock, Place
    from streams.audience.minute import Cell

#: Why a place says nothing.
MADE_ANEW: Final = "what lies where they were is something else: the topic was made anew"
_LATE: Final = "Kafka did not give them in time: ask for fewer (`from`, `to`), or again"


class BlockError(Exception):
    """A block cannot be had; the message says why, for people."""


class Gap(NamedTuple):
    """Minutes that cannot be told.

    Attributes:
        first: The first, since 1970 UTC.
        last: The last.
        why: For people.
    """

    first: int
    last: int
    why: str


class Blocks(Protocol):
    """Fetches blocks."""

    async def block(self, name: bytes, place: Place) -> MinuteBlock:
        """The block that lies at a place.

        Args:
            name: The key of its record.
            place: Where.

        Raises:
            BlockError: It is not there, or cannot be fetched.
        """
        ...


class NoBlocks:
    """Where nothing is kept."""

    async def block(self, name: bytes, place: Place) -> MinuteBlock:
        """No block is anywhere.

        Raises:
            BlockError: Always.
        """
        del name, place
        raise BlockError("sealed minutes are not kept: AUDIENCE_MINUTES is not on")


@dataclass(slots=True)
class Sealed:
    """What is known of sealed minutes.

    Attributes:
        cells: By minute.
        gaps: What is missing, in no order.
    """

    cells: dict[int, Cell] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)

    def add(self, cells: Mapping[int, Cell], first: int, last: int) -> None:
        """Take in those of some cells that are asked for."""
        self.cells.update(
            {minute: cell for minute, cell in cells.items() if first <= minute <= last}
        )

    def lacks(self, first: int, last: int, why: str) -> None:
        """Note that some minutes, if these are any, are missing."""
        if first <= last:
            self.gaps.append(Gap(first, last, why))


async def sealed_minutes(
    kept: KeptMinutes, name: bytes, first: int, last: int, blocks: Blocks, seconds: float
) -> Sealed:
    """The sealed minutes that a row keeps.

    Args:
        kept: What the row knows.
        name: The key of its summaries, which its minutes have too.
        first: The first minute that is asked for.
        last: The last one.
        blocks: Fetches blocks.
        seconds: How long that may take in all.
    """
    found = Sealed()
    found.add(kept.cells, first, last)
    places: Sequence[Place] = kept.places
    until = asyncio.get_running_loop().time() + seconds
    while places:
        wanted = [place for place in places if place.first <= last and place.last >= first]
        # Through the first block the way goes on to those before it.
        goes_on = first < places[0].first
        if goes_on and places[0] not in wanted:
            wanted.append(places[0])
        fetched = await _fetched(name, wanted, blocks, until)
        for place, block in fetched.items():
            if isinstance(block, str):
                found.lacks(max(first, place.first), min(last, place.last), block)
            else:
                found.add(block.cells, first, last)
        if not goes_on:
            break
        head = fetched[places[0]]
        if isinstance(head, str):
            found.lacks(first, min(last, places[0].first - 1), head)
            break
        places = head.before
    return found


async def _fetched(
    name: bytes, places: Iterable[Place], blocks: Blocks, until: float
) -> dict[Place, MinuteBlock | str]:
    """The block of each place, or why it cannot be had."""
    tasks = {place: asyncio.ensure_future(blocks.block(name, place)) for place in places}
    left = until - asyncio.get_running_loop().time()
    try:
        if tasks and left > 0:
            await asyncio.wait(tasks.values(), timeout=left)
        return {place: _outcome(task, place) for place, task in tasks.items()}
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


def _outcome(task: asyncio.Future[MinuteBlock], place: Place) -> MinuteBlock | str:
    if not task.done():
        return _LATE
    try:
        block = task.result()
    except BlockError as error:
        return str(error)
    if (block.first, block.last) != (place.first, place.last):
        return MADE_ANEW
    return block
