"""The record that tells a scope what one batch of viewer events changes in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from streams.audience.bounds import LARGEST_SUM, Amount, Count, MinuteNumber, NewestMinute
from streams.audience.steps import by_minute

if TYPE_CHECKING:
    from streams.audience.delta import Delta

Timestamp = Annotated[int, Meta(ge=-1, le=LARGEST_SUM)]


class ScopeDelta(msgspec.Struct, array_like=True, tag="d2", forbid_unknown_fields=True, gc=False):
    """What one batch of viewer events changes in one scope: a record on its way to it.

    The fields are those of `Delta`, its steps added up. They are the format of the topic.

    Attributes:
        minutes: By how much the audience of a minute changes.
        known: By how many more broadcasts an audience is known in a minute.
        viewer_minutes: Change of the sum.
        joins: Likewise.
        views: Likewise.
        peak_sum: Likewise.
        broadcasts: How many more runs belong to it.
        live: How many more are live.
        viewers: Change of the sum of what is live and fresh.
        contributing: How many more have a part in that sum.
        fresh: How many more are fresh.
        minute: The greatest last minute of a span after any record; -1 for none.
        timestamp: Newest Kafka timestamp of their records, in milliseconds; -1 for none.
    """

    minutes: dict[MinuteNumber, Amount]
    known: dict[MinuteNumber, Count]
    viewer_minutes: Amount = 0
    joins: Amount = 0
    views: Amount = 0
    peak_sum: Amount = 0
    broadcasts: Count = 0
    live: Count = 0
    viewers: Amount = 0
    contributing: Count = 0
    fresh: Count = 0
    minute: NewestMinute = -1
    timestamp: Timestamp = -1

    @staticmethod
    def from_delta(delta: Delta) -> ScopeDelta | None:
        """What a delta comes to, minute by minute; None if nothing changes."""
        change = ScopeDelta(
            by_minute(delta.audience),
            by_minute(delta.known),
            delta.viewer_minutes,
            delta.joins,
            delta.views,
            delta.peak_sum,
            delta.broadcasts,
            delta.live,
            delta.viewers,
            delta.contributing,
            delta.fresh,
            delta.minute,
            delta.timestamp,
        )
        is_nothing = not (
            change.minutes
            or change.known
            or change.minute >= 0
            or change.viewer_minutes
            or change.joins
            or change.views
            or change.peak_sum
            or change.broadcasts
            or change.live
            or change.viewers
            or change.contributing
            or change.fresh
        )
        return None if is_nothing else change

    def split(self, most: int) -> list[ScopeDelta]:
        """This delta as several that come to the same, each with at most so many minutes.

        Only the last moves the scope's minute on: what is closed is decided by the minute before.

        Args:
            most: How many minutes one may change, each in its audience and in where it is known.
        """
        if len(self.minutes) + len(self.known) <= most:
            return [self]
        minutes = sorted(self.minutes.keys() | self.known.keys())
        pieces = [
            ScopeDelta(
                {minute: by for minute in piece if (by := self.minutes.get(minute))},
                {minute: by for minute in piece if (by := self.known.get(minute))},
            )
            for piece in (minutes[begin : begin + most] for begin in range(0, len(minutes), most))
        ]
        return [*pieces, msgspec.structs.replace(self, minutes={}, known={})]
