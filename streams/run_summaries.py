"""What is published of broadcasts and scopes from contract 2 on (sections 3, 4 and 7).

These structs take the place of those of the same names in `streams.summaries`, at once with the
agents.
"""

from typing import Annotated

import msgspec
import orjson
from msgspec import Meta

from streams.summaries import Average, Count, Minute, Ratio, ScopeKind, Status, Time


class BroadcastSummary(msgspec.Struct, gc=False):
    """Figures of one run of a broadcast; the last summary for a key is right, each restates all.

    `viewer_minutes` are viewers times minutes: 380,000 viewers for 120 minutes are 45,600,000.
    """

    platform: str
    broadcast: str
    run: Annotated[Minute | None, Meta(description="Null for the first run of its key.")]
    venue: str
    programme: str | None
    title: str | None
    status: Status
    started_at: Time
    ended_at: Time | None
    peak: Count | None
    peak_at: Minute | None
    peak_held: Annotated[
        Count | None,
        Meta(description="Greatest audience that two successive observed minutes both reached."),
    ]
    waiting_peak: Annotated[Count | None, Meta(description="Greatest viewers before the start.")]
    first_minute: Count | None
    first_audience: Annotated[Count | None, Meta(description="The earliest audience over 0.")]
    first_audience_at: Minute | None
    viewer_minutes: Count
    minutes_observed: Count
    minutes_carried: Annotated[
        Count, Meta(description="Minutes that were not observed and carry an earlier audience.")
    ]
    minutes_live: Annotated[int, Meta(ge=1)]
    coverage: Ratio
    average: Average | None
    joins: Count
    views: Count | None
    events: Count
    late: Count


class ScopeSummary(msgspec.Struct, gc=False):
    """Figures of a set of broadcasts: the world, a platform, a venue or a programme.

    `viewers` is the sum now, of broadcasts that are live and have told their viewers of late.
    `peak` is the peak of the sum, `peak_sum` the sum of the broadcasts' own peaks.
    """

    scope: ScopeKind
    name: Annotated[str, Meta(description="Empty for the world.")]
    minute: Minute
    viewers: Count | None
    peak: Count | None
    peak_at: Minute | None
    peak_sum: Count
    viewer_minutes: Count
    joins: Count
    views: Count
    broadcasts: Count
    live: Count


def encode(summary: BroadcastSummary | ScopeSummary) -> bytes:
    """A summary as JSON, its fields in their order.

    Raises:
        TypeError: a number has more than 64 bits.
    """
    return orjson.dumps(msgspec.structs.asdict(summary))


_broadcast_summary = msgspec.json.Decoder(BroadcastSummary)
_scope_summary = msgspec.json.Decoder(ScopeSummary)


def decode_broadcast_summary(value: bytes) -> BroadcastSummary:
    """The summary that a record of broadcast-summaries holds.

    Raises:
        msgspec.DecodeError: it is not JSON, or no such summary.
    """
    return _broadcast_summary.decode(value)


def decode_scope_summary(value: bytes) -> ScopeSummary:
    """The summary that a record of scope-summaries holds.

    Raises:
        msgspec.DecodeError: it is not JSON, or no such summary.
    """
    return _scope_summary.decode(value)
