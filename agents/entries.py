"""What a worker notes of each row that it owns, beside its bytes: one entry a key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams import audience
from streams.audience.scope_codec import decode_scope, encode_scope
from streams.exact import Rows, StateEntry

if TYPE_CHECKING:
    from agents.deadlines import Bucket
    from streams.audience import Row, Tombstone
    from streams.audience.scope import ScopeChunk, ScopeHead

#: How many decoded rows of scopes a partition keeps: a chunk takes ten times the memory of its
#: bytes.
_CACHED_SCOPES: Final = 500


class ShownEntry(StateEntry, gc=False):
    """The entry of a row that readers may see.

    Attributes:
        shown: The number by which the largest are found: viewers, or their complement, which is
            negative, of one that is over. None: it is not shown.
    """

    shown: int | None = None


class BroadcastEntry(ShownEntry, gc=False):
    """The entry of a broadcast.

    Attributes:
        heard_at: When a record of it was read last, by the monotonic clock in seconds; of an ended
            broadcast, one that was not idle. 0: not since it was restored.
        silence: Where its timer of the monotonic clock is: when it may be final.
        wall: Where its timer of the wall clock is: when it is stale, or goes.
    """

    heard_at: float = 0.0
    silence: Bucket | None = None
    wall: Bucket | None = None


class ScopeEntry(ShownEntry, gc=False):
    """The entry of a scope's head, or of a chunk of its minutes.

    Attributes:
        expiry: Where its timer of the wall clock is: when its minutes go, if no news comes.
    """

    expiry: Bucket | None = None


def broadcast_rows() -> Rows[Row | Tombstone]:
    """Make the rows of a partition of broadcasts."""
    return Rows(audience.decode, audience.encode, BroadcastEntry)


def scope_rows() -> Rows[ScopeHead | ScopeChunk]:
    """Make the rows of a partition of scopes."""
    return Rows(decode_scope, encode_scope, ScopeEntry, cache_size=_CACHED_SCOPES)
