"""The agent `broadcasts`: viewer events to rows, summaries and refused records, batch by batch."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import structlog

from agents.pipeline.broadcasts.lifecycle import Timers
from agents.pipeline.broadcasts.minutes import SealedMinutes
from agents.pipeline.broadcasts.outcome import BatchResult
from agents.pipeline.broadcasts.retry import RecordByRecordRetry
from streams.audience import (
    MINUTE,
    NO_ROW,
    AcceptResult,
    Row,
    Tombstone,
    begins_run,
    gap_end,
    snapshot,
    summary,
    summary_key,
)
from streams.errors import LiveAudienceError
from streams.events import parse_same_broadcast, read
from streams.rejections import Reason, Rejected
from streams.routing import MAX_KEY_BYTES, PartitionChecker, check_length
from streams.summaries import encode, minute_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterator, Mapping

    from streams.audience import Figures, Rules
    from streams.audience.accept import TimedEvent
    from streams.events import ViewerEvent
    from streams.exact import Batch, Rows
    from streams.settings import Settings
    from streams.summaries import Status
    from streams.topics import Topics

log = structlog.get_logger(__name__)

#: So many records of one broadcast, and so many broadcasts, are taken between two breaths at most.
_RECORDS_PER_STEP: Final = 16
_KEYS_PER_STEP: Final = 8

#: So many events of one broadcast are applied between two: each may begin a run, or ask for all
#: figures of one that has ended.
_EVENTS_PER_STEP: Final = 128

#: By so much, on top of AUDIENCE_FUTURE, an event may be ahead of the worker's clock: microseconds.
CLOCK_MARGIN: Final = 10 * MINUTE

#: Kafka's timestamp type of the broker's own clock.
_LOG_APPEND_TIME: Final = 1

#: How many rows one batch finalises at most, so that a hundred thousand do not stop the rest.
_MAX_FINALISED_PER_BATCH = 5_000

_GONE = (
    "its run is over and its row is gone (AUDIENCE_RUN_GAP); what begins a new run must be later "
    "by more than AUDIENCE_RESTART_GAP, of revision 0, and a `started` or with viewers"
)

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
        lifecycles: The timers of each partition that is followed.
        refused_before: By partition, the offset before which former owners of the outputs have
            refused what was to be refused: it is counted, but not sent a second time.
    """

    def __init__(self, settings: Settings, topics: Topics) -> None:
        self._rejected = topics.rejected.name
        self._summaries = topics.broadcast_summaries.name
        minutes = topics.broadcast_minutes
        self._minutes = None if minutes is None else SealedMinutes(minutes.name)
        self._deltas = topics.scope_deltas.name
        self._router = PartitionChecker(settings.partitioner, settings.partitions)
        self._future = int(settings.future.total_seconds() * 1_000_000)
        self._margin = settings.final_margin.total_seconds()
        self._tombstone = int(settings.tombstone.total_seconds() * 1000)
        self._settings = settings
        self._rules: dict[str, Rules] = {}
        rules = [settings.rules(platform) for platform in settings.platforms()]
        shortest = min(each.lateness for each in rules) * 60.0
        if settings.silence is not None:
            shortest = min(shortest, settings.silence.total_seconds())
        self.shortest_silence = shortest + self._margin
        self.shortest_stale = min(settings.stale_seconds(each.carry) for each in rules)
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
        if partitions is not None and partitions != self._router.partitions:
            self._router = PartitionChecker(self._settings.partitioner, partitions)
        lifecycle = Timers(self)
        lifecycle.restored(rows.committed, now, wall)
        self.lifecycles[partition] = lifecycle

    def committed(self, batch: Batch[State]) -> None:
        """Take note of a durable batch."""
        lifecycle = self.lifecycles.get(batch.partition)
        if lifecycle is not None:
            lifecycle.committed(
                batch.changed, batch.result.read, batch.result.busy, batch.monotonic, batch.read_at
            )
            if batch.caught_up:
                lifecycle.drop_empty_buckets(batch.monotonic, batch.read_at)

    def lost(self, partition: int) -> None:
        """Stop following a partition."""
        self.lifecycles.pop(partition, None)

    def silence(self, row: Row) -> float:
        """Return the seconds without a record after which a row is final."""
        if row.ended is not None and row.ended_at is not None:
            return row.lateness * 60 + self._margin
        if self._settings.silence is not None:
            return self._settings.silence.total_seconds() + self._margin
        return max(15, row.lateness) * 60 + self._margin

    def stale_at(self, row: Row) -> int:
        """Return the wall time in milliseconds from which a fresh row is stale."""
        return row.viewers_timestamp + int(self._settings.stale_seconds(row.carry) * 1000)

    def removed_at(self, row: Row) -> int:
        """Return the wall time in milliseconds after which a final row is removed."""
        margin = int(self._margin * 1000)
        return row.timestamp + (row.run_gap + row.lateness) * 60_000 + margin

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
            outcome = BatchResult(batch)
            yield from self._steps(outcome, RecordByRecordRetry(self))
        batch.result = outcome.counters

    def _steps(self, outcome: BatchResult, retry: RecordByRecordRetry | None) -> Iterator[None]:
        batch = outcome.batch
        by_key: defaultdict[bytes, list[Any]] = defaultdict(list)
        for record in batch.records:
            by_key[record.key].append(record)
        # A key that has a row was found to be in its place when that began.
        known = batch.rows.committed
        outcome.misrouted = self._router.misrouted(
            batch.partition, [key for key in by_key if key not in known and key is not None]
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
        for count, (key, records) in enumerate(by_key.items()):
            if retry is not None:
                yield from retry.process_key(outcome, key, records)
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
        oldest = (batch.read_at - self.shortest_stale) * 1000
        due += [
            key
            for key, row in batch.changed.items()
            if type(row) is Row and row.fresh and row.viewers_timestamp <= oldest
        ]
        again = {key for key in due if key in batch.changed}
        counters = outcome.counters
        read, busy = (set(counters.read), set(counters.busy)) if again else (again, again)
        for count, key in enumerate(due):
            if key not in batch.changed:
                finalise(outcome, lifecycle, key)
            elif key in again and retry is None and isinstance(row := batch.changed[key], Row):
                # One that is told all the time is in every batch, and its time passes all the same.
                has_ended = row.ended is not None and row.ended_at is not None
                heard = key in (busy if has_ended else read)
                self._age(outcome, lifecycle, key, row, heard=heard)
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
            and (timed_events := self._parse_uniform(outcome, key, records)) is not None
        ):
            self._apply(outcome, key, timed_events, records)
            return
        timed_events, records = self.validate(outcome, key, records)
        if timed_events:
            self._apply(outcome, key, timed_events, records)

    def apply_many(self, outcome: BatchResult, key: bytes, records: list[Any]) -> Iterator[None]:
        """Do the same with many records of one key, step by step."""
        timed_events, kept = self._parse_uniform(outcome, key, records), records
        if timed_events is None:
            timed_events, kept = [], []
            for begin in range(0, len(records), _RECORDS_PER_STEP):
                end = begin + _RECORDS_PER_STEP
                events, theirs = self.validate(outcome, key, records[begin:end])
                timed_events += events
                kept += theirs
                yield
        for begin in range(0, len(timed_events), _EVENTS_PER_STEP):
            end = begin + _EVENTS_PER_STEP
            self._apply(outcome, key, timed_events[begin:end], kept[begin:end])
            yield

    def _parse_uniform(
        self, outcome: BatchResult, key: bytes, records: list[Any]
    ) -> list[TimedEvent] | None:
        """Judge the records of one key at once; None if one by one is how it must be done."""
        found = parse_same_broadcast([record.value for record in records])
        if found is None or key in outcome.misrouted:
            return None
        events, ats = found
        if key != f"{events[0].platform}:{events[0].broadcast}".encode():
            return None
        clock = round(outcome.batch.read_at * 1000)
        timestamps = [record.timestamp or 0 for record in records]
        if min(timestamps) <= 0:
            return None
        timed_events = list(zip(events, ats, timestamps, strict=True))
        lead = max([at - (min(clock, timestamp)) * 1000 for _, at, timestamp in timed_events])
        if lead > self._future:
            return None
        outcome.clock_skew = max(outcome.clock_skew, lead)
        return timed_events

    def validate(  # noqa: C901  # one loop over what a record may be
        self, outcome: BatchResult, key: bytes, records: list[Any]
    ) -> tuple[list[TimedEvent], list[Any]]:
        """Refuse what cannot be taken whatever its broadcast's row says; return the rest."""
        timed_events: list[TimedEvent] = []
        kept = records
        platform = broadcast = ""
        future, clock_skew, mended = self._future, outcome.clock_skew, outcome.counters.mended
        clock = round(outcome.batch.read_at * 1000)
        for record in records:
            given = ""
            try:
                event, at = read(record.value, mended)
                if event.platform != platform or event.broadcast != broadcast:
                    given = event.platform
                    if key != f"{given}:{event.broadcast}".encode() or key in outcome.misrouted:
                        self._router.check(key, outcome.batch.partition, given, event.broadcast)
                    platform, broadcast = given, event.broadcast
                timestamp = record.timestamp or 0
                if timestamp <= 0:
                    timestamp = clock  # 0 and -1 are none
                lead = at - (min(clock, timestamp)) * 1000
                if lead > future:
                    given = platform
                    self._check_future(record, at, clock)
                if lead > clock_skew:  # noqa: PLR1730  # max() would call a function
                    clock_skew = lead
            except Rejected as refused:
                if kept is records:
                    kept = records[: len(timed_events)]
                outcome.reject(record, given or refused.platform, refused)
            else:
                timed_events.append((event, at, timestamp))
                if kept is not records:
                    kept.append(record)
        outcome.clock_skew = clock_skew
        return timed_events, kept

    def _check_future(self, record: Any, at: int, clock: int) -> None:
        """Reject what is yet to come (contract, sections 1 and 2).

        The broker's clock can be trusted, and is in a timestamp of type LogAppendTime. A producer's
        timestamp is as wrong as its `at`, so the worker's own clock counts too, with a margin: a
        worker whose clock is slow must reject nothing that is right.
        """
        timestamp = record.timestamp or 0
        limit = self._future
        if timestamp > 0 and (lead := at - timestamp * 1000) > limit:
            raise Rejected(
                Reason.FUTURE,
                f"at: {lead / 1e6:.3f} s after the record's Kafka timestamp, over the "
                f"{limit / 1e6:g} s of AUDIENCE_FUTURE",
            )
        limit += CLOCK_MARGIN
        is_brokers = timestamp > 0 and record.timestamp_type == _LOG_APPEND_TIME
        if not is_brokers and (lead := at - clock * 1000) > limit:
            raise Rejected(
                Reason.FUTURE,
                f"at: {lead / 1e6:.3f} s after the worker's clock, over the {limit / 1e6:g} s of "
                "AUDIENCE_FUTURE and 10 min: the record has no timestamp of the broker's (set "
                "message.timestamp.type=LogAppendTime on the topic)",
            )

    def _apply(  # noqa: C901  # a batch may hold several runs of a key
        self, outcome: BatchResult, key: bytes, events: list[TimedEvent], records: list[Any]
    ) -> None:
        """Apply events of one broadcast to its row: its deltas, its summaries, what is sealed.

        Args:
            outcome: What becomes of the batch.
            key: The broadcast's key.
            events: The events.
            records: Their records.
        """
        batch, counters = outcome.batch, outcome.counters
        platform = events[0][0].platform
        row = batch.changed[key] if key in batch.changed else batch.rows.get(key)
        if type(row) is Tombstone and row.expires <= round(batch.read_at * 1000):
            row = None
        place = 0
        if type(row) is Row:
            batch.changed[key] = row
            before = snapshot(row)
            result = row.accept_all(events, before)
        else:
            if row is not None:
                place = self._late_for(outcome, row, events, records)
                if place == len(events):
                    return
            before = NO_ROW
            row, result = self._begin(outcome, key, row, events[place:])
        accepted = 0
        while True:
            for late in result.late:
                at = place + late
                outcome.reject(records[at], platform, _late(*events[at][:2], row))
            accepted += result.accepted
            counters.relabelled += result.relabelled
            outcome.deltas.add_row(platform, before, row, result)
            place += result.stopped
            if place == len(events):
                break
            self._close(outcome, key, row)
            before = NO_ROW
            row, result = self._begin(outcome, key, row, events[place:])
        if accepted:
            counters.accepted[platform] = counters.accepted.get(platform, 0) + accepted
            counters.read.append(key)
        # Many rows of a batch have nothing to fold and no end: they are passed by here.
        if row.newest - row.lateness > row.folded_until or row.ended is not None:
            self._seal(batch, key, row)
            if result.last_busy >= 0 and row.ended_at is not None:
                counters.busy.append(key)
        if result.publish:
            self._publish_change(batch, key, row, result.live_again)

    def _seal(self, batch: Batch[State], key: bytes, row: Row) -> None:
        """Fold what is sealed; its minutes go out, where they are asked for."""
        if self._minutes is not None and not self._is_cut(batch, row):
            self._minutes.send(batch, key, row, row.newest - row.lateness)
        row.fold_sealed()

    def _begin(
        self,
        outcome: BatchResult,
        key: bytes,
        former: State | None,
        events: list[TimedEvent],
    ) -> tuple[Row, AcceptResult]:
        """Begin a run with the first of these events."""
        rules = self.rules_for(events[0][0].platform)
        run = None if former is None else events[0][1] // MINUTE
        row, result = Row.begin(events, rules, run, gap_end(former, rules))
        outcome.batch.changed[key] = row
        if outcome.batch.since:
            outcome.counters.cut += self._is_cut(outcome.batch, row)
        return row, result

    def _late_for(
        self,
        outcome: BatchResult,
        tombstone: Tombstone,
        events: list[TimedEvent],
        records: list[Any],
    ) -> int:
        """Reject what comes too late for a run whose row is gone; return the place of what is not.

        A tombstone that has expired is none: the caller has looked.
        """
        rules = self.rules_for(events[0][0].platform)
        for place, (event, at, _) in enumerate(events):
            if begins_run(tombstone, event, at, rules):
                return place
            outcome.reject(records[place], event.platform, Rejected(Reason.LATE, _GONE))
        return len(events)

    def _close(self, outcome: BatchResult, key: bytes, row: Row) -> None:
        """Let a run go: it is final, and its last summary has all its events."""
        if self._minutes is not None and not self._is_cut(outcome.batch, row):
            self._minutes.send(outcome.batch, key, row)
        if not row.final:
            outcome.counters.finalised += 1
        elif not row.counts_changed:
            outcome.deltas.close(key, row)
            return
        outcome.deltas.close(key, row)
        self._publish(outcome.batch, key, row, "final")

    def _publish_change(
        self, batch: Batch[State], key: bytes, row: Row, live_again: Figures | None
    ) -> None:
        """Publish a row that ended, changed after its end or when it was final, or went on."""
        if live_again is not None:
            self._publish(batch, key, row, "live", live_again)
        else:
            self._publish(batch, key, row, "final" if row.final else "ended")

    def rules_for(self, platform: str) -> Rules:
        """How a new broadcast of a platform is to be taken."""
        rules = self._rules.get(platform)
        if rules is None:
            if len(self._rules) > 10_000:  # noqa: PLR2004  # a bound on what producers may name
                self._rules.clear()
            rules = self._rules[platform] = self._settings.rules(platform)
        return rules

    def _is_cut(self, batch: Batch[State], row: Row) -> bool:
        """Whether the topic may have lost this broadcast's beginning before the rows were built.

        A run that had records there and went on had others within its gap, so it is in the topic
        from then on: one that began later than that, by the time of the events, had none.
        """
        if not batch.since:
            return False
        reach = int(((row.run_gap + row.lateness) * 60 + self._margin) * 1_000_000) + self._future
        return row.earliest_at < batch.since * 1000 + reach

    def _publish(
        self,
        batch: Batch[State],
        key: bytes,
        row: Row,
        status: Status,
        figures: Figures | None = None,
    ) -> None:
        if figures is None:
            row.note_published()
        else:
            row.published_events = figures.events + figures.late
        if self._is_cut(batch, row):
            return  # of what is left of it the figures would be wrong
        platform, _, broadcast = key.decode().partition(":")
        value = encode(summary(platform, broadcast, row, status, figures))
        batch.send(self._summaries, summary_key(platform, broadcast, row.run).encode(), value)

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
        if row.fresh and wall >= self.stale_at(row):
            deltas.go_stale(key, row)
            has_changed = True
        if not row.final and not heard and timers.is_silent(key, row, batch.monotonic):
            deltas.finalise(key, row)
            self._publish(batch, key, row, "final")
            outcome.counters.finalised += 1
            has_changed = True
        if row.final and wall > self.removed_at(row):
            self._close(outcome, key, row)
            batch.changed[key] = Tombstone(row.last_minute, wall + self._tombstone)
        elif has_changed:
            batch.changed[key] = row
        else:
            timers.reschedule(key, row, batch.monotonic)


def _late(event: ViewerEvent, at: int, row: Row) -> Rejected:
    if row.sealed_until >= at // MINUTE > row.newest - row.lateness:
        return Rejected(
            Reason.LATE,
            f"at: {event.at} is before the broadcast's newest run, for which all is sealed up to "
            f"{minute_text(row.sealed_until)} (AUDIENCE_RESTART_GAP after an end, AUDIENCE_RUN_GAP "
            "without one)",
        )
    return Rejected(
        Reason.LATE,
        f"at: {event.at} is {row.lateness} min or more before the broadcast's newest minute "
        "(AUDIENCE_LATENESS)",
    )


async def broadcasts(batches: AsyncIterable[Batch[State]], work: BroadcastProcessor) -> None:
    """Work off batches as they come: the body of the Faust agent."""
    async for batch in batches:
        with batch:
            batch.require()
            for _ in work.steps(batch):
                await batch.breathe()
