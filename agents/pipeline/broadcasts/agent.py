"""The agent `broadcasts`: viewer events to rows, summaries and refused records, batch by batch."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import structlog

from agents.entries import BroadcastEntry
from agents.pipeline.broadcasts.applying import EventApplier
from agents.pipeline.broadcasts.lifecycle import Timers
from agents.pipeline.broadcasts.minutes import SealedMinutes
from agents.pipeline.broadcasts.newcomers import newcomers
from agents.pipeline.broadcasts.outcome import BatchResult
from agents.pipeline.broadcasts.publishing import SummaryPublisher
from agents.pipeline.broadcasts.retry import RecordByRecordRetry
from agents.pipeline.broadcasts.validation import EventValidator
from agents.pipeline.broadcasts.waits import SettingsWaits
from streams.audience import (
    Row,
    Tombstone,
)
from streams.errors import LiveAudienceError
from streams.rejections import Reason, Rejected
from streams.routing import MAX_KEY_BYTES, check_length

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterator, Mapping

    from streams.audience import Rules
    from streams.audience.accept import TimedEvent
    from streams.exact import Batch, Rows
    from streams.settings import Settings
    from streams.topics import Topics

log = structlog.get_logger(__name__)

#: So many records of one broadcast, and so many broadcasts, are taken between two breaths at most.
_RECORDS_PER_STEP: Final = 16
_KEYS_PER_STEP: Final = 8

#: Of one broadcast's records that can be read at once, so many are.
_UNIFORM_PER_STEP: Final = 2_000

#: So many events of one broadcast are applied between two: each may begin a run, or ask for all
#: figures of one that has ended.
_EVENTS_PER_STEP: Final = 128

#: How many rows one batch finalises at most, so that a hundred thousand do not stop the rest.
_MAX_FINALISED_PER_BATCH = 5_000

State = Row | Tombstone


class BroadcastProcessor:
    """Works off batches of viewer events.

    Nothing in here awaits, sends or reads a clock, though others may have a turn between the steps
    of a batch: what comes of a batch depends on its records,
    the rows and the time at which it was read, and goes out in one transaction.

    Args:
        settings: The settings in force.
        topics: Where to send what.

    Attributes:
        waits: How long a row waits for what.
        lifecycles: The timers of each partition that is followed.
        refused_before: By partition, the offset before which former owners of the outputs have
            refused what was to be refused: it is counted, but not sent a second time.
    """

    def __init__(self, settings: Settings, topics: Topics) -> None:
        self._rejected = topics.rejected.name
        self._deltas = topics.scope_deltas.name
        self._tombstone = int(settings.tombstone.total_seconds() * 1000)
        self._validator = EventValidator(settings)
        self._publisher = SummaryPublisher(settings, topics.broadcast_summaries.name)
        minutes = topics.broadcast_minutes
        self._applier = EventApplier(
            settings, self._publisher, None if minutes is None else SealedMinutes(minutes.name)
        )
        self.waits = SettingsWaits(settings)
        self.lifecycles: dict[int, Timers] = {}
        self.refused_before: Mapping[int, int] = {}

    # -- following the partitions ----------------------------------------------------------------

    def restored(
        self,
        partition: int,
        rows: Rows[State],
        now: float,
        wall: float,
        partitions: int | None = None,
    ) -> None:
        """Begin to follow a partition's broadcasts.

        Args:
            partition: Its number.
            rows: All of its rows.
            now: A monotonic clock's time, that of `Batch.monotonic`, in seconds.
            wall: The wall clock's time, that of `Batch.read_at`, in seconds.
            partitions: How many partitions the viewer events really have, if that is known.
        """
        self._validator.of_partitions(partitions)
        lifecycle = Timers(self.waits, rows.entries_as(BroadcastEntry))
        lifecycle.restored(now, wall)
        self.lifecycles[partition] = lifecycle

    def committed(self, batch: Batch[State]) -> None:
        """Take note of a durable batch."""
        lifecycle = self.lifecycles.get(batch.partition)
        if lifecycle is not None:
            lifecycle.committed(batch.changed, batch.result.heard, batch.monotonic, batch.read_at)
            if batch.caught_up:
                lifecycle.drop_empty_buckets(batch.monotonic, batch.read_at)

    def lost(self, partition: int) -> None:
        """Stop following a partition."""
        self.lifecycles.pop(partition, None)

    # -- batches ---------------------------------------------------------------------------------

    def process_batch(self, batch: Batch[State]) -> None:
        """Judge and apply a batch's records, finalise what is due, tell the scopes of it."""
        for _ in self.steps(batch):
            pass

    def steps(self, batch: Batch[State]) -> Iterator[None]:
        """Do the same, step by step: others may have a turn after each.

        None takes longer than a few records or broadcasts do.
        """
        outcome = BatchResult(batch)
        try:
            yield from self._steps(outcome, None)
        except LiveAudienceError:
            raise  # a newer version's rows: no defect of ours, and no going on
        except Exception:  # our own defect must not stop the rest
            log.exception(
                "internal error in a batch: retrying record by record",
                source=f"{batch.topic}/{batch.partition}",
                records=len(batch.records),
            )
            batch.reset()
            outcome = BatchResult(batch, is_retry=True)
            yield from self._steps(outcome, RecordByRecordRetry(self))
        batch.result = outcome.counters

    def _steps(self, outcome: BatchResult, retry: RecordByRecordRetry | None) -> Iterator[None]:
        batch = outcome.batch
        by_key: defaultdict[bytes, list[Any]] = defaultdict(list)
        for record in batch.records:
            by_key[record.key].append(record)
        # A key that has a row was found to be in its place when that began.
        known = batch.rows.entries
        outcome.misrouted = self._validator.router.misrouted(
            batch.partition,
            [key for key in by_key if key not in known and key is not None],
            is_retry=outcome.is_retry,
        )
        for unreadable in batch.unreadable:
            refused = Rejected(Reason.MALFORMED, unreadable.detail)
            outcome.reject(unreadable, "", refused, unreadable.records)
        # Before anything else, and of what is misplaced alone: in most batches nothing is.
        for key in outcome.misrouted:
            if len(key) > MAX_KEY_BYTES:
                self._refuse_key(outcome, by_key.pop(key))
        yield from self._apply_all(outcome, by_key, retry)
        if batch.caught_up and (lifecycle := self.lifecycles.get(batch.partition)) is not None:
            yield from self._finalise_due(outcome, lifecycle, retry)
        refused_before = self.refused_before.get(batch.partition, 0)
        yield from outcome.send(self._rejected, self._deltas, refused_before)

    def _apply_all(
        self,
        outcome: BatchResult,
        by_key: dict[bytes, list[Any]],
        retry: RecordByRecordRetry | None,
    ) -> Iterator[None]:
        begin = newcomers(
            outcome,
            self._validator.future,
            self._applier.rules_for,
            self._publisher.is_cut,
            self._validator.scanner,
        )
        for count, (key, records) in enumerate(by_key.items()):
            if retry is not None:
                yield from retry.process_key(outcome, key, records)
            elif len(records) == 1 and begin(key, records[0]):
                if not count % _KEYS_PER_STEP:
                    yield
            elif len(records) > _RECORDS_PER_STEP:
                yield from self.apply_many(outcome, key, records)
            else:
                self.process_key(outcome, key, records)
                if not count % _KEYS_PER_STEP:
                    yield

    def _finalise_due(
        self, outcome: BatchResult, lifecycle: Timers, retry: RecordByRecordRetry | None
    ) -> Iterator[None]:
        batch = outcome.batch
        finalise = self.on_timer if retry is None else retry.on_timer
        due = list(lifecycle.due(batch.monotonic, batch.read_at, _MAX_FINALISED_PER_BATCH))
        batch.more = len(due) == _MAX_FINALISED_PER_BATCH
        # What was told just now, with a Kafka timestamp of long ago, is stale at once.
        oldest = (batch.read_at - self.waits.shortest_stale) * 1000
        due += [
            key
            for key, row in batch.changed.items()
            if type(row) is Row and row.fresh and row.viewers_timestamp <= oldest
        ]
        again = {key for key in due if key in batch.changed}
        heard = outcome.counters.heard
        for count, key in enumerate(due):
            if key not in batch.changed:
                finalise(outcome, lifecycle, key)
            elif key in again and retry is None and isinstance(row := batch.changed[key], Row):
                # One that is told all the time is in every batch, and its time passes all the same.
                self._age(outcome, lifecycle, key, row, heard=key in heard)
            if not count % _KEYS_PER_STEP:
                yield

    @staticmethod
    def _refuse_key(outcome: BatchResult, records: list[Any]) -> None:
        """Refuse the records of a key that is too long to be right, whatever they say."""
        try:
            check_length(records[0].key)
        except Rejected as refused:
            for record in records:
                outcome.reject(record, refused.platform, refused)

    def process_key(self, outcome: BatchResult, key: bytes, records: list[Any]) -> None:
        """Judge and take in the records of one key, which are those of one broadcast."""
        if (
            len(records) > 1
            and (timed_events := self._validator.read_uniform(outcome, key, records)) is not None
        ):
            self._applier.apply(outcome, key, timed_events, records)
            return
        timed_events, records = self.validate(outcome, key, records)
        if timed_events:
            self._applier.apply(outcome, key, timed_events, records)

    def apply_many(self, outcome: BatchResult, key: bytes, records: list[Any]) -> Iterator[None]:
        """Do the same with many records of one key, step by step."""
        timed_events: list[TimedEvent] = []
        kept: list[Any] = []
        for begin in range(0, len(records), _UNIFORM_PER_STEP):
            part = records[begin : begin + _UNIFORM_PER_STEP]
            if (events := self._validator.read_uniform(outcome, key, part)) is not None:
                timed_events += events
                kept += part
                yield
                continue
            for first in range(0, len(part), _RECORDS_PER_STEP):
                events, theirs = self.validate(
                    outcome, key, part[first : first + _RECORDS_PER_STEP]
                )
                timed_events += events
                kept += theirs
                yield
        for begin in range(0, len(timed_events), _EVENTS_PER_STEP):
            end = begin + _EVENTS_PER_STEP
            self._applier.apply(outcome, key, timed_events[begin:end], kept[begin:end])
            yield

    def validate(
        self, outcome: BatchResult, key: bytes, records: list[Any]
    ) -> tuple[list[TimedEvent], list[Any]]:
        """Refuse what cannot be taken whatever its broadcast's row says; return the rest."""
        return self._validator.validate(outcome, key, records)

    def rules_for(self, platform: str) -> Rules:
        """How a new broadcast of a platform is to be taken."""
        return self._applier.rules_for(platform)

    def on_timer(self, outcome: BatchResult, timers: Timers, key: bytes) -> None:
        """Look at a row for which time may have done something (see `lifecycle`)."""
        batch, wall = outcome.batch, outcome.batch.read_at
        row = batch.rows.read(key)  # not for keeps: most are only looked at
        if isinstance(row, Row):
            self._age(outcome, timers, key, row)
        elif row is not None and timers.tombstone_is_expired(key, row, wall):
            batch.changed[key] = None

    def _age(
        self, outcome: BatchResult, timers: Timers, key: bytes, row: Row, *, heard: bool = False
    ) -> None:
        """Let time do to a row what is due; `heard` if this batch holds what it waits for."""
        batch, deltas = outcome.batch, outcome.deltas
        wall = round(batch.read_at * 1000)
        has_changed = False
        if row.fresh and wall >= self.waits.stale_at(row):
            deltas.go_stale(key, row)
            has_changed = True
        if not row.final and not heard and timers.is_silent(key, row, batch.monotonic):
            deltas.finalise(key, row)
            self._publisher.publish(batch, key, row, "final")
            outcome.counters.finalised += 1
            has_changed = True
        if row.final and wall > self.waits.removed_at(row):
            self._applier.close(outcome, key, row)
            batch.changed[key] = Tombstone(row.last_minute, wall + self._tombstone)
        elif has_changed:
            batch.changed[key] = row
        else:
            timers.reschedule(key, row)


async def broadcasts(batches: AsyncIterable[Batch[State]], work: BroadcastProcessor) -> None:
    """Work off batches as they come: the body of the Faust agent."""
    async for batch in batches:
        with batch:
            batch.require()
            for _ in work.steps(batch):
                await batch.breathe()
