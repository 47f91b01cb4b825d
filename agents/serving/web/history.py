"""`…/minutes`: the audience minute by minute, of what is kept of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

from agents.serving.web.operations import Parameter
from agents.serving.web.responses import bad_request
from agents.serving.web.sealed import Sealed, sealed_minutes
from streams import rfc3339
from streams.audience import MINUTE, summary_key
from streams.audience.scope import CHUNK, ScopeChunk
from streams.summaries import Count, minute_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agents.serving.web.sealed import Blocks
    from streams.audience import Row
    from streams.audience.minute import Cell
    from streams.audience.scope import ScopeHead

#: Minutes of one answer at most: eight days.
MAX_MINUTES: Final = 8 * 1_440
_DAY: Final = 1_440
_NOT_KEPT: Final = (
    "they were sealed while AUDIENCE_MINUTES was not on, or in a rebuild that may lack their "
    "beginning: sealed minutes are not kept then"
)

FROM: Final = Parameter(
    "from",
    "The first minute: a time in it, RFC 3339. Without it, a day before the last.",
    {"type": "string", "format": "date-time"},
)
TO: Final = Parameter(
    "to",
    "The last minute, likewise. Without it, the newest.",
    {"type": "string", "format": "date-time"},
)

Minute = Annotated[str, Meta(description="The start of a minute, RFC 3339.")]


class ScopeMinutes(msgspec.Struct, kw_only=True, gc=False):
    """The audience of a scope, minute by minute."""

    scope: str
    name: str
    first: Minute
    last: Minute
    kept_from: Annotated[
        Minute | None,
        Meta(description="What lies before is no longer kept; null: no minute is kept."),
    ]
    audience: Annotated[
        list[Count | None],
        Meta(description="Of each minute from `first` to `last`; null where nobody's is known."),
    ]


class BroadcastMinute(msgspec.Struct, kw_only=True, gc=False):
    """What was told of one minute."""

    minute: Minute
    revision: Annotated[Count, Meta(description="Over 0: a correction has restated it.")]
    audience: Count | None
    high: Annotated[Count | None, Meta(description="The greatest viewers in it.")]
    joins: Count | None
    views: Count | None


class MissingMinutes(msgspec.Struct, kw_only=True, gc=False):
    """Minutes that the answer says nothing of."""

    first: Minute
    last: Minute
    why: Annotated[str, Meta(description="For people.")]


class BroadcastMinutes(msgspec.Struct, kw_only=True, gc=False):
    """The minutes of the newest run of a broadcast, sealed or open, in order.

    A minute that nothing was told of is not here. Whether one lies in the span, and which minutes
    carry an audience, follows from the summary.
    """

    platform: str
    broadcast: str
    run: Minute | None
    sealed_until: Annotated[
        Minute | None,
        Meta(description="Minutes up to this one are sealed: they stay as they are."),
    ]
    carry: Annotated[
        Count, Meta(description="For how many minutes without a sample an audience is carried.")
    ]
    minutes: list[BroadcastMinute]
    missing: Annotated[
        list[MissingMinutes],
        Meta(description="What may have been told and is not here, in order: all is, if empty."),
    ]


def minutes_asked(found: Mapping[str, str], newest: int) -> tuple[int, int]:
    """The first and the last minute that are asked for, in minutes since 1970 UTC.

    Args:
        found: The query's parameters.
        newest: The last one where none is given.

    Raises:
        ProblemError: One is no time, they are the wrong way round, or too many.
    """
    first, last = _minute(found, FROM.name), _minute(found, TO.name)
    if first is None:
        last = newest if last is None else last
        return max(0, last - _DAY + 1), max(0, last)
    if last is None:
        return first, min(max(first, newest), first + MAX_MINUTES - 1)
    if first > last:
        raise bad_request("from: must not be after `to`")
    if last - first >= MAX_MINUTES:
        raise bad_request(f"from: at most {MAX_MINUTES} minutes (8 days) up to `to` in one answer")
    return first, last


def _minute(found: Mapping[str, str], name: str) -> int | None:
    text = found.get(name)
    if text is None:
        return None
    try:
        return rfc3339.microseconds(text) // MINUTE
    except ValueError:
        raise bad_request(
            f"{name}: must be a time such as 2026-11-22T19:00:00Z (a + stands as %2B)"
        ) from None


def scope_minutes(
    name: str,
    head: ScopeHead,
    chunk: Callable[[int], ScopeChunk | None],
    first: int,
    last: int,
) -> ScopeMinutes:
    """The minutes of a scope.

    Args:
        name: `world`, or its kind and name: `venue:louvre`.
        head: Its figures.
        chunk: Gives the chunk of a number; None where there is none.
        first: The first minute.
        last: The last minute.
    """
    audience: list[int | None] = [None] * (last - first + 1)
    for number in range(first // CHUNK, last // CHUNK + 1):
        found = chunk(number) if number in head.chunks else None
        if found is None:
            continue
        for offset, value in found.minutes.items():
            place = number * CHUNK + offset - first
            if 0 <= place < len(audience):
                audience[place] = value
    kind, _, bare = name.partition(":")
    oldest = min(head.chunks, default=None)
    return ScopeMinutes(
        scope=kind,
        name=bare,
        first=minute_text(first),
        last=minute_text(last),
        kept_from=None if oldest is None else minute_text(oldest * CHUNK),
        audience=audience,
    )


async def broadcast_minutes(
    key: bytes, row: Row, first: int, last: int, blocks: Blocks, seconds: float
) -> BroadcastMinutes:
    """The minutes of a row, from the first to the last that are asked for.

    Args:
        key: `platform:broadcast`.
        row: As Kafka holds it.
        first: The first minute.
        last: The last one.
        blocks: Fetches those that are sealed.
        seconds: How long that may take.
    """
    platform, _, broadcast = key.decode().partition(":")
    name = summary_key(platform, broadcast, row.run).encode()
    found = await _sealed(row, name, first, last, blocks, seconds)
    found.add(row.cells, first, last)
    return BroadcastMinutes(
        platform=platform,
        broadcast=broadcast,
        run=None if row.run is None else minute_text(row.run),
        sealed_until=minute_text(row.folded_until) if row.folded_until >= 0 else None,
        carry=row.carry,
        minutes=[_told(minute, cell) for minute, cell in sorted(found.cells.items())],
        missing=_missing(found),
    )


async def _sealed(
    row: Row, name: bytes, first: int, last: int, blocks: Blocks, seconds: float
) -> Sealed:
    """What is known of the sealed minutes of a row."""
    # Nothing was told before the earliest event, so nothing of that can be missing.
    earliest = row.earliest_at // MINUTE
    first, last = max(first, earliest), min(last, row.folded_until)
    kept = row.kept
    if first > last:
        return Sealed()
    if kept is None:
        found = Sealed()
        found.lacks(first, last, _NOT_KEPT)
        return found
    found = await sealed_minutes(
        kept, name, max(first, kept.since + 1), min(last, kept.until), blocks, seconds
    )
    found.lacks(first, min(last, kept.since), _NOT_KEPT)
    found.lacks(max(first, kept.until + 1), last, _NOT_KEPT)
    return found


def _told(minute: int, cell: Cell) -> BroadcastMinute:
    return BroadcastMinute(
        minute=minute_text(minute),
        revision=cell.revision,
        audience=cell.audience,
        high=cell.high,
        joins=cell.joins,
        views=cell.views,
    )


def _missing(found: Sealed) -> list[MissingMinutes]:
    """What is missing, in order; what follows for the same reason is told as one."""
    told: list[MissingMinutes] = []
    for first, last, why in sorted(found.gaps):
        if told and told[-1].why == why:
            told[-1].last = minute_text(last)
        else:
            told.append(MissingMinutes(first=minute_text(first), last=minute_text(last), why=why))
    return told
