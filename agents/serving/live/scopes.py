"""The scopes of the partitions that this worker owns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.serving.live.store import Partition, QueryableStore
from streams.audience.scope import Chunk, Head

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.exact import Rows

State = Head | Chunk

#: In the key of a chunk, in no scope's name.
_SLASH = b"/"


class LiveScopes(QueryableStore[State, Head]):
    """What readers may know of the scopes that have had an event.

    The number that is kept of each is the audience it has now: 0 if that is unknown or nothing of
    it is live, so that a programme long over stands behind those that go on. Its chunks of minutes
    are no readers' business.
    """

    def __init__(self) -> None:
        super().__init__(Head)

    def _partition(self, number: int, rows: Rows[State]) -> Partition[State]:
        return _Scopes(number, rows)


class _Scopes(Partition[State]):
    """The scopes of one partition."""

    __slots__ = ()

    def keys(self) -> Iterable[bytes]:
        """The keys of the heads."""
        return [key for key in self.rows.committed if _SLASH not in key]

    def update(self, changed: Mapping[bytes, State | None]) -> None:
        """Take over the audiences of changed scopes."""
        for key, row in changed.items():
            # The first records of a very long change tell of no newest minute yet.
            if isinstance(row, Head) and row.newest >= 0:
                self.index[key] = (row.audience or 0) if row.live > 0 else 0


def is_always_exported(key: bytes) -> int:
    """Whether a scope is exported however small it is: 2: the world, 1: a platform, 0: others."""
    if key == b"world":
        return 2
    return 1 if key.startswith(b"platform:") else 0
