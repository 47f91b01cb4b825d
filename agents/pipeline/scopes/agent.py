"""The agent `scopes`: adds up what batches of viewer events changed, and publishes it."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import structlog

from agents.deadlines import Deadlines
from agents.entries import ScopeEntry
from agents.pipeline.broadcasts.arrivals import read_arrivals
from agents.pipeline.listeners import StageListener
from agents.pipeline.scopes.retry import MALFORMED, RecordByRecordRetry
from agents.pipeline.scopes.rows import State, heads, scope_of
from streams.audience.scope import ScopeHead, ScopeUpdate, chunk_key, scope_summary
from streams.audience.scope_codec import decode_delta
from streams.errors import LiveAudienceError
from streams.settings.durations import minutes
from streams.summaries import encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable, Iterator
    from typing import Protocol

    from agents.serving.live import LiveScopes
    from agents.serving.metrics import StageMetrics
    from streams.clock import Clock
    from streams.exact import Batch, Rows
    from streams.settings import Settings
    from streams.topics import Topics

    class ScopeMeter(Protocol):
        """What is counted of the scopes."""

        def scope_closed(self, minutes: int) -> None:
            """Count changes that came for minutes already closed."""

        def scope_skipped(self, reason: str, changes: int) -> None:
            """Count changes that were skipped."""


log = structlog.get_logger(__name__)

#: A scope is published at most once in so many milliseconds.
PUBLISH_INTERVAL_MS: Final = 1_000

#: How many scopes one batch publishes at most, so that ten thousand do not stop the rest.
_MAX_PUBLISHED_PER_BATCH: Final = 500

#: How many scopes without news one batch looks at, at most.
_MAX_EXPIRED_PER_BATCH: Final = 200

#: How many changes a batch takes at most: each may rewrite two rows.
BATCH_RECORDS: Final = 5_000

#: So many changes that a batch skips are logged one by one, the rest counted.
_LOGGED: Final = 5


class ScopeProcessor:
    """Works off batches of changes.

    Nothing in here awaits, sends or reads a clock.

    Args:
        settings: The settings in force.
        topics: Where to send what.
    """

    def __init__(self, settings: Settings, topics: Topics) -> None:
        self._summaries = topics.scope_summaries.name
        self.history = minutes(settings.scope_history)
        # By partition: the scopes that are due, longest first, and when they were last published.
        self._due: dict[int, dict[bytes, int]] = {}
        # By partition: when the minutes of a scope go that has had no news, by the wall clock.
        self._expiries: dict[int, Deadlines[ScopeEntry]] = {}
        # Scopes that could not be published: not tried again before they change.
        self._failed: set[bytes] = set()

    # -- following the partitions ----------------------------------------------------------------

    def restored(self, partition: int, rows: Rows[State]) -> None:
        """Begin to follow a partition's scopes.

        Args:
            partition: Its number.
            rows: All of its rows.
        """
        due = self._due[partition] = {}
        expiries = self._expiries[partition] = Deadlines(rows.entries_as(ScopeEntry), "expiry")
        expiries.clear()
        for key, head in heads(rows, partition):
            if head.publish_pending:
                due[key] = head.published_at
            if head.chunks:
                expiries.schedule(key, self._expires(head))

    def committed(self, batch: Batch[State]) -> None:
        """Take note of a durable batch."""
        expiries = self._expiries.get(batch.partition)
        if expiries is None:
            return
        due = self._due[batch.partition]
        for key, row in batch.changed.items():
            if isinstance(row, ScopeHead):
                if not row.chunks:
                    expiries.cancel(key)
                elif key not in expiries:
                    expiries.schedule(key, self._expires(row))
                if row.publish_pending:
                    due[key] = row.published_at
                else:
                    due.pop(key, None)

    def lost(self, partition: int) -> None:
        """Stop following a partition."""
        self._expiries.pop(partition, None)
        self._due.pop(partition, None)

    def _expires(self, head: ScopeHead) -> float:
        """Return the wall time at which a scope's minutes go, if no news comes, in seconds."""
        return head.timestamp / 1000 + self.history * 60

    # -- batches ---------------------------------------------------------------------------------

    def process_batch(self, batch: Batch[State]) -> None:
        """Add up a batch's changes, then publish what is due."""
        for _ in self.steps(batch):
            pass

    def steps(self, batch: Batch[State]) -> Iterator[None]:
        """Do the same, step by step: others may have a turn after each."""
        batch.result = ScopeBatchCounters()
        for unreadable in batch.unreadable:
            self.skip(batch, unreadable.offset, unreadable.detail, changes=unreadable.records)
        try:
            yield from self.process(batch, batch.records)
            for key in self.ready(batch):
                self.publish(batch, key)
                yield
            if batch.caught_up:
                yield from self.expire(batch)
        except LiveAudienceError:
            raise  # a newer version's records: no defect of ours, and no going on
        except Exception:  # one record, or our own defect, must not stop the rest
            log.exception(
                "a batch of deltas could not be added up: it is processed again, scope by scope "
                "where it failed",
                source=f"{batch.topic}/{batch.partition}",
                records=len(batch.records),
            )
            yield from RecordByRecordRetry(self).steps(batch)

    def process(self, batch: Batch[State], records: Iterable[Any]) -> Iterator[None]:
        """Add up changes, step by step.

        Raises:
            NewerFormat: A newer version wrote a change or a row.
            msgspec.DecodeError: One cannot be read.
            ValueError: A key is no scope's name.
        """
        counters = batch.result
        scopes: dict[bytes, ScopeUpdate] = {}
        for record in records:
            key = record.key
            scope = scopes.get(key)
            if scope is None:
                scope = scopes[key] = scope_of(batch, key)
            counters.closed += scope.add(decode_delta(record.value), self.history)
            yield
        for key, scope in scopes.items():
            has_changed = scope.update_head()
            for number, chunk in scope.changed.items():
                if chunk is None:
                    batch.changed[chunk_key(key, number)] = None
            # The first records of a very long change tell of no newest minute yet.
            if has_changed and scope.head.minute >= 0:
                scope.head.publish_pending = True
                self._failed.discard(key)
            yield

    def expire(self, batch: Batch[State]) -> Iterator[None]:
        """Let the minutes go of scopes that have had no news for as long as the history."""
        expiries = self._expiries.get(batch.partition)
        if expiries is None:
            return
        for key in list(islice(expiries.due(batch.read_at), _MAX_EXPIRED_PER_BATCH)):
            head = batch.rows.read(key)
            if key in batch.changed or not isinstance(head, ScopeHead):
                expiries.cancel(key)  # what has news is scheduled when it is durable
            elif batch.read_at < self._expires(head):
                expiries.schedule(key, self._expires(head))
            else:
                scope = scope_of(batch, key)
                scope.expire()
                for number, chunk in scope.changed.items():
                    if chunk is None:
                        batch.changed[chunk_key(key, number)] = None
            yield
        expiries.drop_empty_buckets(batch.read_at)

    def ready(self, batch: Batch[State]) -> list[bytes]:
        """The scopes that are due, unless they were published less than the interval ago."""
        now = int(batch.read_at * 1000)
        waiting = self._due.get(batch.partition, {})
        ready = [
            key
            for key, published in waiting.items()
            if _interval_passed(published, now) and key not in self._failed
        ]
        ready += [
            key
            for key, row in batch.changed.items()
            if isinstance(row, ScopeHead)
            and row.publish_pending
            and key not in waiting
            and _interval_passed(row.published_at, now)
        ]
        batch.more = len(ready) > _MAX_PUBLISHED_PER_BATCH
        return ready[:_MAX_PUBLISHED_PER_BATCH]

    def publish(self, batch: Batch[State], key: bytes) -> None:
        """Publish a scope; one that fails is left as it was."""
        now = int(batch.read_at * 1000)
        head = batch.row(key)
        assert isinstance(head, ScopeHead)
        value = encode(scope_summary(key.decode(), head))
        batch.changed[key] = head
        head.publish_pending, head.published_at = False, now
        batch.send(self._summaries, key, value, timestamp=now)

    def suspend(self, key: bytes) -> None:
        """Publish a scope no sooner than when it has changed."""
        self._failed.add(key)

    @staticmethod
    def skip(
        batch: Batch[State], offset: int, detail: str, reason: str = MALFORMED, changes: int = 1
    ) -> None:
        """Skip a change: what it would have added is missing in its scope from here on.

        Args:
            batch: The batch it came with.
            offset: Where it lies.
            detail: Why, for people.
            reason: `malformed` or `error`.
            changes: How many lie there.
        """
        counters, skipped = batch.result, batch.result.skipped
        skipped[reason] = skipped.get(reason, 0) + changes
        counters.logged += 1
        if counters.logged <= _LOGGED:
            log.error(
                "a change of a scope was skipped: its sums lack it",
                source=f"{batch.topic}/{batch.partition}/{offset}",
                reason=reason,
                changes=changes,
                detail=detail,
            )
        elif counters.logged == _LOGGED + 1:
            log.error("more changes of this batch were skipped, which is not logged one by one")


