"""What becomes of a batch of viewer events: what is refused, what scopes are told, what is counted.

The rows themselves are in the batch's `changed`.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from agents.pipeline.broadcasts.arrivals import Arrivals, group_arrivals
from agents.pipeline.broadcasts.deltas import ScopeDeltas
from agents.pipeline.broadcasts.rejected import reject
from streams.rejections import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.exact import Batch
    from streams.rejections import Rejected

#: So many refused records are sent between two breaths.
_REJECTED_PER_STEP: Final = 64


class BatchCounters:
    """What a batch did, for the metrics and timers; told only once it is durable.

    Attributes:
        accepted: Records accepted, by platform.
        arrivals: When its records arrived.
        late: Late ones, by platform.
        rejected: Otherwise refused ones, by platform (empty where none that is valid is named).
        reasons: Refused ones, late ones too, by reason.
        mended: Records of which something for people was mended, by what: `title`, `surrogate`.
        relabelled: Records that name another venue or programme than their broadcast has.
        finalised: Broadcasts that became final.
        cut: New ones whose beginning the topic may no longer hold.
        heard: Keys whose silence begins anew: a record was accepted; where the broadcast is ended,
            one that was not idle.
        clock_skew: By how many seconds a record's `at` was ahead of its Kafka timestamp, at most.
    """

    __slots__ = (
        "accepted",
        "arrivals",
        "clock_skew",
        "cut",
        "finalised",
        "heard",
        "late",
        "mended",
        "reasons",
        "rejected",
        "relabelled",
    )

    def __init__(self) -> None:
        self.accepted: dict[str, int] = {}
        self.arrivals: Arrivals = []
        self.late: dict[str, int] = {}
        self.rejected: dict[str, int] = {}
        self.reasons: dict[str, int] = {}
        self.mended: dict[str, int] = {}
        self.relabelled = 0
        self.finalised = 0
        self.cut = 0
        self.heard: set[bytes] = set()
        self.clock_skew = 0.0

    def add(self, other: BatchCounters) -> None:
        """Add those of another part of the batch."""
        for mine, theirs in (
            (self.accepted, other.accepted),
            (self.late, other.late),
            (self.rejected, other.rejected),
            (self.reasons, other.reasons),
            (self.mended, other.mended),
        ):
            for name, count in theirs.items():
                mine[name] = mine.get(name, 0) + count
        self.relabelled += other.relabelled
        self.heard |= other.heard
        self.finalised += other.finalised
        self.cut += other.cut


class BatchResult:
    """What becomes of a batch, or of a part of it.

    Args:
        batch: The batch.
        is_retry: Whether it is worked off again after a defect: then nothing compiled is used.

    Attributes:
        batch: The same.
        is_retry: The same.
        counters: What it did.
        deltas: What it changes in the scopes.
        misrouted: New keys that do not belong in the batch's partition.
        clock_skew: As in `counters`, in microseconds, until it is sent.
    """

    __slots__ = ("_refused", "batch", "clock_skew", "counters", "deltas", "is_retry", "misrouted")

    def __init__(self, batch: Batch[Any], *, is_retry: bool = False) -> None:
        self.batch = batch
        self.is_retry = is_retry
        self.counters = BatchCounters()
        self.deltas = ScopeDeltas()
        self.misrouted: set[bytes] = set()
        self.clock_skew = 0
        # No `Rejected` itself: its traceback has a frame that has this, a circle that would keep
        # the batch in memory until the garbage collector comes by.
        self._refused: list[tuple[int, Any, Reason, str]] = []

    def reject(self, record: Any, platform: str, refused: Rejected, records: int = 1) -> None:
        """Refuse a record.

        Args:
            record: It.
            platform: The one that it names; empty if none that is valid is known.
            refused: Why.
            records: How many records it stands for.
        """
        counters, reason = self.counters, refused.reason
        self._refused.append((record.offset, record, reason, refused.detail))
        counters.reasons[reason] = counters.reasons.get(reason, 0) + records
        counts = counters.late if reason is Reason.LATE else counters.rejected
        counts[platform] = counts.get(platform, 0) + records

    def part(self) -> BatchResult:
        """Begin what becomes of a part of the batch."""
        part = BatchResult(self.batch, is_retry=self.is_retry)
        part.misrouted = self.misrouted
        return part

    def add(self, part: BatchResult) -> None:
        """Add what became of a part of the batch; it is used up."""
        self.counters.add(part.counters)
        self.deltas.add(part.deltas)
        self.clock_skew = max(self.clock_skew, part.clock_skew)
        self._refused += part._refused

    def send(self, rejected: str, scope_deltas: str, refused_before: int = 0) -> Iterator[None]:
        """Send with the batch what is refused, in its order, and what scopes are told: in steps.

        Args:
            rejected: The topic of refused records.
            scope_deltas: The topic of what batches change in scopes.
            refused_before: Records before this offset were sent there already, by another group.
        """
        self.counters.clock_skew = self.clock_skew / 1e6
        self._refused.sort(key=itemgetter(0))
        for count, (offset, record, reason, detail) in enumerate(self._refused):
            if not count % _REJECTED_PER_STEP:
                yield
            if offset >= refused_before:
                reject(self.batch, rejected, record, reason, detail)
        self.counters.arrivals = group_arrivals(self.batch.records, self.batch.read_at)
        yield from self.deltas.send(self.batch, scope_deltas, self.counters.arrivals)
