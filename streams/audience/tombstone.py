"""What stays of a broadcast that is final."""

from __future__ import annotations

import msgspec


class Tombstone(msgspec.Struct, array_like=True, tag="t1", forbid_unknown_fields=True, gc=False):
    """What stays of a final broadcast for a while, so that nothing can begin it anew.

    Attributes:
        expires: From when on it may be forgotten, in wall-clock milliseconds since 1970 UTC.
    """

    expires: int
