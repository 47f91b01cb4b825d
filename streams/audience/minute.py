"""The minute cell: what all events of one broadcast in one minute come to."""

from __future__ import annotations

from typing import Final

import msgspec

MINUTE: Final = 60_000_000
"""Microseconds in a minute. Minute `m` is the times `m * MINUTE <= at < (m + 1) * MINUTE`."""


class Cell(msgspec.Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    """What the events of the highest revision in one minute say.

    A join-semilattice: each field is the greatest of something, so a cell depends on the set of
    its events, never on their order or on how often each came.

    Attributes:
        revision: The highest revision; events of a lower one no longer count in here.
        at: When `audience` was observed, in microseconds since the minute began; None without one.
        audience: Viewers of the event that is greatest by (`at`, viewers) of those that know
            viewers; None if none does.
        high: Greatest viewers; None exactly where `audience` is.
        joins: Greatest joins; None if never given.
        views: Greatest views; None if never given.
    """

    revision: int
    at: int | None
    audience: int | None
    high: int | None
    joins: int | None
    views: int | None
