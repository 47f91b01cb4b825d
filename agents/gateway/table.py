"""The table of open broadcasts: what a channel's observations mean for its broadcasts.

Pure: no Kafka, no clock. All is decided by event time and by the order in which the observations
of one channel lie in their partition, so a replay and another gateway decide alike.

Where the source tells an id or the true start of a broadcast, the order does not matter at all.
Where it tells only a channel, a broadcast is (channel, start), its start being when the first
`started` or sample of it was seen; then an end that comes before its start waits for it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from agents.gateway import ledger
from agents.gateway.rows import Known, broadcast_id, fitting
from streams import rfc3339
from streams.viewer_event import ViewerEvent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agents.gateway.observation import Observation
    from agents.gateway.rows import Channel

#: Of one channel, so many broadcasts are known, and so many ids of messages.
MOST_BROADCASTS: Final = 16
MOST_IDS: Final = 512
#: So many viewers of one broadcast are told apart; with more their number is unknown.
MOST_PRESENT: Final = 20_000
#: So many ends wait for a start that comes later.
_MOST_WAITING: Final = 8


def apply(row: Channel, seen: Observation) -> list[ViewerEvent] | None:
    """Take an observation into a channel's row.

    Args:
        row: is changed.
        seen: what was observed of this channel.

    Returns:
        The viewer events that come of it; None, and an unchanged row, if its message was seen
        before.
    """
    if seen.id:
        # Of the id a digest is kept, so that a row is bounded whatever ids a sender has.
        identity = hashlib.blake2b(f"{seen.viewer}\0{seen.id}".encode(), digest_size=8).digest()
        if identity in row.ids:
            return None
        row.ids.append(identity)
        del row.ids[:-MOST_IDS]
    if seen.kind == "announced":
        row.announced = max(row.announced, seen.at)
        return []
    if seen.kind in {"asked", "subscribed", "denied", "spent"}:
        ledger.note(row, seen)
        return []
    if seen.kind == "started":
        return list(_started(row, seen))
    if seen.kind == "ended":
        return list(_ended(row, seen))
    return list(_alive(row, seen))


def tick(row: Channel, now: int) -> list[ViewerEvent] | None:
    """The sample of a minute in which nobody joined or left.

    Only where single viewers are told: elsewhere nobody knows how many are there.

    Args:
        row: is changed.
        now: microseconds since 1970 UTC.

    Returns:
        None, and an unchanged row, if there is nothing to tell.
    """
    known = row.open
    if known is None or not known.present_for:
        return None
    if now // rfc3339.MINUTE <= known.newest // rfc3339.MINUTE:
        return None
    _let_go(known, now)
    if not known.present and now - known.alive > known.present_for * rfc3339.SECOND:
        # Neither viewers nor signs of life: its end may have been lost, so 0 would be a guess.
        known.present_for = 0
        return []
    known.newest = now
    return [_event(row, known, now, viewers=_present(known))]


# -- starts, ends, and what lies between -----------------------------------------------------------


def _started(row: Channel, seen: Observation) -> Iterator[ViewerEvent]:
    start = seen.at if seen.started is None else seen.started
    known = _named(row, seen) if _is_named(seen) else _resumed(row, seen)
    is_new = known is None
    if known is None:
        known = _open(row, seen, start)
    else:
        known.resumed = max(known.resumed, seen.at)
    known.newest = max(known.newest, seen.at)
    known.alive = max(known.alive, seen.at)
    known.present_for = seen.present_for
    if not known.true_start or start < known.start:
        known.true_start = True
        if start != known.start:
            known.start = start
            row.broadcasts.sort(key=_by_start)
    # The true start first: what a sample seals before it can never be put right.
    yield _event(row, known, start, "started", title=seen.title)
    if seen.at > start and not is_new:
        # It goes on after an end, or it is told again: the time of this is news as well.
        yield _event(row, known, seen.at, "started", title=seen.title)
    yield from _close_lost(row, known)
    yield from _take_waiting(row, known)


def _ended(row: Channel, seen: Observation) -> Iterator[ViewerEvent]:
    known = _named(row, seen) if _is_named(seen) else _around(row, seen.at)
    if known is None and _is_named(seen):
        start = seen.at if seen.started is None else seen.started
        known = _open(row, seen, start)
        if seen.started is not None:
            known.true_start = True
            yield _event(row, known, start, "started", title=seen.title)
    if known is None or (not _is_named(seen) and _is_of_another(known, seen)):
        if seen.at not in row.waiting:
            row.waiting = sorted([*row.waiting, seen.at])[-_MOST_WAITING:]
        return
    yield _end(row, known, seen.at)


def _alive(row: Channel, seen: Observation) -> Iterator[ViewerEvent]:
    known = _alive_one(row, seen)
    if known is None:
        if seen.kind == "left":
            return  # nobody leaves what was not seen to begin
        known = _open(row, seen, seen.at if seen.started is None else seen.started)
        if seen.started is not None:
            known.true_start = True
            yield _event(row, known, seen.started, "started", title=seen.title)
    elif seen.started is not None and not known.true_start:
        # It was seen before its start was told, by a sender that knows only its id.
        known.true_start, known.start = True, seen.started
        row.broadcasts.sort(key=_by_start)
        yield _event(row, known, seen.started, "started", title=seen.title)
    known.present_for = seen.present_for or known.present_for
    joins = None
    if seen.kind == "joined":
        joins = _join(known, seen)
    elif seen.kind == "left":
        known.present.pop(seen.viewer, None)
    is_news = seen.at >= known.newest
    known.alive = max(known.alive, seen.at)
    # People who leave after an end do not take it back.
    if seen.kind != "left" or known.is_open:
        known.newest = max(known.newest, seen.at)
    viewers = seen.viewers
    if known.present_for and is_news:
        _let_go(known, seen.at)
        viewers = _present(known)
    elif known.present_for:
        viewers = None  # how many were there then is no longer known
    yield _event(
        row, known, seen.at, viewers=viewers, views=seen.views, joins=joins, title=seen.title
    )
    yield from _take_waiting(row, known)


# -- which broadcast -------------------------------------------------------------------------------


def _is_named(seen: Observation) -> bool:
    return seen.broadcast is not None or seen.started is not None


def _name(seen: Observation) -> str:
    if seen.broadcast is not None:
        return fitting(seen.broadcast)
    return broadcast_id(seen.channel, seen.at if seen.started is None else seen.started)


def _named(row: Channel, seen: Observation) -> Known | None:
    name = _name(seen)
    return next((known for known in row.broadcasts if known.id == name), None)


def _around(row: Channel, at: int) -> Known | None:
    """The broadcast that had begun last at a time."""
    begun = [known for known in row.broadcasts if known.start <= at]
    return begun[-1] if begun else None


def _resumed(row: Channel, seen: Observation) -> Known | None:
    """The broadcast with which a start that tells only its channel goes on, if any."""
    known = _around(row, seen.at)
    resume = seen.resume * rfc3339.SECOND
    if known is not None:
        # Seen or ended a moment ago: the encoder has come back, or the start is told again.
        last = max(known.newest, known.ended or 0)
        if seen.at <= last + resume:
            return known
    if (after := _after(row, seen.at)) is not None and not after.true_start:
        # Its start is told late, when it was seen alive already.
        return after
    return None


def _alive_one(row: Channel, seen: Observation) -> Known | None:
    """The broadcast that something other than a start or an end is about, if it is known."""
    if _is_named(seen):
        return _named(row, seen)
    known = _around(row, seen.at)
    if known is None or known.ended is None or known.is_open or seen.kind == "left":
        return known
    # Long after its end, this is another one, whose start was lost.
    is_over = seen.at - known.ended > seen.resume * rfc3339.SECOND
    return None if is_over else known


def _is_of_another(known: Known, seen: Observation) -> bool:
    """Whether an end is of a broadcast after this one, whose start is still to come.

    This one has ended for good: a second end cannot be its own.
    """
    if known.ended is None or known.guessed or known.is_open:
        return False
    return seen.at - known.ended > seen.resume * rfc3339.SECOND


def _after(row: Channel, at: int) -> Known | None:
    return next((known for known in row.broadcasts if known.start > at), None)


def _open(row: Channel, seen: Observation, start: int) -> Known:
    known = Known(_name(seen), start, newest=max(start, seen.at if seen.kind != "ended" else 0))
    known.present_for = seen.present_for
    row.broadcasts.append(known)
    row.broadcasts.sort(key=_by_start)
    del row.broadcasts[:-MOST_BROADCASTS]
    return known


def _by_start(known: Known) -> tuple[int, str]:
    return known.start, known.id


def _close_lost(row: Channel, known: Known) -> Iterator[ViewerEvent]:
    """End the broadcasts before this one: a channel shows one at a time, so their ends were lost.

    They end when they were last seen. Should the end still come, it is the later one, and counts.
    """
    for other in row.broadcasts:
        if other is known:
            return
        if other.is_open and other.start < known.start:
            event = _end(row, other, min(max(other.newest, other.start), known.start))
            other.guessed = True
            yield event


def _take_waiting(row: Channel, known: Known) -> Iterator[ViewerEvent]:
    """Give this broadcast the ends that came before its start."""
    left = []
    for at in row.waiting:
        if _around(row, at) is known:
            yield _end(row, known, at)
        else:
            left.append(at)
    row.waiting = left


def _end(row: Channel, known: Known, at: int) -> ViewerEvent:
    known.ended = at if known.ended is None else max(known.ended, at)
    known.guessed = False
    if not known.is_open:
        known.present.clear()
        known.overflowed = False
    return _event(row, known, at, "ended")


# -- viewers ---------------------------------------------------------------------------------------


def _join(known: Known, seen: Observation) -> int | None:
    """Count a viewer; returns the joins of the minute, None if it was there already."""
    is_new = seen.viewer not in known.present
    if is_new and len(known.present) >= MOST_PRESENT:
        known.overflowed = True
    else:
        known.present[seen.viewer] = max(seen.at, known.present.get(seen.viewer, 0))
    if not is_new:
        return None
    minute = seen.at // rfc3339.MINUTE
    if minute < known.minute:
        return None  # `joins` restate a minute: what is known of an older one is gone
    if minute > known.minute:
        known.minute, known.joins = minute, 0
    known.joins += 1
    return known.joins


def _let_go(known: Known, now: int) -> None:
    oldest = now - known.present_for * rfc3339.SECOND
    for viewer in [viewer for viewer, at in known.present.items() if at < oldest]:
        del known.present[viewer]
    if not known.present:
        known.overflowed = False


def _present(known: Known) -> int | None:
    return None if known.overflowed else len(known.present)


def _event(
    row: Channel,
    known: Known,
    at: int,
    kind: str = "sample",
    *,
    viewers: int | None = None,
    joins: int | None = None,
    views: int | None = None,
    title: str | None = None,
) -> ViewerEvent:
    return ViewerEvent(
        platform=row.platform,
        broadcast=known.id,
        at=rfc3339.text(at),
        kind=kind,  # type: ignore[arg-type]  # one of its kinds
        viewers=viewers,
        joins=joins,
        views=views,
        title=title,
    )
