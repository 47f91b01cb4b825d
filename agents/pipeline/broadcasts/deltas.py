"""Stage one of the scopes: what a batch of viewer events changes in each of them.

No state is kept of a scope here. One `ScopeDeltas` follows one batch, and takes the delta of
each row once, when all of the batch's events are in the row and it is not folded yet.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from agents.pipeline.broadcasts.arrivals import HEADER, encode_arrivals
from streams.audience import Delta, add_to_groups
from streams.audience.scope_codec import encode_delta
from streams.audience.scope_delta import ScopeDelta

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from agents.pipeline.broadcasts.arrivals import Arrivals
    from streams.audience import AcceptResult, Row, RowSnapshot
    from streams.exact import Batch

#: A record tells of so many minutes at most, or a batch that goes through months would make one
#: that is too large for the topic. Several then follow one another.
MAX_MINUTES_PER_RECORD: Final = 5_000

#: So many scopes are gone through between two breaths.
_SCOPES_PER_STEP: Final = 256

Group = tuple[str, str | None, str | None]


class ScopeDeltas:
    """What one batch changes in the scopes of its broadcasts."""

    __slots__ = ("_groups",)

    def __init__(self) -> None:
        self._groups: dict[Group, Delta] = {}

    def of(self, platform: str, venue: str | None, programme: str | None) -> Delta:
        """What changes in all of the scopes of a platform, a venue and a programme."""
        group = (platform, venue, programme)
        total = self._groups.get(group)
        if total is None:
            total = self._groups[group] = Delta()
        return total

    def add_row(self, platform: str, before: RowSnapshot, row: Row, result: AcceptResult) -> None:
        """Add what a batch has changed in a row; before it is folded."""
        if result.former:
            add_to_groups(partial(self.of, platform), before, row, result)
        else:
            self.of(platform, row.venue, row.programme).add_row(before, row, result)

    def go_stale(self, key: bytes, row: Row) -> None:
        """Let a row be fresh no more."""
        self._of_row(key, row).go_stale(row)

    def finalise(self, key: bytes, row: Row) -> None:
        """Let a row become final."""
        self._of_row(key, row).finalise(row)

    def close(self, key: bytes, row: Row) -> None:
        """Let a row go, or make way for the next run."""
        self._of_row(key, row).close(row)

    def _of_row(self, key: bytes, row: Row) -> Delta:
        return self.of(key.decode().partition(":")[0], row.venue, row.programme)

    def add(self, other: ScopeDeltas) -> None:
        """Add what another part of the batch changes; it is used up."""
        for group, delta in other._groups.items():
            total = self._groups.setdefault(group, delta)
            if total is not delta:
                total.add(delta)

    def _steps(self) -> Generator[None, None, dict[bytes, ScopeDelta]]:
        """What changes in each scope, by its name; only where something does. To be asked once.

        The names are `world`, `platform:fliggy`, `venue:louvre`, `programme:night`.
        """
        platforms: dict[str, Delta] = {}
        others: dict[str, Delta] = {}
        for count, ((platform, venue, programme), total) in enumerate(self._groups.items()):
            if not count % _SCOPES_PER_STEP:
                yield
            _add(platforms, f"platform:{platform}", total)
            if programme is not None:
                _add(others, f"programme:{programme}", total)
            # The venue comes last: the first of its groups becomes what is added to.
            mine = others.setdefault(f"venue:{venue or 'unknown'}", total)
            if mine is not total:
                mine.add(total)
        world = Delta()
        for total in platforms.values():
            world.add(total)
        by_name: dict[bytes, ScopeDelta] = {}
        for count, (name, total) in enumerate({"world": world, **platforms, **others}.items()):
            if not count % _SCOPES_PER_STEP:
                yield
            if (change := ScopeDelta.from_delta(total)) is not None:
                by_name[name.encode()] = change
        return by_name

    def send(
        self, batch: Batch[Any], topic: str, arrivals: Arrivals | None = None
    ) -> Iterator[None]:
        """Send them with the batch, placed by scope, step by step.

        Args:
            batch: The batch.
            topic: Where to.
            arrivals: When its events arrived: goes with what changes in the world.
        """
        changes = yield from self._steps()
        for count, (name, change) in enumerate(changes.items()):
            if not count % _SCOPES_PER_STEP:
                yield
            headers = [(HEADER, encode_arrivals(arrivals))] if arrivals and name == b"world" else ()
            for part in change.split(MAX_MINUTES_PER_RECORD):
                batch.send(topic, name, encode_delta(part), headers)
                headers = ()


def _add(scopes: dict[str, Delta], name: str, total: Delta) -> None:
    change = scopes.get(name)
    if change is None:
        change = scopes[name] = Delta()
    change.add(total)
