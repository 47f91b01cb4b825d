"""The agent `broadcasts`: viewer events to rows, summaries and refused records, batch by batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import structlog

from agents.lifecycle import Lifecycle
from agents.refused import refuse
from agents.sums import Sums
from streams.audience import Row, Tombstone, summary
from streams.errors import LiveAudienceError
from streams.events import read
from streams.refusals import Reason, Refused
from streams.routing import Router
from streams.summaries import encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable

    from aiokafka import ConsumerRecord

    from streams.audience import Rules
    from streams.exact import Batch, Rows
    from streams.settings import Settings
    from streams.topics import Topics

log = structlog.get_logger(__name__)

#: How many rows one batch finalises at most, so that a hundred thousand do not stop the rest.
_FINAL_AT_ONCE = 5_000

State = Row | Tombstone


class Notes:
    """What a batch did, for the metrics and timers; told only once it is durable.

    Attributes:
        accepted: Records accepted, by platform.
        late: Late ones, by platform.
        rejected: Otherwise refused ones, by platform (empty where none that is valid is named).
        reasons: Refused ones, late ones too, by reason.
        relabelled: Records that name another venue or programme than their broadcast has.
        finalised: Broadcasts that became final.
        read: Keys of live broadcasts of which a record was read.
        ahead: By how many seconds a record's `at` was ahead of its Kafka timestamp, at most.
    """

    __slots__ = (
        "accepted",
        "ahead",
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
        self.read: Iterable[bytes] = ()
        self.ahead = 0.0


class Broadcasts:
    """Works off batches of viewer events.

    Nothing in here awaits, sends or reads a clock: what comes of a batch depends on its records,
    the rows and the time at which it was read, and goes out in one transaction.

    Args:
        settings: The settings in force.
        topics: Where to send what.
    """

    def __init__(self, settings: Settings, topics: Topics) -> None:
        self._rejected = topics.rejected.name
        self._summaries = topics.broadcast_summaries.name
        self._sums = topics.scope_sums.name
        self._router = Router(settings.partitioner, settings.partitions)
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
        self.lifecycles: dict[int, Lifecycle] = {}

    # -- following the partitions ----------------------------------------------------------------

    def restored(
        self, partition: int, rows: Rows[State], now: float, partitions: int | None = None
    ) -> None:
        """Begin to follow a partition's broadcasts.

        Args:
            partition: Its number.
            rows: All of its rows.
            now: The clock's time, in seconds.
            partitions: How many partitions the viewer events really have, if that is known.
        """
        if partitions is not None and partitions != self._router.partitions:
            self._router = Router(self._settings.partitioner, partitions)
        lifecycle = Lifecycle(self._wait, self._first_wait)
        lifecycle.restored(rows.committed, now)
        self.lifecycles[partition] = lifecycle

    def committed(self, batch: Batch[State]) -> None:
        """Take note of a durable batch."""
        lifecycle = self.lifecycles.get(batch.partition)
        if lifecycle is not None:
            lifecycle.committed(batch.changed, batch.notes.read, batch.read_at)
            if batch.caught_up:
                lifecycle.tidy(batch.read_at)

    def lost(self, partition: int) -> None:
        """Stop following a partition."""
        self.lifecycles.pop(partition, None)
        self._router.forget(partition)

    def _wait(self, row: Row) -> float:
        """Return the seconds without a record after which a row is final."""
        if row.ended_at is not None:
            return row.lateness * 60 + self._margin
        if self._settings.silence is not None:
            return self._settings.silence.total_seconds() + self._margin
        return max(15, row.lateness) * 60 + self._margin

    # -- batches ---------------------------------------------------------------------------------

    def work_off(self, batch: Batch[State]) -> None:
        """Judge and apply a batch's records, finalise what is due, tell the scopes of it."""
        notes = batch.notes = Notes()
        sums = Sums()
        ended: set[bytes] = set()
        failed: set[int] = set()
        self._apply(batch, notes, sums, ended, failed)
        notes.read = list(batch.changed)
        # Until rows are finalised, below, a batch changes live ones only.
        for key, row in list(cast("dict[bytes, Row]", batch.changed).items()):
            try:
                change = sums.difference(key, row)
                # Many rows of a batch have nothing to fold and no end: they are passed by here.
                if row.newest - row.lateness > row.folded or row.ended is not None:
                    self._finish(batch, key, row, was_ended=key in ended)
                sums.add(key, row, change)
            except LiveAudienceError:
                raise
            except Exception as error:  # noqa: BLE001  # our own defect: it stays as it was
                self._fail_row(batch, key, notes, failed, error)
        if batch.caught_up:
            self._finalise(batch, notes, sums)
        sums.send(batch, self._sums)

    def _apply(  # noqa: C901, PLR0912  # one loop: calls of our own would cost as much as its work
        self,
        batch: Batch[State],
        notes: Notes,
        sums: Sums,
        ended: set[bytes],
        failed: set[int],
    ) -> None:
        """Take the records one by one: the hot path."""
        partition, rows = batch.partition, batch.rows
        changed = cast("dict[bytes, Row]", batch.changed)
        router, future, accepted = self._router, self._future, notes.accepted
        router.expect(partition, [record.key for record in batch.records])
        known = router.known[partition]
        now = int(batch.read_at * 1000)
        ahead = 0
        for index, record in enumerate(batch.records):
            key = record.key
            platform = ""
            try:
                event, at = read(record.value)
                platform = event.platform
                if known.get(key) != (platform, event.broadcast):
                    router.check(key, partition, platform, event.broadcast)
                timestamp = record.timestamp
                lead = at - timestamp * 1000
                if lead > ahead:
                    if lead > future:
                        raise Refused(  # noqa: TRY301  # as all other refusals come
                            Reason.FUTURE,
                            f"at: {lead / 1e6:.3f} s after the record's Kafka timestamp, over the "
                            f"{future / 1e6:g} s of AUDIENCE_FUTURE",
                        )
                    ahead = lead
                row = changed.get(key)
                if row is None:
                    state = rows.get(key)
                    if type(state) is Tombstone and state.expires > now:
                        raise Refused(  # noqa: TRY301  # as above
                            Reason.LATE,
                            "the broadcast is final (AUDIENCE_SILENCE, AUDIENCE_FINAL_MARGIN)",
                        )
                    if type(state) is not Row:
                        changed[key] = Row.new(event, at, timestamp, self._rules_of(platform))
                        accepted[platform] = accepted.get(platform, 0) + 1
                        continue
                    sums.touch(key, state)
                    row = changed[key] = state
                    if row.ended is not None and row.ended_at is not None:
                        ended.add(key)
                if row.accept(event, at, timestamp):
                    accepted[platform] = accepted.get(platform, 0) + 1
                    if event.venue != row.venue or event.programme != row.programme:
                        notes.relabelled += _is_relabelled(event, row)
                else:
                    self._refuse(
                        batch,
                        notes,
                        record,
                        platform,
                        Refused(
                            Reason.LATE,
                            f"at: {event.at} is {row.lateness} min or more before the broadcast's "
                            "newest minute (AUDIENCE_LATENESS)",
                        ),
                    )
            except Refused as refused:
                self._refuse(batch, notes, record, platform or refused.platform, refused)
            except LiveAudienceError:
                raise  # a newer version's rows: no defect of this record, and no going on
            except Exception as error:  # noqa: BLE001  # our own defect must not stop the rest
                failed.add(index)
                self._fail_record(batch, index, notes, platform, failed, error)
        notes.ahead = ahead / 1e6

    def _rules_of(self, platform: str) -> Rules:
        rules = self._rules.get(platform)
        if rules is None:
            if len(self._rules) > 10_000:  # noqa: PLR2004  # a bound on what producers may name
                self._rules.clear()
            rules = self._rules[platform] = self._settings.rules(platform)
        return rules

    def _refuse(
        self,
        batch: Batch[State],
        notes: Notes,
        record: ConsumerRecord,
        platform: str,
        refused: Refused,
    ) -> None:
        reason = refused.reason
        refuse(batch, self._rejected, record, reason, refused.detail)
        notes.reasons[reason] = notes.reasons.get(reason, 0) + 1
        counts = notes.late if reason is Reason.LATE else notes.rejected
        counts[platform] = counts.get(platform, 0) + 1

    # -- what came of a row ------------------------------------------------------------------------

    def _finish(self, batch: Batch[State], key: bytes, row: Row, *, was_ended: bool) -> None:
        """Fold what is sealed, and publish a row that ended, changed after its end, or resumed."""
        row.settle()
        if row.ended_at is not None:
            self._publish(batch, key, row, "ended")
        elif was_ended:
            self._publish(batch, key, row, "live")

    def _publish(self, batch: Batch[State], key: bytes, row: Row, status: Any) -> None:
        platform, _, broadcast = key.decode().partition(":")
        value = encode(summary(platform, broadcast, row, status))
        batch.send(self._summaries, key, value)

    def _finalise(self, batch: Batch[State], notes: Notes, sums: Sums) -> None:
        lifecycle = self.lifecycles.get(batch.partition)
        if lifecycle is None:
            return
        now = batch.read_at
        due = list(lifecycle.due(now, _FINAL_AT_ONCE))
        batch.more = len(due) == _FINAL_AT_ONCE
        for key in due:
            if key in batch.changed:
                continue  # read just now; it is looked at again with the next batch
            row = batch.rows.read(key)  # not for keeps: most are only looked at
            if isinstance(row, Row):
                if lifecycle.is_final(key, row, now):
                    self._publish(batch, key, row, "final")
                    sums.retire(key, row)
                    expires = int(now * 1000) + self._tombstone
                    batch.changed[key] = Tombstone(expires=expires)
                    notes.finalised += 1
            elif row is not None and lifecycle.is_expired(key, row, now):
                batch.changed[key] = None

    # -- our own defects ---------------------------------------------------------------------------

    def _fail_record(
        self,
        batch: Batch[State],
        index: int,
        notes: Notes,
        platform: str,
        failed: set[int],
        error: Exception,
    ) -> None:
        """Refuse a record that our own code failed on, and take back what it did to its row."""
        record = batch.records[index]
        log.error(
            "a record failed in our own code: it is refused, its row stays as it was",
            source=f"{record.topic}/{record.partition}/{record.offset}",
            exc_info=error,
        )
        refused = Refused(Reason.ERROR, f"{type(error).__name__}: {error}")
        self._refuse(batch, notes, record, platform, refused)
        if record.key is not None:
            self._redo(batch, record.key, index, failed)

    def _fail_row(
        self,
        batch: Batch[State],
        key: bytes,
        notes: Notes,
        failed: set[int],
        error: Exception,
    ) -> None:
        """Refuse all that a batch brought for a row which our own code cannot finish."""
        log.error(
            "a row failed in our own code: its records are refused, it stays as it was",
            key=key.decode(errors="backslashreplace"),
            exc_info=error,
        )
        batch.changed.pop(key, None)
        batch.rows.forget(key)
        refused = Refused(Reason.ERROR, f"{type(error).__name__}: {error}")
        gone = {
            f"{r.topic}/{r.partition}/{r.offset}".encode() for r in batch.records if r.key == key
        }
        done = {dict(output.headers).get("source") for output in batch.outputs}
        platform = key.decode().partition(":")[0]
        for index, record in enumerate(batch.records):
            source = f"{record.topic}/{record.partition}/{record.offset}".encode()
            if source in gone and source not in done and index not in failed:
                notes.accepted[platform] -= 1
                self._refuse(batch, notes, record, platform, refused)

    def _redo(self, batch: Batch[State], key: bytes, index: int, failed: set[int]) -> None:
        """Bring a row back to where it stood before the record at `index`."""
        batch.changed.pop(key, None)
        batch.rows.forget(key)
        row = batch.rows.get(key)
        if isinstance(row, Tombstone):
            if row.expires > int(batch.read_at * 1000):
                return  # all before it were late
            row = None
        touched = False
        for number, record in enumerate(batch.records[:index]):
            if record.key != key or number in failed:
                continue
            try:
                event, at = read(record.value)
                self._router.check(key, batch.partition, event.platform, event.broadcast)
            except Refused:
                continue
            if at - record.timestamp * 1000 > self._future:
                continue
            touched = True
            if row is None:
                row = Row.new(event, at, record.timestamp, self._rules_of(event.platform))
            else:
                row.accept(event, at, record.timestamp)
        if touched and row is not None:
            batch.changed[key] = row


def _is_relabelled(event: Any, row: Row) -> bool:
    """Whether an event names another venue or programme than its broadcast's first record did."""
    return (event.venue is not None and event.venue != row.venue) or (
        event.programme is not None and event.programme != row.programme
    )


async def broadcasts(batches: AsyncIterable[Batch[State]], work: Broadcasts) -> None:
    """Work off batches as they come: the body of the Faust agent."""
    async for batch in batches:
        with batch:
            work.work_off(batch)
