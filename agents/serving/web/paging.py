"""Pages of broadcasts or scopes, largest first: nothing sorts them all or holds up the loop."""

from __future__ import annotations

import base64
import binascii
import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from agents.serving.live import TimeSlice, viewers_of

if TYPE_CHECKING:
    from agents.serving.live import QueryableStore

#: Rows decoded between two looks at the clock, while a venue is looked for.
_ROWS: Final = 32


#: Where one stands in the order, by viewers, the most first, equals by key: its viewers
#: negated, so that the order is ascending, its key and its partition.
Place = tuple[int, bytes, int]


@dataclass(frozen=True, slots=True)
class Query:
    """Which broadcasts or scopes are asked for.

    Attributes:
        limit: How many at most, at least 1.
        prefix: Only such whose key begins so.
        venue: Only broadcasts of this one, `unknown` stands for none; None: of all.
        ended: Only such that have ended, or only such that have not; None: both.
        after: Only such that stand behind this viewers and key.
        partitions: Only such of these; None: of all that are shown.
    """

    limit: int
    prefix: bytes = b""
    venue: str | None = None
    ended: bool | None = None
    after: tuple[int, bytes] | None = None
    partitions: frozenset[int] | None = None


async def page(live: QueryableStore[Any, Any], query: Query) -> tuple[list[Place], bool]:
    """Find a page.

    Returns:
        The places in their order, and whether there are more.
    """
    wanted = query.limit + 1
    prefix, after, ended, venue = query.prefix, query.after, query.ended, query.venue
    best: list[Place] = []
    time_slice = TimeSlice()
    async for partition, shown in live.chunks(query.partitions):
        last = best[-1] if len(best) == wanted else None
        found: list[Place] = []
        for key, number in shown:
            if not key.startswith(prefix):
                continue
            if ended is not None and (number < 0) is not ended:
                continue
            place = (-viewers_of(number), key, partition)
            if (last is None or place < last) and (after is None or place[:2] > after):
                found.append(place)
        if venue is not None:
            found = await _filter_by_venue(live, found, venue, time_slice)
        if found:
            best = heapq.nsmallest(wanted, best + found)
    return best[: query.limit], len(best) == wanted


async def _filter_by_venue(
    live: QueryableStore[Any, Any], places: list[Place], venue: str, time_slice: TimeSlice
) -> list[Place]:
    """Those of the places that are at a venue, which only their rows know."""
    kept: list[Place] = []
    for start in range(0, len(places), _ROWS):
        for place in places[start : start + _ROWS]:
            row = live.row(place[2], place[1])
            if row is not None and (row.venue or "unknown") == venue:
                kept.append(place)
        await time_slice.yield_if_over()
    return kept


def encode_cursor(place: tuple[int, bytes]) -> str:
    """A text that stands for a place, without its partition, to go on behind it."""
    negated, key = place
    return base64.urlsafe_b64encode(b"%d:%s" % (-negated, key)).decode().rstrip("=")


def decode_cursor(text: str) -> tuple[int, bytes]:
    """What `Query.after` takes, of a cursor.

    Raises:
        ValueError: it is none.
    """
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        decoded = b""
    viewers, colon, key = decoded.partition(b":")
    if not (colon and key and viewers.isdigit() and len(viewers) <= 20):  # noqa: PLR2004  # 64 bits
        raise ValueError("not a cursor")
    return -int(viewers), key
