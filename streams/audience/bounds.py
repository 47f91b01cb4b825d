"""How large sums may become, and what a scope's change may say: what 64 bits hold, with room.

No honest broadcast comes near: at 10^10 viewers it would have to go on for 877 years. But producers
name any number of broadcasts, each with up to 10^12 views, and five million such would end whoever
adds them up, for rows are kept as MessagePack.
"""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from streams import rfc3339
from streams.audience.minute import MINUTE

LARGEST_SUM: Final = 2**62
"""Where a sum is held: a figure that is this says "so much or more", and stays. What one batch adds
to it still fits into 64 bits."""

LAST_MINUTE: Final = rfc3339.END // MINUTE - 1
"""The last minute of the year 9999."""

_LONGEST_CARRY: Final = 1_000

# Bounds of what a change may say. The decoder looks at them, so that none can harm a scope's rows.
MinuteNumber = Annotated[int, Meta(ge=0, le=LAST_MINUTE + _LONGEST_CARRY)]
NewestMinute = Annotated[int, Meta(ge=-1, le=LAST_MINUTE)]
Amount = Annotated[int, Meta(ge=-LARGEST_SUM, le=LARGEST_SUM)]
Count = Annotated[int, Meta(ge=-(2**31), le=2**31)]
Timestamp = Annotated[int, Meta(ge=-1)]


def held(had: int, by: int) -> int:
    """A sum and what is added to it, held at the bounds; once there it stays there."""
    if had >= LARGEST_SUM:
        return LARGEST_SUM
    return max(-LARGEST_SUM, min(LARGEST_SUM, had + by))
