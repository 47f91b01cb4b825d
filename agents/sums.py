"""Stage one of the scopes: what a batch of viewer events changes in each of them.

No state is kept of a scope here. One `Sums` follows one batch: it notes how each row stood when the
batch first touched it, and takes the difference once, when all of the batch's events are in the row
and it is not settled yet. So what a record did that failed in our own code, and was taken back, has
left nothing here either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from streams.audience import difference, merge, retire, standing
from streams.audience.scope import Change
from streams.audience.scope_codec import encode_change

if TYPE_CHECKING:
    from streams.audience import Difference, Row, Standing
    from streams.exact import Batch

#: A record tells of so many minutes at most, or a batch that goes through months would make one
#: that is too large for the topic. Several then follow one another.
MOST_MINUTES: Final = 5_000

_NEW: Final = standing(None)

Group = tuple[bytes, str | None, str | None]


class Sums:
    """What one batch changes in the scopes of its broadcasts."""

    __slots__ = ("_before", "_groups")

    def __init__(self) -> None:
        self._before: dict[bytes, Standing] = {}
        self._groups: dict[Group, Change] = {}

    def touch(self, key: bytes, row: Row) -> None:
        """Note how a row stands, before the batch changes it for the first time.

        Args:
            key: Its key.
            row: The row, settled. For a broadcast that is new nothing is to be noted.
        """
        self._before[key] = standing(row)

    def difference(self, key: bytes, row: Row) -> Difference:
        """What the batch has changed in a row; to be asked before it is settled."""
        return difference(self._before.get(key, _NEW), row)

    def add(self, key: bytes, row: Row, change: Difference) -> None:
        """Take a row's difference into its scopes; it is used up."""
        group = (key[: key.index(b":")], row.venue, row.programme)
        total = self._groups.get(group)
        if total is not None:
            _merge(total, change, row.timestamp)
            return
        self._groups[group] = Change(
            change.minutes,
            change.known,
            change.viewer_minutes,
            change.joins,
            change.views,
            change.peak_sum,
            change.broadcasts,
            change.live,
            change.newest,
            row.timestamp,
        )

    def retire(self, key: bytes, row: Row) -> None:
        """Take note that a broadcast becomes final: all that it has added stays, it lives no more.

        Args:
            key: Its key.
            row: The row as it stands, settled.
        """
        self.add(key, row, retire(row))

    def changes(self) -> dict[bytes, Change]:
        """What changes in each scope, by its name; only where something does. To be asked once.

        The names are `world`, `platform:fliggy`, `venue:louvre`, `programme:night`.
        """
        scopes: dict[bytes, Change] = {}
        venues: dict[bytes, Change] = {}
        for (platform, venue, programme), total in self._groups.items():
            _add(scopes, b"platform:" + platform, total)
            if programme is not None:
                _add(venues, b"programme:" + programme.encode(), total)
            # The venue comes last: the first of its groups becomes what is added to.
            name = b"venue:" + (venue or "unknown").encode()
            change = venues.setdefault(name, total)
            if change is not total:
                _merge(change, total, total.timestamp)
        world = Change({}, {})
        for change in scopes.values():
            _merge(world, change, change.timestamp)
        told = {b"world": world, **scopes, **venues}
        return {name: change for name, change in told.items() if _tidied(change)}

    def send(self, batch: Batch[Any], topic: str) -> None:
        """Send them with the batch, placed by scope."""
        for name, change in self.changes().items():
            for part in _parts(change):
                batch.send(topic, name, encode_change(part))


def _add(scopes: dict[bytes, Change], name: bytes, total: Change) -> None:
    change = scopes.get(name)
    if change is None:
        scopes[name] = change = Change({}, {})
    _merge(change, total, total.timestamp)


def _merge(total: Change, change: Difference | Change, timestamp: int) -> None:
    """Add a change to that of a scope, and how new its records are."""
    merge(total, change)
    total.timestamp = max(total.timestamp, timestamp)


def _tidied(change: Change) -> bool:
    """Leave out of a change what cancels out; say whether anything is left."""
    if 0 in change.minutes.values():
        change.minutes = {minute: by for minute, by in change.minutes.items() if by}
    if 0 in change.known.values():
        change.known = {minute: by for minute, by in change.known.items() if by}
    return bool(
        change.minutes
        or change.known
        or change.newest >= 0
        or change.viewer_minutes
        or change.joins
        or change.views
        or change.peak_sum
        or change.broadcasts
        or change.live
    )


def _parts(change: Change) -> list[Change]:
    """A change as records that are not too large; only the last one moves the newest minute on.

    What is closed is judged by the newest minute before a record, so they come to the same.
    """
    if len(change.minutes) + len(change.known) <= MOST_MINUTES:
        return [change]
    minutes = sorted(change.minutes.keys() | change.known.keys())
    pieces = [
        Change(
            {minute: by for minute in piece if (by := change.minutes.get(minute))},
            {minute: by for minute in piece if (by := change.known.get(minute))},
        )
        for piece in (
            minutes[start : start + MOST_MINUTES] for start in range(0, len(minutes), MOST_MINUTES)
        )
    ]
    change.minutes, change.known = {}, {}
    return [*pieces, change]
