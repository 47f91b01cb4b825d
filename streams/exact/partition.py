"""One partition at work: take over, restore, then batch by batch."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, OffsetOutOfRangeError

from streams.exact.backlog import Backlog
from streams.exact.batch import Batch
from streams.exact.deadline import with_deadline
from streams.exact.errors import (
    Fenced,
    SessionEnded,
    SessionLost,
    TooLarge,
    Unrecoverable,
    release_frames,
)
from streams.exact.failure import Backoff
from streams.exact.fetch import Taken, take, use_raw_records
from streams.exact.limits import Limits
from streams.exact.portions import Portions
from streams.exact.position import OPERATION_KEY, Position
from streams.exact.restore import RestoreResult, restore
from streams.exact.resume import resume_at
from streams.exact.writer import TransactionalWriter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiokafka import AIOKafkaConsumer

    from streams.exact.cluster import TopicMetadata
    from streams.exact.failure import Failure
    from streams.exact.fetch import FetchResponse
    from streams.exact.listener import Listener
    from streams.exact.progress import Lag
    from streams.exact.rows import Rows
    from streams.exact.settings import ExactSettings

logger = logging.getLogger(__name__)

#: Encoding rows of a large batch lets the loop breathe after so many.
_ENCODE_CHUNK = 500

#: Of so many first records the middle one tells from when on a topic holds records.
_FIRST_RECORDS = 11

#: Markers alone are worth a transaction once in so many seconds.
_MARKERS_SECONDS = 60.0

#: The pauses between two tries of a partition that cannot go on, in seconds.
_FIRST_PAUSE = 0.2
_MAX_PAUSE = 30.0

#: So often is asked whether the group still counts this worker, in seconds.
_ASK_AGAIN = 1.0


class TaskState(StrEnum):
    """Where a partition stands."""

    STARTING = "starting"
    RESTORING = "restoring"
    RUNNING = "running"
    FAILING = "failing"


class Group(Protocol):
    """What a partition needs of the session that it is a part of."""

    async def is_confirmed(self) -> bool:
        """Say whether the group counts this worker as a member of its current generation."""

    def went_on(self) -> None:
        """Take note that something was achieved."""


@dataclass
class CachedState:
    """What a partition leaves in memory for the case that it comes back.

    Attributes:
        rows: Its rows, as committed.
        restored: Up to where they are known; None before the first restore is through.
        since: When it was last ours, in monotonic seconds.
    """

    rows: Rows[Any]
    restored: RestoreResult | None = None
    since: float = 0.0


class PartitionTask:
    """Runs one partition while this worker owns it.

    Args:
        settings: The layer's settings.
        source: The source's topic and partition.
        changelog: The changelog topic.
        facts: What the cluster said of the source topic.
        kept: The rows, perhaps from an earlier time.
        consumer: The group's consumer; `run` pauses, seeks and resumes this partition.
        deliver: Hands a batch to the agent.
        place: Partitioner for outputs.
        listener: Who is told.
        clock: Seconds for `Batch.read_at`.
        monotonic: Seconds for `Batch.monotonic`.
        group: The session that this partition is a part of.
        guard: Raises `Unrecoverable` where this worker must not write.
    """

    def __init__(
        self,
        settings: ExactSettings,
        source: TopicPartition,
        changelog: str,
        facts: TopicMetadata,
        kept: CachedState,
        consumer: AIOKafkaConsumer,
        deliver: Callable[[Batch[Any]], Awaitable[None]],
        place: Callable[[str, bytes | None], int],
        listener: Listener,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        group: Group,
        guard: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._settings = settings
        self._source = source
        self._changelog = TopicPartition(changelog, source.partition)
        self._metadata = facts
        self._cached = kept
        self._consumer = consumer
        self._deliver = deliver
        self._listener = listener
        self._clock = clock
        self._monotonic = monotonic
        self._group = group
        self._guard = guard
        self._new_ledger = partial(
            TransactionalWriter, settings, source, changelog, place, Limits()
        )
        self._ledger: TransactionalWriter
        self._portions = Portions(
            settings.batch_records, settings.batch_seconds or settings.session_timeout / 4
        )
        self._stopping = False
        self._task: asyncio.Task[Any] | None = None
        self._in_batch = False
        self._more = False
        self._fetched: FetchResponse | None = None
        self._offset = 0
        self._read_offset = 0
        self._since = 0  # -1: the topic has lost its beginning, and no record was read yet
        self._oldest: int | None = None
        self._last_timestamp: int | None = None
        self._committed_at = time.monotonic()
        self._backlog = Backlog(consumer, source)
        self._backoff = Backoff(_FIRST_PAUSE, _MAX_PAUSE)
        self._interruption: SessionLost | None = None
        self.phase = TaskState.STARTING
        self.restored_ratio = 0.0

    def stop(self) -> None:
        """Ask for an end after the batch in flight; whatever else is under way is broken off.

        (A fetch must be: while the group reassigns, aiokafka's `getmany` waits for the next
        assignment, which waits for this partition's end.)
        """
        self._stopping = True
        if self._task is not None and not self._in_batch:
            self._task.cancel()

    async def run(self) -> None:
        """Work until stopped; returns with nothing in flight.

        What fails is begun anew, after a pause: the other partitions go on meanwhile.

        Raises:
            Unrecoverable: Going on would lie.
            SessionEnded: A new session is needed.
        """
        self._task = asyncio.current_task()
        try:
            while not self._stopping:
                try:
                    await self._work()
                except SessionEnded:
                    raise
                except IllegalStateError as error:  # as by seek: a rebalance has overtaken us
                    raise SessionEnded(f"{self._name}: {error!r}") from error
                except SessionLost as error:
                    pause = self._failed(error)
                    release_frames(error)
                else:
                    return
                await self._wait_until_retried(pause)
        except asyncio.CancelledError:
            if not self._stopping:
                raise
        finally:
            self.phase = TaskState.STARTING

    @property
    def _name(self) -> str:
        return f"{self._source.topic}/{self._source.partition}"

    @property
    def failure(self) -> Failure | None:
        """Why this partition cannot go on; None if it does."""
        return self._backoff.failure

    async def _work(self) -> None:
        """Take the partition over, restore, then work batch by batch until stopped."""
        number = self._source.partition
        is_logged = False
        self._ledger = self._new_ledger()
        self._fetched = None
        self._more = False
        self._oldest = self._last_timestamp = None
        self._interruption = None
        try:
            self.phase = TaskState.STARTING
            await self._ledger.start()
            if self._guard is not None:
                await self._guard()
            self.phase = TaskState.RESTORING
            self.restored_ratio = 0.0
            began = time.monotonic()
            self._cached.restored = await restore(
                self._settings,
                self._changelog,
                self._cached.rows,
                self._cached.restored,
                self._restoring,
            )
            position = self._cached.restored.position
            self._offset = await self._resume_at(position)
            if position is not None:
                self._since = position.since
            else:
                self._since = -1 if self._offset else 0
            is_logged = True
            self._listener.restored(number, self._cached.rows, time.monotonic() - began)
            self._read_offset = self._offset
            use_raw_records(self._consumer)
            self._consumer.seek(self._source, self._offset)
            self._backlog.begin()
            self._consumer.resume(self._source)
            self.phase = TaskState.RUNNING
            while not self._stopping:
                committed_at = self._committed_at
                await self._batch()
                if self._interruption is not None:
                    raise self._interruption
                if self._committed_at != committed_at or self._is_caught_up():
                    self._went_on()
        finally:
            self._cached.since = time.monotonic()
            self.phase = TaskState.STARTING
            if is_logged:
                self._listener.lost(number)
            await self._ledger.stop()

    async def _resume_at(self, position: Position | None) -> int:
        """Return the offset to read on from, or refuse where that would lie."""
        if OPERATION_KEY in self._cached.rows:
            raise Unrecoverable(
                f"another program is at work on the rows of {self._name}, and is not through: "
                f"{self._settings.remedies.moving}"
            )
        return await resume_at(
            self._consumer, self._source, self._metadata, position, self._settings
        )

    # -- failures ------------------------------------------------------------------------------

    def _failed(self, error: SessionLost) -> float:
        """Take note of a failure; return the pause until the next try, in seconds."""
        self.phase = TaskState.FAILING
        with contextlib.suppress(IllegalStateError):  # a rebalance has overtaken us
            self._consumer.pause(self._source)
        self._portions.failed()
        failure = self._backoff.failed(str(error), time.monotonic(), time.time())
        logger.warning(
            "%s: %s; the other partitions go on, this one is tried again in %.1f s (failing for "
            "%.0f s, %d times)%s",
            self._name,
            error,
            failure.pause,
            time.monotonic() - failure.since,
            failure.tries,
            self._remedy(error),
        )
        self._listener.failed(self._source.partition, error)
        return failure.pause

    def _remedy(self, error: SessionLost) -> str:
        if isinstance(error, Fenced):
            own = self._settings.transactional_id(*self._source)
            return (
                f"; should this go on, end the other program that writes as {own!r}: a worker that "
                "is no member of the group, or another system with the same group"
            )
        return "; should this go on, see that the partition's topics have leaders and replicas"

    async def _wait_until_retried(self, pause: float) -> None:
        """Wait for the pause to be over, and then for being sure that the partition is still ours.

        A producer that is started where the partition has moved would fence its rightful owner. A
        rebalance that has moved it ends this task.
        """
        await asyncio.sleep(pause)
        while not await self._group.is_confirmed():  # noqa: ASYNC110  # only the broker knows
            await asyncio.sleep(_ASK_AGAIN)

    def _went_on(self) -> None:
        if (failure := self._backoff.failure) is not None:
            logger.info(
                "%s: goes on again after %.0f s", self._name, time.monotonic() - failure.since
            )
            self._backoff.went_on()
        self._group.went_on()

    def _restoring(self, done: int, total: int) -> None:
        ratio = done / total if total else 1.0
        if ratio > self.restored_ratio:
            self._group.went_on()
        self.restored_ratio = ratio
        self._listener.restoring(self._source.partition, done, total)

    def interrupt(self, reason: SessionLost) -> None:
        """Have this partition begin anew, after the batch in flight."""
        self._interruption = reason

    # -- batches -------------------------------------------------------------------------------

    async def _take(self) -> Taken:
        """Take what the next batch holds: what was put back first, then what is fetched."""
        if (waiting := self._portions.next()) is not None:
            taken, self._read_offset = waiting
            return taken
        settings, source = self._settings, self._source
        wait = 0 if self._more else int(settings.tick * 1000)
        try:
            async with with_deadline(settings.deadline, f"fetching from {source.topic}"):
                if self._fetched is None:
                    self._fetched = await take(self._consumer, source, wait)
        except SessionLost as error:
            if isinstance(error.__cause__, OffsetOutOfRangeError):
                raise Unrecoverable(
                    f"offset {self._offset} of {source.topic}/{source.partition} is no longer in "
                    "the topic: the worker is further behind than the topic's retention. Raise "
                    f"the retention; {self._settings.remedies.anew}"
                ) from error
            raise
        if (fetched := self._fetched) is None:
            return Taken([], [])
        taken = await fetched.fill(self._portions.records, settings.batch_bytes)
        # Past the markers of transactions and what was aborted, which are no records.
        self._read_offset = fetched.end
        if fetched.is_over:
            self._fetched = None
        return taken

    async def _batch(self) -> None:
        taken = await self._take()
        if taken.records:
            self._oldest = taken.records[0].timestamp
            if self._since < 0:
                first = sorted(record.timestamp or 0 for record in taken.records[:_FIRST_RECORDS])
                self._since = max(1, first[len(first) // 2])
        batch = Batch(
            self._source,
            taken.records,
            self._cached.rows,
            caught_up=self._is_caught_up(),
            read_at=self._clock(),
            unreadable=taken.unreadable,
            since=max(0, self._since),
            monotonic=self._monotonic(),
        )
        began = time.monotonic()
        self._in_batch = True
        try:
            await self._deliver(batch)
            await batch.wait_processed()
            worked = time.monotonic()
            if not batch.is_empty or self._should_commit_markers():
                await self._commit(batch)
            self._more = batch.more
            self._portions.worked(taken.size, worked - began)
            self._listener.committed(batch, worked - began, time.monotonic() - worked)
        except TooLarge as error:
            too_large = error
        except BaseException:
            batch.give_up()
            raise
        else:
            return
        finally:
            self._in_batch = False
        release_frames(too_large)
        await self._make_smaller(taken, too_large)

    async def _make_smaller(self, taken: Taken, error: TooLarge) -> None:
        """Have a batch come again of which a topic does not take what came of it."""
        try:
            self._portions.put_back(taken, self._read_offset, error)
        except TooLarge:
            raise SessionLost(f"{self._name}: {error}; nothing can be left out of it") from error
        logger.warning(
            "%s: %s; %d records come again, fewer at a time", self._name, error, taken.size
        )
        self._read_offset = self._offset
        if error.in_transaction:
            await self._renew_ledger()

    async def _renew_ledger(self) -> None:
        """Go on with another producer: aiokafka's does not survive a failed transaction.

        The new one aborts what the old one left. It would also fence a worker that has taken the
        partition over meanwhile. So the group is asked first, and in the end what the changelog
        holds decides whether the partition is still ours.

        Raises:
            SessionLost: It is not.
        """
        await self._ledger.stop()
        if not await self._group.is_confirmed():
            raise SessionLost(f"{self._name}: the group no longer counts this worker as a member")
        self._ledger = self._new_ledger()
        await self._ledger.start()
        known, rows = self._cached.restored, self._cached.rows
        self._cached.restored = found = await restore(
            self._settings, self._changelog, rows, known, lambda *_: None
        )
        if known is None or found.position != known.position:
            raise SessionLost(f"another worker has written the rows of {self._name} meanwhile")

    async def _commit(self, batch: Batch[Any]) -> None:
        encode = self._cached.rows.encode
        encoded: dict[bytes, bytes | None] = {}
        for count, (key, row) in enumerate(batch.changed.items(), 1):
            encoded[key] = None if row is None else encode(row)
            if not count % _ENCODE_CHUNK:
                await asyncio.sleep(0)
        offset = self._read_offset
        position = Position(
            offset, self._metadata.topic_id, self._metadata.partitions, since=self._since
        )
        written = await self._ledger.commit(encoded, position, batch.outputs)
        batch.placed = written.placed
        batch.removed = self._cached.rows.commit(batch.changed, encoded)
        self._cached.restored = RestoreResult(position, written.end, 0)
        self._offset = offset
        self._committed_at = time.monotonic()
        if batch.records:
            self._last_timestamp = batch.records[-1].timestamp
        self._oldest = None

    def _should_commit_markers(self) -> bool:
        """Whether only markers lie behind the stored position, and have for a while.

        A position left before them would seem lost once retention has taken all that is behind it.
        """
        waited = time.monotonic() - self._committed_at
        return self._read_offset > self._offset and waited > _MARKERS_SECONDS

    # -- what waits ----------------------------------------------------------------------------

    def look(self, now: float) -> None:
        """Take note of what fetches have brought; to be called a few times a second."""
        self._backlog.look(self._begun(), now, busy=self._is_busy())

    def unanswered(self, now: float) -> float:
        """Return the seconds since a fetch could have been answered, and none was."""
        return self._backlog.unanswered(now) if self.phase is TaskState.RUNNING else 0.0

    def is_heard(self, now: float, limit: float) -> bool:
        """Say whether a fetch was answered lately, or what was fetched is being processed."""
        is_running = self.phase is TaskState.RUNNING
        return is_running and (self._is_busy() or self._backlog.is_heard(now, limit))

    def _is_busy(self) -> bool:
        """Whether fetched records are being processed, so that nothing need be fetched."""
        return self._fetched is not None or (self._in_batch and self._oldest is not None)

    @property
    def stored(self) -> int | None:
        """The position that lies with the rows, as far as it was read or written here."""
        restored = self._cached.restored
        return None if restored is None or restored.position is None else restored.position.offset

    def _begun(self) -> int:
        return self._offset if self._in_batch else max(self._offset, self._read_offset)

    def _is_caught_up(self) -> bool:
        return self._backlog.is_empty(self._read_offset)

    def lag(self) -> Lag:
        """Return how many records wait, and for how long the oldest of them has.

        Between two batches the oldest waiting record is not known. Its age is then taken from the
        last one read, which is as old or older, but not beyond the time when nothing waited.
        """
        now = time.monotonic()
        self.look(now)
        oldest = self._oldest if self._oldest is not None else self._last_timestamp
        at_work = self.phase is TaskState.RUNNING
        return self._backlog.lag(
            self._begun(), oldest, now, at_work=at_work, busy=at_work and self._is_busy()
        )
