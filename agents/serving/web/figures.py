"""The figures of broadcasts and scopes, as the API gives them (contract, sections 3, 4 and 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from streams.audience import Row, compute_figures, summary
from streams.audience.scope import scope_summary
from streams.summaries import BroadcastSummary, Count, ScopeSummary, Time, time_text

if TYPE_CHECKING:
    from streams.audience.scope import ScopeHead
    from streams.summaries import Status


class BroadcastFigures(BroadcastSummary, gc=False):
    """All figures of one broadcast: its summary, and those that only mean something while live.

    `viewer_minutes` are viewers times minutes: 380,000 viewers for 120 minutes are 45,600,000.
    """

    viewers: Annotated[
        Count | None, Meta(description="Of its newest observed minute, however long ago.")
    ]
    peak_5m: Annotated[Count | None, Meta(description="Peak of its last 5 minutes.")]
    peak_1h: Annotated[Count | None, Meta(description="Peak of its last 60 minutes.")]
    fresh: Annotated[
        bool, Meta(description="Whether its viewers count in those of its scopes now.")
    ]
    newest_at: Annotated[Time, Meta(description="When its newest event was observed.")]
    partition: Annotated[int, Meta(ge=0, description="Where its events lie in viewer-events.")]


def broadcast_figures(partition: int, key: bytes, row: Row) -> BroadcastFigures:
    """The figures of the newest run of a broadcast.

    Args:
        partition: Where it lies.
        key: `platform:broadcast`.
        row: What is kept of it.
    """
    platform, _, broadcast = key.decode().partition(":")
    figures = compute_figures(row)
    status: Status = "live" if figures.ended_at is None else "ended"
    if row.final:
        status = "final"
    return BroadcastFigures(
        **msgspec.structs.asdict(summary(platform, broadcast, row, status, figures)),
        viewers=figures.viewers,
        peak_5m=figures.peak_5m,
        peak_1h=figures.peak_1h,
        fresh=row.contribution is not None,
        newest_at=time_text(row.newest_at),
        partition=partition,
    )


class ScopeFigures(ScopeSummary, gc=False):
    """All figures of one scope: its summary as of now, and where it lies.

    `peak` is the peak of the sum, `peak_sum` the sum of the broadcasts' own peaks.
    """

    partition: Annotated[int, Meta(ge=0, description="Where it lies among the scopes.")]


def scope_figures(partition: int, key: bytes, head: ScopeHead) -> ScopeFigures:
    """The figures of a scope that has had an event.

    Args:
        partition: Where it lies.
        key: `world`, or its kind and name: `venue:louvre`.
        head: What is kept of it.
    """
    figures = msgspec.structs.asdict(scope_summary(key.decode(), head))
    return ScopeFigures(**figures, partition=partition)
