"""Stage one of the scopes: what a batch of viewer events changes in each of them.

No state is kept of a scope here. One `ScopeDeltas` follows one batch, and takes the difference of
each row once, when all of the batch's events are in the row and it is not folded yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from streams.audience import Difference
from streams.audience.scope import Change
from streams.audience.scope_codec import encode_change

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from streams.audience import Row
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
        self._groups: dict[Group, Difference] = {}

    def of(self, platform: str, row: Row) -> Difference:
        """What changes in all of the scopes that a row belongs to."""
        group = (platform, row.venue, row.programme)
        total = self._groups.get(group)
        if total is None:
            total = self._groups[group] = Difference()
        return total

    def add(self, other: ScopeDeltas) -> None:
        """Add what another part of the batch changes; it is used up."""
        for group, difference in other._groups.items():
            total = self._groups.setdefault(group, difference)
            if total is not difference:
                total.add(difference)

    def changes(self) -> dict[bytes, Change]:
        """What changes in each scope, by its name; only where something does. To be asked once.

        The names are `world`, `platform:fliggy`, `venue:louvre`, `programme:night`.
        """
        steps = self._steps()
        while True:
            try:
                next(steps)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]  # what `_steps` returns

    def _steps(self) -> Generator[None, None, dict[bytes, Change]]:
        platforms: dict[str, Difference] = {}
        others: dict[str, Difference] = {}
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
        world = Difference()
        for total in platforms.values():
            world.add(total)
        by_name: dict[bytes, Change] = {}
        for count, (name, total) in enumerate({"world": world, **platforms, **others}.items()):
            if not count % _SCOPES_PER_STEP:
                yield
            if (change := Change.of(total)) is not None:
                by_name[name.encode()] = change
        return by_name

    def send(self, batch: Batch[Any], topic: str) -> Iterator[None]:
        """Send them with the batch, placed by scope, step by step."""
        changes = yield from self._steps()
        for count, (name, change) in enumerate(changes.items()):
            if not count % _SCOPES_PER_STEP:
                yield
            for part in _parts(change):
                batch.send(topic, name, encode_change(part))


def _add(scopes: dict[str, Difference], name: str, total: Difference) -> None:
    change = scopes.get(name)
    if change is None:
        change = scopes[name] = Difference()
    change.add(total)


def _parts(change: Change) -> list[Change]:
    """A change as records that are not too large; only the last one moves the newest minute on.

    What is closed is judged by the newest minute before a record, so they come to the same.
    """
    if len(change.minutes) + len(change.known) <= MAX_MINUTES_PER_RECORD:
        return [change]
    minutes = sorted(change.minutes.keys() | change.known.keys())
    pieces = [
        Change(
            {minute: by for minute in piece if (by := change.minutes.get(minute))},
            {minute: by for minute in piece if (by := change.known.get(minute))},
        )
        for piece in (
            minutes[start : start + MAX_MINUTES_PER_RECORD]
            for start in range(0, len(minutes), MAX_MINUTES_PER_RECORD)
        )
    ]
    change.minutes, change.known = {}, {}
    return [*pieces, change]
