"""The worker, told nothing of scopes: what `scopes_share.py` measures the real one against.

    python without_scopes.py worker

It is the real command. Only the deltas of a batch are left out: nothing is sent to the scopes, and
the agent of theirs has nothing to do.
"""

from collections.abc import Iterator

import agents.pipeline.broadcasts.outcome
from agents.cli import main
from agents.pipeline.broadcasts.deltas import ScopeDeltas
from streams.audience import Row


class _NoDeltas(ScopeDeltas):
    """Tells no scope anything; rows become what they become."""

    __slots__ = ()

    def add_row(self, *_: object) -> None:
        pass

    def go_stale(self, key: bytes, row: Row) -> None:
        row.fresh = False

    def finalise(self, key: bytes, row: Row) -> None:
        row.final = True

    def close(self, key: bytes, row: Row) -> None:
        row.final, row.fresh = True, False

    def send(self, *_: object) -> Iterator[None]:
        return iter(())


agents.pipeline.broadcasts.outcome.ScopeDeltas = _NoDeltas
main()
