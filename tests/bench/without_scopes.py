"""The worker, told nothing of scopes: what `scopes_share.py` measures the real one against.

    python without_scopes.py worker

It is the real command. Only the sums of a batch are left out, so nothing is sent to the scopes, and
the agent of theirs has nothing to do.
"""

from collections.abc import Iterator

import agents.pipeline.broadcasts.outcome
from agents.cli import main
from agents.pipeline.broadcasts.deltas import ScopeDeltas
from streams.audience import Difference


class _Nothing(Difference):
    """Takes no notice."""

    def take(self, *_: object) -> None:
        pass

    def retire(self, *_: object) -> None:
        pass


class _NoSums(ScopeDeltas):
    """Tells no scope anything."""

    _nothing = _Nothing()

    def of(self, *_: object) -> Difference:
        return self._nothing

    def send(self, *_: object) -> Iterator[None]:
        return iter(())


agents.pipeline.broadcasts.outcome.ScopeDeltas = _NoSums
main()
