"""What is sealed from the minute of an end that stands on."""

from __future__ import annotations

import msgspec

from streams.audience.minute import Cell  # noqa: TC001  # msgspec reads the annotations
from streams.audience.totals import Totals  # noqa: TC001  # likewise


class PastEnd(msgspec.Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    """What is sealed from the minute of an end that stands on, in case it stands no more.

    Attributes:
        minute: The end's.
        cell: What was said of that minute; None if nothing.
        after: The minutes after it.
        held: What scopes were not told of these minutes, for the broadcast is not there any more:
            by how much the audience is more, and in how many broadcasts it is known. Of minutes
            with audience 0 only one that may be the earliest known is here: nothing depends on
            others. So it is no longer than the tolerance and the carry.
    """

    minute: int
    cell: Cell | None
    after: Totals
    held: dict[int, tuple[int, int]] = {}
