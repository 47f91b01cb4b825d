"""The agent `broadcasts`: viewer events to rows, summaries and refused records, batch by batch."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import structlog

from agents.pipeline.broadcasts.lifecycle import Timers
from agents.pipeline.broadcasts.outcome import BatchResult
from agents.pipeline.broadcasts.retry import RecordByRecordRetry
from streams.audience import Row, Tombstone, standing, summary
from streams.errors import LiveAudienceError
from streams.events import parse_same_broadcast, read
from streams.rejections import Reason, Rejected
from streams.routing import MAX_KEY_BYTES, PartitionChecker, check_length
from streams.summaries import encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterator, Mapping

    from streams.audience import Rules
    from streams.audience.broadcast import Told
    from streams.events import ViewerEvent
    from streams.exact import Batch, Rows
    from streams.settings import Settings
    from streams.topics import Topics

log = structlog.get_logger(__name__)

#: So many records of one broadcast, and so many broadcasts, are taken between two breaths at most.
_RECORDS_PER_STEP: Final = 16
_KEYS_PER_STEP: Final = 8

#: How many rows one batch finalises at most, so that a hundred thousand do not stop the rest.
_MAX_FINALISED_PER_BATCH = 5_000

_FINAL = "the broadcast is final (AUDIENCE_SILENCE, AUDIENCE_FINAL_MARGIN)"

_NEW: Final = standing(None)

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
        self._sums = topics.scope_sums.name
        self._router = PartitionChecker(settings.partitioner, settings.partitions)
        self._future = int(settings.future.total_seconds() * 1_000_000)
        self._margin = settings.final_margin.total_seconds()
        self._tombstone = int(settings.tombstone.total_seconds() * 1000)
        self._settings = settings
        self._rules: dict[str, Rules] = {}
        self._silence: dict[str, float] = {}
        shortest = min(
            [settings.lateness, *settings.lateness_by_platform.values()]
            + ([settings.silence] if settings.silence is not None else [])
        )
        self._first_wait = shortest.total_seconds() + self._margin
        self.lifecycles: dict[int, Timers] = {}
        self.refused_before: Mapping[int, int] = {}

    # -- following the partitions ----------------------------------------------------------------

    def restored(
        self, partition: int, rows: Rows[State], now: float, partitions: int | None = None
    ) -> None:
        """Begin to follow a partition's broadcasts.

        Args:
            partition: Its number.
            rows: All of its rows.
            now: A monotonic clock's time, that of `Batch.monotonic`, in seconds.
            partitions: How many partitions the viewer events really have, if that is known.
        """
        if partitions is not None and partitions != self._router.partitions:
            self._router = PartitionChecker(self._settings.partitioner, partitions)
        lifecycle = Timers(self._final_after, self._first_wait)
        lifecycle.restored(rows.committed, now)
        self.lifecycles[partition] = lifecycle

    def committed(self, batch: Batch[State]) -> None:
        """Take note of a durable batch."""
        lifecycle = self.lifecycles.get(batch.partition)
        if lifecycle is not None:
            lifecycle.committed(batch.changed, batch.result.read, batch.monotonic)
            if batch.caught_up:
                lifecycle.drop_empty_buckets(batch.monotonic, batch.read_at)

    def lost(self, partition: int) -> None:
        """Stop following a partition."""
        self.lifecycles.pop(partition, None)

    def _final_after(self, row: Row) -> float:
        """Return the seconds without a record after which a row is final."""
        if row.ended_at is not None:
            return row.lateness * 60 + self._margin
        if self._settings.silence is not None:
            return self._settings.silence.total_seconds() + self._margin
        return max(15, row.lateness) * 60 + self._margin

    # -- batches ---------------------------------------------------------------------------------

    def work_off(self, batch: Batch[State]) -> None:
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
        outcome.counters.read = list(batch.changed)
        if batch.caught_up and (lifecycle := self.lifecycles.get(batch.partition)) is not None:
            yield from self._finalise_due(outcome, lifecycle, retry)
        refused_before = self.refused_before.get(batch.partition, 0)
        yield from outcome.send(self._rejected, self._sums, refused_before)

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
        finalise = self.finalise if retry is None else retry.finalise
        due = list(lifecycle.due(batch.monotonic, batch.read_at, _MAX_FINALISED_PER_BATCH))
        batch.more = len(due) == _MAX_FINALISED_PER_BATCH
        for count, key in enumerate(due):
            if key not in batch.changed:  # else it was read just now, and is looked at again
                finalise(outcome, lifecycle, key)
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
            self._apply(outcome, key, timed_events, records, alike=True)
            return
        timed_events, records = self.validate(outcome, key, records)
        if timed_events:
            self._apply(outcome, key, timed_events, records)

    def apply_many(self, outcome: BatchResult, key: bytes, records: list[Any]) -> Iterator[None]:
        """Do the same with many records of one key, step by step."""
        if (timed_events := self._parse_uniform(outcome, key, records)) is not None:
            self._apply(outcome, key, timed_events, records, alike=True)
            yield
            return
        timed_events, kept = [], []
        for begin in range(0, len(records), _RECORDS_PER_STEP):
            events, theirs = self.validate(outcome, key, records[begin : begin + _RECORDS_PER_STEP])
            timed_events += events
            kept += theirs
            yield
        if timed_events:
            self._apply(outcome, key, timed_events, kept)

    def _parse_uniform(
        self, outcome: BatchResult, key: bytes, records: list[Any]
    ) -> list[Told] | None:
        """Judge the records of one key at once; None if one by one is how it must be done."""
        found = parse_same_broadcast([record.value for record in records])
        if found is None or key in outcome.misrouted:
            return None
        events, ats = found
        if key != f"{events[0].platform}:{events[0].broadcast}".encode():
            return None
        timed_events = list(
            zip(events, ats, [record.timestamp or 0 for record in records], strict=True)
        )
        lead = max([at - timestamp * 1000 for _, at, timestamp in timed_events])
        if lead > self._future:
            return None
        outcome.clock_skew = max(outcome.clock_skew, lead)
        return timed_events

    def validate(
        self, outcome: BatchResult, key: bytes, records: list[Any]
    ) -> tuple[list[Told], list[Any]]:
        """Refuse what cannot be taken whatever its broadcast's row says; return the rest."""
        timed_events: list[Told] = []
        kept = records
        platform = broadcast = ""
        future, clock_skew, mended = self._future, outcome.clock_skew, outcome.counters.mended
        for record in records:
            given = ""
            try:
                event, at = read(record.value, mended)
                if event.platform != platform or event.broadcast != broadcast:
                    given = event.platform
                    if key != f"{given}:{event.broadcast}".encode() or key in outcome.misrouted:
                        self._router.check(key, outcome.batch.partition, given, event.broadcast)
                    platform, broadcast = given, event.broadcast
                timestamp = record.timestamp or 0  # a record may have none
                lead = at - timestamp * 1000
                if lead > clock_skew:
                    if lead > future:
                        given = platform
                        raise Rejected(  # noqa: TRY301  # as all other refusals come
                            Reason.FUTURE,
                            f"at: {lead / 1e6:.3f} s after the record's Kafka timestamp, over the "
                            f"{future / 1e6:g} s of AUDIENCE_FUTURE",
                        )
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

    def _apply(
        self,
        outcome: BatchResult,
        key: bytes,
        timed_events: list[Told],
        records: list[Any],
        *,
        alike: bool = False,
    ) -> None:
        """Take events of one broadcast into its row, tell the scopes of it and fold what is sealed.

        Args:
            outcome: What becomes of the batch.
            key: The broadcast's key.
            timed_events: The events.
            records: Their records.
            alike: Whether all name the same venue and programme.
        """
        batch, counters = outcome.batch, outcome.counters
        platform = timed_events[0][0].platform
        row = batch.rows.get(key)
        if type(row) is Row:
            before = standing(row)
            batch.changed[key] = row
            late = row.accept_all(timed_events, before)
            if (not alike and len(timed_events) > 1) or _labels(timed_events[0][0]) != (
                row.venue,
                row.programme,
            ):
                counters.relabelled += _relabelled(row, timed_events, late)
        elif type(row) is Tombstone and row.expires > int(batch.read_at * 1000):
            for record in records:
                outcome.reject(record, platform, Rejected(Reason.LATE, _FINAL))
            return
        else:
            before = _NEW
            rules = self._rules.get(platform) or self.rules_for(platform)
            row = batch.changed[key] = Row.new(*timed_events[0], rules)
            late = []
            counters.cut += self._is_cut(batch, row)
            if len(timed_events) > 1:
                late = [1 + place for place in row.accept_all(timed_events[1:])]
                counters.relabelled += 0 if alike else _relabelled(row, timed_events, late)
        for place in late:
            outcome.reject(records[place], platform, _late(timed_events[place][0], row))
        if accepted := len(timed_events) - len(late):
            counters.accepted[platform] = counters.accepted.get(platform, 0) + accepted
        outcome.sums.of(platform, row).take(before, row)
        # Many rows of a batch have nothing to fold and no end: they are passed by here.
        if row.newest - row.lateness > row.folded or row.ended is not None:
            self._fold_and_publish(batch, key, row, was_ended=before.ended_at is not None)

    def _fold_and_publish(
        self, batch: Batch[State], key: bytes, row: Row, *, was_ended: bool
    ) -> None:
        """Fold what is sealed, and publish a row that ended, changed after its end, or resumed."""
        row.settle()
        if row.ended_at is not None:
            self._publish(batch, key, row, "ended")
        elif was_ended:
            self._publish(batch, key, row, "live")

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

        One that had records there was heard of again before it would have been final, so it is in
        the topic from then on: whoever began later than that, by the time of the events, was not.
        """
        if not batch.since:
            return False
        ended = row.lateness * 60
        silent = max(15, row.lateness) * 60
        if self._settings.silence is not None:
            silent = int(self._settings.silence.total_seconds())
        reach = int((max(ended, silent) + self._margin) * 1_000_000) + self._future
        return row.earliest_at < batch.since * 1000 + reach

    def _publish(self, batch: Batch[State], key: bytes, row: Row, status: Any) -> None:
        if self._is_cut(batch, row):
            return  # of what is left of it the figures would be wrong
        platform, _, broadcast = key.decode().partition(":")
        value = encode(summary(platform, broadcast, row, status))
        batch.send(self._summaries, key, value)

    def finalise(self, outcome: BatchResult, lifecycle: Timers, key: bytes) -> None:
        """Look at a row whose time may have come."""
        batch, now = outcome.batch, outcome.batch.read_at
        row = batch.rows.read(key)  # not for keeps: most are only looked at
        if isinstance(row, Row):
            if lifecycle.is_final(key, row, batch.monotonic):
                self._publish(batch, key, row, "final")
                outcome.sums.of(key.decode().partition(":")[0], row).retire(row)
                batch.changed[key] = Tombstone(expires=int(now * 1000) + self._tombstone)
                outcome.counters.finalised += 1
        elif row is not None and lifecycle.is_expired(key, row, now):
            batch.changed[key] = None


def _relabelled(row: Row, timed_events: list[Told], late: list[int]) -> int:
    """How many of the accepted events name another venue or programme than the row has."""
    venue, programme, were_late = row.venue, row.programme, set(late)
    return sum(
        (event.venue is not None and event.venue != venue)
        or (event.programme is not None and event.programme != programme)
        for place, (event, _, _) in enumerate(timed_events)
        if place not in were_late
    )


def _labels(event: ViewerEvent) -> tuple[str | None, str | None]:
    return event.venue, event.programme


def _late(event: ViewerEvent, row: Row) -> Rejected:
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
