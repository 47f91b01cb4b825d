"""What is published of broadcasts and scopes (contract, sections 3 and 4).

The structs hold what stands in the JSON: times and minutes as text, whole numbers without a
fraction. Their fields come in the order in which they are written.
"""

from typing import Annotated, Literal

import msgspec
import orjson
from msgspec import Meta

from streams import rfc3339

Status = Literal["live", "ended", "final"]
ScopeKind = Literal["world", "platform", "venue", "programme"]

Count = Annotated[int, Meta(ge=0)]
Time = Annotated[
    str,
    Meta(
        description="RFC 3339 with Z; a fraction only where there is one.",
        extra_json_schema={"format": "date-time", "pattern": "Z$"},
    ),
]
Minute = Annotated[
    str,
    Meta(
        description="The start of a minute: RFC 3339 with Z.",
        extra_json_schema={"format": "date-time", "pattern": ":00Z$"},
    ),
]
Ratio = Annotated[
    int | float, Meta(description="From 0 to 1.", extra_json_schema={"minimum": 0, "maximum": 1})
]
Average = Annotated[int | float, Meta(extra_json_schema={"minimum": 0})]


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


class BroadcastMinute(msgspec.Struct, gc=False):
    """What was told of one minute of a run of a broadcast, when it was sealed.

    Whether it lies in the span, and what is carried after it, follows from the summary: a start or
    an end may still move over it.
    """

    platform: str
    broadcast: str
    run: Annotated[Minute | None, Meta(description="Null for the first run of its key.")]
    minute: Minute
    audience: Annotated[Count | None, Meta(description="Null where nobody told viewers.")]
    high: Annotated[Count | None, Meta(description="The greatest viewers in it.")]
    joins: Count | None
    views: Count | None


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


def time_text(at: int) -> str:
    """A time for a summary.

    Args:
        at: microseconds since 1970 UTC.

    Returns:
        `2020-03-01T20:15:34Z`; a fraction only where there is one, without trailing zeros.
    """
    return rfc3339.text(at)


def minute_text(minute: int) -> str:
    """A minute for a summary: its start.

    Args:
        minute: minutes since 1970 UTC.
    """
    return rfc3339.text(minute * rfc3339.MINUTE)


def number(value: float) -> int | float:
    """A number as it is to be written: 380000.0 as 380000, 0.5 as it is."""
    return int(value) if value == int(value) else value


def encode(summary: BroadcastSummary | BroadcastMinute | ScopeSummary) -> bytes:
    """A summary, or a minute, as JSON, its fields in their order.

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