class ScopeBatchCounters:
    """What a batch did, for the metrics; told only once it is durable.

    Attributes:
        closed: How many minutes were to be changed that were closed.
        skipped: How many changes were skipped, by reason.
        logged: How many times some were, for the log.
    """

    __slots__ = ("closed", "logged", "skipped")

    def __init__(self) -> None:
        self.closed = 0
        self.skipped: dict[str, int] = {}
        self.logged = 0


def _interval_passed(published: int, now: int) -> bool:
    """Whether a scope may be published again; also where a clock was ahead, and was set back."""
    return not -PUBLISH_INTERVAL_MS < now - published < PUBLISH_INTERVAL_MS


class ScopesListener(StageListener):
    """Follows the source of the scopes.

    Args:
        work: The agent's part, which knows what is due.
        live: What readers see.
        meter: What is counted of scopes.
        stage: What is counted of the stage.
        clock: When events become durable.
    """

    def __init__(
        self,
        work: ScopeProcessor,
        live: LiveScopes,
        meter: ScopeMeter,
        stage: StageMetrics,
        clock: Clock,
    ) -> None:
        super().__init__(stage, clock)
        self._work = work
        self._live = live
        self._closed = meter.scope_closed
        self._skipped = meter.scope_skipped

    def restoring(self, partition: int, done: int, total: int) -> None:
        """Tell how far a long restore is."""
        log.info("restoring scopes", partition=partition, done=done, total=total)

    def restored(self, partition: int, rows: Rows[Any], seconds: float) -> None:
        """Begin to follow a partition."""
        log.info("scopes restored", partition=partition, rows=len(rows), seconds=round(seconds, 3))
        self._work.restored(partition, rows)
        self._live.restored(partition, rows)
        super().restored(partition, rows, seconds)

    def committed(self, batch: Batch[Any], work_seconds: float, commit_seconds: float) -> None:
        """Take over what a batch has made durable."""
        if batch.is_empty:
            return
        self._work.committed(batch)
        self._live.committed(batch.partition, batch.changed, batch.removed)
        if batch.result.closed:
            self._closed(batch.result.closed)
        for reason, changes in batch.result.skipped.items():
            self._skipped(reason, changes)
        self.count(batch, read_arrivals(batch.records), work_seconds, commit_seconds)

    def lost(self, partition: int) -> None:
        """Let go of a partition."""
        self._work.lost(partition)
        self._live.lost(partition)
        super().lost(partition)


async def scopes(batches: AsyncIterable[Batch[State]], work: ScopeProcessor) -> None:
    """Work off batches as they come: the body of the Faust agent."""
    async for batch in batches:
        with batch:
            batch.require()
            for _ in work.steps(batch):
                await batch.breathe()
