"""The scopes of the partitions that this worker owns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.serving.live.store import Partition, QueryableStore
from streams.audience.scope import ScopeChunk, ScopeHead

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.exact import Rows

State = ScopeHead | ScopeChunk

#: In the key of a chunk, in no scope's name.
_SLASH = b"/"

WORLD = b"world"


class LiveScopes(QueryableStore[State, ScopeHead]):
    """What readers may know of the scopes that have had an event.

    The number that is kept of each is its viewers now, 0 if they are unknown; or the complement of
    0, which is negative, where nothing of it is live or fresh. Its chunks of minutes are no
    readers' business.
    """

    def __init__(self) -> None:
        super().__init__(ScopeHead)

    def _partition(self, number: int, rows: Rows[State]) -> Partition[State]:
        return _Scopes(number, rows)


class _Scopes(Partition[State]):
    """The scopes of one partition."""

    __slots__ = ()

    def keys(self) -> Iterable[bytes]:
        """The keys of the heads."""
        return [key for key in self.entries if _SLASH not in key]

    def update(self, changed: Mapping[bytes, State | None]) -> None:
        """Take over the audiences of changed scopes."""
        for key, row in changed.items():
            # The first records of a very long delta tell of no minute yet.
            if isinstance(row, ScopeHead) and row.minute >= 0:
                entry = self.entries.get(key)
                if entry is not None:
                    self.count += entry.shown is None
                    entry.shown = (row.viewers or 0) if row.is_active or key == WORLD else ~0


def is_always_exported(key: bytes) -> int:
    """Whether a scope is exported however small it is: 2: the world, 1: a platform, 0: others."""
    if key == WORLD:
        return 2
    return 1 if key.startswith(b"platform:") else 0
