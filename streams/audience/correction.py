"""Corrections: the events that restate a minute or a start, and what they change (contract 2, 8).

A correction is one revision above the highest that is there. What is not given is what the minute
has, so that nothing but what was asked for changes. Where a minute's high is not its audience, and
the audience is not restated, two events say so: they are to be sent in one batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import orjson

from streams.audience.codec import decode, encode
from streams.audience.figures import compute_figures, summary
from streams.audience.minute import MINUTE, Cell
from streams.audience.row import Row
from streams.errors import LiveAudienceError
from streams.summaries import minute_text, time_text
from streams.viewer_event import MAX_REVISION, ViewerEvent

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What a summary says that no correction is about, or that every event changes.
_LEFT_OUT: Final = frozenset(
    {"platform", "broadcast", "run", "venue", "programme", "title", "events", "late"}
)
_NOTHING_SAID: Final = Cell(0, None, None, None, None, None)


class CorrectionError(LiveAudienceError):
    """The minute or the start cannot be restated; the message says why."""


class SealedError(CorrectionError):
    """The minute is sealed.

    Attributes:
        since: The minute whose first event sealed it, in minutes since 1970 UTC; that of the run's
            beginning where it was never open to the run.
    """

    def __init__(self, message: str, since: int) -> None:
        super().__init__(message)
        self.since = since


class Change(NamedTuple):
    """A figure that becomes another.

    Attributes:
        name: As the contract calls it.
        before: As it is; None where it is not known.
        after: As it will be.
    """

    name: str
    before: Any
    after: Any


class Correction(msgspec.Struct, frozen=True):
    """What is to be sent, and what will come of it.

    Attributes:
        events: The events with their `at` in microseconds since 1970 UTC, in their order; none if
            all is as it was asked for.
        revision: Their revision.
        minute: The minute that they are in, in minutes since 1970 UTC.
        restated: What they say: `viewers`, `high`, `joins` and `views` of a minute, `started` of a
            start, each as it is and as it will be, changed or not.
        figures: The broadcast's figures that will be others.
        open_until: The minute whose first event seals `minute`, in minutes since 1970 UTC.
        row: The row as it will be.
    """

    events: tuple[tuple[ViewerEvent, int], ...]
    revision: int
    minute: int
    restated: tuple[Change, ...]
    figures: tuple[Change, ...]
    open_until: int
    row: Row

    @property
    def is_in(self) -> bool:
        """Whether nothing is to be changed."""
        return not self.events


def correct_minute(
    platform: str, broadcast: str, row: Row, minute: int, given: Mapping[str, int | None]
) -> Correction:
    """Restate a minute.

    The time of its audience stays, but for this: an audience that was told in the minute of the
    start before it, or of an end that stands after it, is not of the span. A new one is to be.

    Args:
        platform: Where it is shown.
        broadcast: The platform's id of it.
        row: What is kept of its newest run, which stays as it is.
        minute: Minutes since 1970 UTC.
        given: `viewers` (None is unknown), `joins` and `views`, those that are to be restated.

    Raises:
        SealedError: What is told of it now is late.
        CorrectionError: It is yet to come, or no revision is left.
    """
    _require_open(f"{platform}:{broadcast}", row, minute)
    cell = row.cells.get(minute)
    was = _NOTHING_SAID if cell is None else cell
    revision = _next_revision(was.revision)
    first = minute * MINUTE
    at = first + (was.at or 0)
    if "viewers" in given or was.audience is None:
        at = _in_span(row, at)
    audience = given.get("viewers", was.audience)
    new = Cell(
        revision,
        None if audience is None else at - first,
        audience,
        None if "viewers" in given else was.higher,
        given.get("joins", was.joins),
        given.get("views", was.views),
    )
    restated = (
        Change("viewers", was.audience, new.audience),
        Change("high", was.high, new.high),
        Change("joins", was.joins, new.joins),
        Change("views", was.views, new.views),
    )
    events: list[tuple[ViewerEvent, int]] = []
    if any(change.before != change.after for change in restated):
        if new.higher is not None:
            # It was told before the audience. To tell it no earlier than it was leaves the latest
            # time at which somebody watched as it is.
            high_at = min(at - 1, max(row.watched_at, first))
            high = ViewerEvent(
                platform, broadcast, time_text(high_at), viewers=new.higher, revision=revision
            )
            events.append((high, high_at))
        event = ViewerEvent(
            platform,
            broadcast,
            time_text(at),
            viewers=new.audience,
            joins=new.joins,
            views=new.views,
            revision=revision,
        )
        events.append((event, at))
    return _correction(platform, broadcast, row, minute, revision, restated, events)


def correct_start(platform: str, broadcast: str, row: Row, at: int) -> Correction:
    """Restate when it started.

    Args:
        platform: Where it is shown.
        broadcast: The platform's id of it.
        row: What is kept of its newest run, which stays as it is.
        at: When it started, in microseconds since 1970 UTC.

    Raises:
        SealedError: That minute is sealed: a `started` in it is late.
        CorrectionError: It is yet to come, or no revision is left.
    """
    minute = at // MINUTE
    _require_open(f"{platform}:{broadcast}", row, minute)
    revision = _next_revision(row.started_revision)
    before = None if row.started is None else time_text(row.started)
    restated = (Change("started", before, time_text(at)),)
    events: list[tuple[ViewerEvent, int]] = []
    if row.started != at:
        event = ViewerEvent(platform, broadcast, time_text(at), "started", revision=revision)
        events.append((event, at))
    return _correction(platform, broadcast, row, minute, revision, restated, events)


def encode_event(event: ViewerEvent) -> bytes:
    """An event as JSON, without what it does not say."""
    said = msgspec.structs.asdict(event)
    return orjson.dumps({name: value for name, value in said.items() if value is not None})


def _correction(
    platform: str,
    broadcast: str,
    row: Row,
    minute: int,
    revision: int,
    restated: tuple[Change, ...],
    events: list[tuple[ViewerEvent, int]],
) -> Correction:
    then = decode(encode(row))
    assert isinstance(then, Row), "a row stays one"
    if events:
        result = then.accept_all([(event, at, row.timestamp) for event, at in events])
        assert result.accepted == len(events), "its minute is open and it begins no run"
    now, later = (_figures(platform, broadcast, each) for each in (row, then))
    return Correction(
        tuple(events),
        revision,
        minute,
        restated,
        tuple(
            Change(name, value, later[name]) for name, value in now.items() if value != later[name]
        ),
        minute + row.lateness,
        then,
    )


def _figures(platform: str, broadcast: str, row: Row) -> dict[str, Any]:
    figures = compute_figures(row)
    fields = msgspec.structs.asdict(summary(platform, broadcast, row, row.status, figures))
    shown = {name: value for name, value in fields.items() if name not in _LEFT_OUT}
    return {**shown, "viewers": figures.viewers}


def _in_span(row: Row, at: int) -> int:
    """The time nearest to this one in the same minute, not before the start nor after an end.

    Nor before the earliest event: what was told first stays so.
    """
    minute, ended = at // MINUTE, row.ended_at
    for begin in (row.earliest_at, row.started_at):
        if begin // MINUTE == minute:
            at = max(at, begin)
    if ended is not None and ended // MINUTE == minute:
        at = min(at, ended)
    return at


def _next_revision(highest: int) -> int:
    # What the platform tells by itself is 0, so a correction is never that: it could begin a run.
    revision = max(highest, 0) + 1
    if revision > MAX_REVISION:
        raise CorrectionError(f"its revision is {MAX_REVISION} already, and no higher one is taken")
    return revision


def _require_open(name: str, row: Row, minute: int) -> None:
    """Do nothing for a minute of which something may still be told, up to the newest."""
    text, newest = minute_text(minute), minute_text(row.newest)
    if minute > row.newest:
        raise CorrectionError(
            f"{name} has come to the minute {newest}, and {text} is after it: nothing was said of "
            "it yet that could be restated, and a correction there would seal earlier minutes"
        )
    if minute > row.sealed:
        return
    whole = f"its open minutes are those from {minute_text(row.sealed + 1)} to {newest}"
    if minute > row.newest - row.lateness:
        since = row.newest if row.run is None else row.run
        raise SealedError(
            f"the minute {text} of {name} is sealed since its run of {minute_text(since)} began: "
            f"it belongs to a former one; {whole}",
            since,
        )
    since = minute + row.lateness
    raise SealedError(
        f"the minute {text} of {name} is sealed since {minute_text(since)}, when its newest minute "
        f"was {row.lateness} min later (AUDIENCE_LATENESS when it began): what is told of it now "
        f"is refused as late; {whole}",
        since,
    )
