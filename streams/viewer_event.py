"""The viewer event: its fields, their bounds, and what they mean (contract, section 2)."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from streams import rfc3339

MAX_VIEWERS: Final = 10**10
MAX_JOINS: Final = 10**10
MAX_VIEWS: Final = 10**12
MAX_REVISION: Final = 10**6
MAX_BROADCAST: Final = 128
MAX_TITLE: Final = 200
MAX_PLATFORM: Final = 32
MAX_SLUG: Final = 64

Kind = Literal["sample", "started", "ended"]


def _slug_schema(longest: int) -> dict[str, str]:
    return {"pattern": f"^[a-z0-9][a-z0-9-]{{0,{longest - 1}}}$"}


# The patterns below are for the JSON Schema only: the decoder does not look at them.
Platform = Annotated[
    str,
    Meta(
        description="Where it is shown: fliggy, kuaishou, twitch.",
        extra_json_schema=_slug_schema(MAX_PLATFORM),
    ),
]
Broadcast = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_BROADCAST,
        description="The platform's id of this one broadcast; no control characters.",
        extra_json_schema={"pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*$"},
    ),
]
At = Annotated[
    str,
    Meta(
        description="When the platform observed it (event time): RFC 3339, section 5.6. Fractions "
        "are cut at microseconds; no leap second; years 1970 to 9999 in UTC.",
        extra_json_schema={"format": "date-time", "pattern": rfc3339.PATTERN},
    ),
]
Venue = Annotated[
    str,
    Meta(
        description="Where it takes place: louvre, versailles; absent is unknown.",
        extra_json_schema=_slug_schema(MAX_SLUG),
    ),
]
Programme = Annotated[
    str,
    Meta(
        description="Groups one show over several platforms (a simulcast).",
        extra_json_schema=_slug_schema(MAX_SLUG),
    ),
]
Title = Annotated[
    str, Meta(max_length=MAX_TITLE, description="For people; cut to 200 code points.")
]
Viewers = Annotated[
    int,
    Meta(
        ge=-1,
        le=MAX_VIEWERS,
        description="Concurrent viewers at `at`. Null, absent or -1 means unknown, never 0.",
    ),
]
Joins = Annotated[
    int,
    Meta(
        ge=0,
        le=MAX_JOINS,
        description="Viewers who have joined since this minute began: a later event of the minute "
        "restates it.",
    ),
]
Views = Annotated[
    int,
    Meta(
        ge=0,
        le=MAX_VIEWS,
        description="Views since the broadcast began, as the platform counts them.",
    ),
]
Revision = Annotated[
    int,
    Meta(
        ge=0,
        le=MAX_REVISION,
        description="A correction restates a minute with a higher revision.",
    ),
]


class ViewerEvent(msgspec.Struct, gc=False):
    """One observation of one broadcast: a JSON object, at least one a minute while it is live."""

    platform: Platform
    broadcast: Broadcast
    at: At
    kind: Annotated[
        Kind, Meta(description="What it tells of; `started` and `ended` may carry viewers too.")
    ] = "sample"
    viewers: Viewers | None = None
    joins: Joins | None = None
    views: Views | None = None
    venue: Venue | None = None
    programme: Programme | None = None
    title: Title | None = None
    revision: Revision = 0
