"""What the answers of an API mean for channels: which are asked for, and what is told of them.

Pure. An answer that does not come, or does not name a channel, means nothing: neither 0 viewers nor
an end. Only a channel that is missing for long is taken as over, since it was seen last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from agents.gateway.observation import Kind, Observation
from agents.gateway.polling.schedule import Target
from streams import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from agents.gateway.heads import Head
    from agents.gateway.poll_config import Poll
    from agents.gateway.polling.platform import Found

#: An API goes on for a while to tell a broadcast that has ended: that is no news.
_TOLD_AFTER_END: Final = 10 * rfc3339.MINUTE
#: So often at least an answer must lack a broadcast before it has ended.
_ABSENCES: Final = 3
#: From so long before its scheduled start until so long after it, a broadcast is looked at each
#: minute.
_SOON: Final = 2 * rfc3339.MINUTE
_DELAYED: Final = 30 * rfc3339.MINUTE


#: A video that was announced is looked at for so long after that, unless it is over before.
_ANNOUNCED: Final = 7 * 24 * 3600 * rfc3339.SECOND


@dataclass(slots=True)
class _Seen:
    """What this gateway has seen of a channel.

    Attributes:
        announced: the broadcast whose start was told.
        live: whether it was live at the last look.
        newest: when it was seen live last.
        absent: since when answers lack it.
        absences: how many of them did.
        over: whether nothing more is to come of it.
        scheduled: when it is to start.
    """

    announced: str = ""
    live: bool = False
    newest: int = 0
    absent: int | None = None
    absences: int = 0
    over: bool = False
    scheduled: int | None = None


class Following:
    """Follows the channels of one poll.

    Args:
        poll: as configured.
        is_leg: whether a channel is part of a programme.
    """

    def __init__(self, poll: Poll, is_leg: Callable[[str], bool] = lambda _: False) -> None:
        self._poll = poll
        self._is_leg = is_leg
        self._seen: dict[str, _Seen] = {}

    def targets(
        self, configured: Iterable[str], heads: Mapping[str, Head], now: int
    ) -> list[Target]:
        """What is to be asked for.

        Args:
            configured: those of the poll's channels that this gateway has.
            heads: the newest broadcast of each channel that this gateway has.
            now: microseconds since 1970 UTC.
        """
        wanted = {
            channel: True
            for channel, head in heads.items()
            if head.is_open and self._poll.kind.is_id(channel)
        }
        for channel in configured:
            wanted.setdefault(channel, False)
        # What was announced is looked at until it is over, or nothing more was told of it for long:
        # most of it never is a broadcast.
        for channel, head in heads.items():
            if now - head.announced < _ANNOUNCED and self._poll.kind.is_id(channel):
                wanted.setdefault(channel, False)
        for channel in self._seen.keys() - wanted.keys():
            del self._seen[channel]
        return [
            self._target(channel, is_open, now)
            for channel, is_open in wanted.items()
            if is_open or (seen := self._seen.get(channel)) is None or not seen.over
        ]

    def _target(self, channel: str, is_open: bool, now: int) -> Target:
        seen = self._seen.get(channel)
        live = is_open or (seen is not None and seen.live)
        every = self._poll.every_minutes if live else self._poll.waits
        at = None if seen is None else seen.scheduled
        if not live and at is not None and at - _SOON <= now < at + _DELAYED:
            every = 1
        return Target(channel, live, self._is_leg(channel), every)

    def take(
        self,
        asked: Iterable[str],
        found: Iterable[Found],
        heads: Mapping[str, Head],
        now: int,
    ) -> list[Observation]:
        """What an answer tells.

        Args:
            asked: the channels that were asked for, and are still this gateway's.
            found: what the answer says of them.
            heads: the newest broadcast of each channel that this gateway has.
            now: when the answer came, in microseconds since 1970 UTC.
        """
        rows = {each.id: each for each in found}
        told: list[Observation] = []
        for channel in asked:
            seen = self._seen.setdefault(channel, _Seen())
            head = heads.get(channel)
            row = rows.get(channel)
            if row is None or row.status == "upcoming":
                seen.scheduled = None if row is None else row.scheduled
                told += self._missing(channel, seen, head, now)
                continue
            seen.absent, seen.absences = None, 0
            told += (
                self._live(row, seen, head, now)
                if row.status == "live"
                else self._over(row, seen, head, now)
            )
        return told

    def forget(self, channels: Iterable[str]) -> None:
        """Tell starts and ends of channels again: what was told of them was not stored."""
        for channel in channels:
            if (seen := self._seen.get(channel)) is not None:
                # (An end needs a broadcast that was told of.)
                was_over = seen.over and bool(seen.announced)
                seen.live, seen.over = seen.live or was_over, False
                seen.announced = seen.announced if was_over else ""

    def _live(self, row: Found, seen: _Seen, head: Head | None, now: int) -> Iterable[Observation]:
        is_known = head is not None and head.broadcast == row.broadcast
        if head is not None and is_known and head.ended is not None:
            if now - head.ended < _TOLD_AFTER_END:
                seen.live = False
                return
            is_known = False
        seen.live, seen.over, seen.newest = True, False, now
        started = None if row.started is None else min(row.started, now)
        if not is_known and seen.announced != row.broadcast and started is not None:
            yield self._observation(row.id, "started", started, row, started=started)
        seen.announced = row.broadcast
        yield self._observation(
            row.id, "sample", now, row, started=started, viewers=row.viewers, views=row.views
        )

    def _over(self, row: Found, seen: _Seen, head: Head | None, now: int) -> Iterable[Observation]:
        is_open = head is not None and head.broadcast == row.broadcast and head.is_open
        was_told = seen.live and seen.announced == row.broadcast
        seen.live, seen.over = False, True
        if row.ended is not None and (is_open or was_told):
            started = None if row.started is None else min(row.started, now)
            yield self._observation(row.id, "ended", min(row.ended, now), row, started=started)

    def _missing(
        self, channel: str, seen: _Seen, head: Head | None, now: int
    ) -> Iterable[Observation]:
        is_open = head is not None and head.is_open
        if not (is_open or seen.live):
            return
        seen.absences += 1
        if seen.absent is None:
            seen.absent = now
        if (
            seen.absences < _ABSENCES
            or now - seen.absent < self._poll.absent_minutes * rfc3339.MINUTE
        ):
            return
        seen.absent, seen.absences, seen.live = None, 0, False
        if head is not None and head.is_open:
            yield self._observation(channel, "ended", head.newest, None, broadcast=head.broadcast)

    def _observation(
        self, channel: str, kind: Kind, at: int, row: Found | None, **more: Any
    ) -> Observation:
        if row is not None:
            more = {"broadcast": row.broadcast, "title": row.title, **more}
        return Observation(
            endpoint=self._poll.told,
            platform=self._poll.told_platform,
            channel=channel,
            kind=kind,
            at=at,
            **more,
        )
