"""What becomes of a batch of viewer events: what is refused, what scopes are told, what is counted.

The rows themselves are in the batch's `changed`.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from agents.pipeline.broadcasts.deltas import Sums
from agents.pipeline.broadcasts.rejected import refuse
from streams.rejections import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streams.exact import Batch
    from streams.rejections import Refused

#: So many refused records are sent between two breaths.
_REFUSED_A_STEP: Final = 64


class Notes:
    """What a batch did, for the metrics and timers; told only once it is durable.

    Attributes:
        accepted: Records accepted, by platform.
        late: Late ones, by platform.
        rejected: Otherwise refused ones, by platform (empty where none that is valid is named).
        reasons: Refused ones, late ones too, by reason.
        relabelled: Records that name another venue or programme than their broadcast has.
        finalised: Broadcasts that became final.
        cut: New ones whose beginning the topic may no longer hold.
        read: Keys of live broadcasts of which a record was read.
        ahead: By how many seconds a record's `at` was ahead of its Kafka timestamp, at most.
    """

    __slots__ = (
        "accepted",
        "ahead",
        "cut",
        "finalised",
        "late",
        "read",
        "reasons",
        "rejected",
        "relabelled",
    )

    def __init__(self) -> None:
        self.accepted: dict[str, int] = {}
        self.late: dict[str, int] = {}
        self.rejected: dict[str, int] = {}
        self.reasons: dict[str, int] = {}
        self.relabelled = 0
        self.finalised = 0
        self.cut = 0
        self.read: Iterable[bytes] = ()
        self.ahead = 0.0

    def add(self, other: Notes) -> None:
        """Add those of another part of the batch."""
        for mine, theirs in (
            (self.accepted, other.accepted),
            (self.late, other.late),
            (self.rejected, other.rejected),
            (self.reasons, other.reasons),
        ):
            for name, count in theirs.items():
                mine[name] = mine.get(name, 0) + count
        self.relabelled += other.relabelled
        self.finalised += other.finalised
        self.cut += other.cut


class Outcome:
    """What becomes of a batch, or of a part of it.

    Args:
        batch: The batch.

    Attributes:
        batch: The same.
        notes: What it did.
        sums: What it changes in the scopes.
        misplaced: New keys that do not belong in the batch's partition.
        ahead: As in `notes`, in microseconds, until it is sent.
    """

    __slots__ = ("_refused", "ahead", "batch", "misplaced", "notes", "sums")

    def __init__(self, batch: Batch[Any]) -> None:
        self.batch = batch
        self.notes = Notes()
        self.sums = Sums()
        self.misplaced: set[bytes] = set()
        self.ahead = 0
        # No `Refused` itself: its traceback has a frame that has this, a circle that would keep the
        # batch in memory until the garbage collector comes by.
        self._refused: list[tuple[int, Any, Reason, str]] = []

    def refuse(self, record: Any, platform: str, refused: Refused, records: int = 1) -> None:
        """Refuse a record.

        Args:
            record: It.
            platform: The one that it names; empty if none that is valid is known.
            refused: Why.
            records: How many records it stands for.
        """
        notes, reason = self.notes, refused.reason
        self._refused.append((record.offset, record, reason, refused.detail))
        notes.reasons[reason] = notes.reasons.get(reason, 0) + records
        counts = notes.late if reason is Reason.LATE else notes.rejected
        counts[platform] = counts.get(platform, 0) + records

    def part(self) -> Outcome:
        """Begin what becomes of a part of the batch."""
        part = Outcome(self.batch)
        part.misplaced = self.misplaced
        return part

    def add(self, part: Outcome) -> None:
        """Add what became of a part of the batch; it is used up."""
        self.notes.add(part.notes)
        self.sums.add(part.sums)
        self.ahead = max(self.ahead, part.ahead)
        self._refused += part._refused

    def send(self, rejected: str, scope_sums: str, refused_before: int = 0) -> Iterator[None]:
        """Send with the batch what is refused, in its order, and what scopes are told: in steps.

        Args:
            rejected: The topic of refused records.
            scope_sums: The topic of what batches change in scopes.
            refused_before: Records before this offset were sent there already, by another group.
        """
        self.notes.ahead = self.ahead / 1e6
        self._refused.sort(key=itemgetter(0))
        for count, (offset, record, reason, detail) in enumerate(self._refused):
            if not count % _REFUSED_A_STEP:
                yield
            if offset >= refused_before:
                refuse(self.batch, rejected, record, reason, detail)
        yield from self.sums.send(self.batch, scope_sums)
