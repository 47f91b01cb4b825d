"""One partition at work: take over, restore, then batch by batch."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, OffsetOutOfRangeError

from streams.exact.batch import Batch
from streams.exact.cluster import TopicFacts, topic_facts
from streams.exact.deadline import bounded
from streams.exact.errors import Refusal, SessionLost, TooLarge
from streams.exact.fetched import Taken, hand_over, take
from streams.exact.ledger import Ledger
from streams.exact.limits import Limits
from streams.exact.portions import Portions
from streams.exact.position import MOVING, Position
from streams.exact.restore import Restored, restore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiokafka import AIOKafkaConsumer

    from streams.exact.fetched import Fetched
    from streams.exact.listener import Listener
    from streams.exact.rows import Rows
    from streams.exact.settings import ExactSettings

logger = logging.getLogger(__name__)

#: Encoding rows of a large batch lets the loop breathe after so many.
_ENCODE_CHUNK = 500

#: Of so many first records the middle one tells from when on a topic holds records.
_FIRST_RECORDS = 11

#: Markers alone are worth a transaction once in so many seconds.
_MARKERS_SECONDS = 60.0

#: A fetch older than this does not tell whether more is waiting.
_FRESH_SECONDS = 5.0


class Phase(StrEnum):
    """Where a partition stands."""

    STARTING = "starting"
    RESTORING = "restoring"
    RUNNING = "running"


@dataclass
class Kept:
    """What a partition leaves in memory for the case that it comes back.

    Attributes:
        rows: Its rows, as committed.
        restored: Up to where they are known; None before the first restore is through.
        since: When it was last ours, in monotonic seconds.
    """

    rows: Rows[Any]
    restored: Restored | None = None
    since: float = 0.0


class Partition:
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
        guard: Raises `Refusal` where this worker must not write.
    """

    def __init__(
        self,
        settings: ExactSettings,
        source: TopicPartition,
        changelog: str,
        facts: TopicFacts,
        kept: Kept,
        consumer: AIOKafkaConsumer,
        deliver: Callable[[Batch[Any]], Awaitable[None]],
        place: Callable[[str, bytes | None], int],
        listener: Listener,
        clock: Callable[[], float],
        guard: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._settings = settings
        self._source = source
        self._changelog = TopicPartition(changelog, source.partition)
        self._facts = facts
        self._kept = kept
        self._consumer = consumer
        self._deliver = deliver
        self._listener = listener
        self._clock = clock
        self._guard = guard
        self._new_ledger = partial(Ledger, settings, source, changelog, place, Limits())
        self._ledger = self._new_ledger()
        quarter = settings.session_timeout / 4
        self._portions = Portions(settings.batch_records, settings.batch_seconds or quarter)
        self._stopping = False
        self._task: asyncio.Task[Any] | None = None
        self._in_batch = False
        self._more = False
        self._fetched: Fetched | None = None
        self._offset = 0
        self._reached = 0
        self._since = 0
        self._oldest: int | None = None
        self._last_timestamp: int | None = None
        self._committed_at = time.monotonic()
        self._caught_up_at = 0.0
        self.phase = Phase.STARTING

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

        Raises:
            Refusal: Going on would lie.
            SessionLost: A new session is needed.
        """
        number = self._source.partition
        told = False
        self._task = asyncio.current_task()
        if self._stopping:
            return
        try:
            await self._ledger.start()
            if self._guard is not None:
                await self._guard()
            self.phase = Phase.RESTORING
            began = time.monotonic()
            self._kept.restored = await restore(
                self._settings,
                self._changelog,
                self._kept.rows,
                self._kept.restored,
                lambda done, total: self._listener.restoring(number, done, total),
            )
            position = self._kept.restored.position
            self._offset = await self._check(position)
            if position is not None:
                self._since = position.since
            elif self._offset:
                self._since = -1  # the topic has lost its beginning
            told = True
            self._listener.restored(number, self._kept.rows, time.monotonic() - began)
            self._reached = self._offset
            hand_over(self._consumer)
            self._consumer.seek(self._source, self._offset)
            self._consumer.resume(self._source)
            self.phase = Phase.RUNNING
            while not self._stopping:
                await self._batch()
        except asyncio.CancelledError:
            if not self._stopping:
                raise
        except IllegalStateError as error:  # as by seek: a rebalance has overtaken us
            raise SessionLost(f"{self._source.topic}/{number}: {error!r}") from error
        finally:
            self._kept.since = time.monotonic()
            self.phase = Phase.STARTING
            if told:
                self._listener.lost(number)
            await self._ledger.stop()

    async def _check(self, position: Position | None) -> int:
        """Say where to read on, or refuse where that would lie."""
        topic, number = self._source
        async with bounded(self._settings.deadline, f"asking for the offsets of {topic}/{number}"):
            facts = (await topic_facts(self._consumer._client, [topic])).get(topic)  # noqa: SLF001  # aiokafka shows it nowhere
            begin = (await self._consumer.beginning_offsets([self._source]))[self._source]
            end = (await self._consumer.end_offsets([self._source]))[self._source]
        if facts != self._facts:
            # Deleted or made anew while we were at it: the next session looks at all of it.
            raise SessionLost(f"topic {topic} is no longer the one that this session began with")
        if position is None:
            return int(begin)
        remedies = self._settings.remedies
        anew = remedies.anew
        if position.topic_id != self._facts.topic_id:
            raise Refusal(
                f"topic {topic} was made anew since its rows were written (id "
                f"{self._facts.topic_id}, they are of {position.topic_id}): {anew}"
            )
        if position.partitions == MOVING:
            raise Refusal(
                f"the rows of {topic}/{number} are being put there from elsewhere, and are not all "
                f"there yet: {remedies.moving}"
            )
        if position.partitions != self._facts.partitions:
            raise Refusal(
                f"topic {topic} has {self._facts.partitions} partitions, its rows were written "
                f"when it had {position.partitions}; keys lie elsewhere now: "
                f"{remedies.grown or anew}"
            )
        if not begin <= position.offset <= end:
            where = "lost to retention" if position.offset < begin else "no longer in the topic"
            raise Refusal(
                f"the rows of {topic}/{number} stand at offset {position.offset}, the topic holds "
                f"{begin} to {end}: records between are {where}, and going on would leave them "
                f"out silently; {anew}"
            )
        return position.offset

    async def _take(self) -> Taken:
        """Take what the next batch holds: what was put back first, then what is fetched."""
        if (waiting := self._portions.next()) is not None:
            taken, self._reached = waiting
            return taken
        settings, source = self._settings, self._source
        wait = 0 if self._more else int(settings.tick * 1000)
        try:
            async with bounded(settings.deadline, f"fetching from {source.topic}"):
                if self._fetched is None:
                    self._fetched = await take(self._consumer, source, wait)
        except SessionLost as error:
            if isinstance(error.__cause__, OffsetOutOfRangeError):
                raise Refusal(
                    f"offset {self._offset} of {source.topic}/{source.partition} is no longer in "
                    "the topic: the worker is further behind than the topic's retention. Raise "
                    f"the retention; {self._settings.remedies.anew}"
                ) from error
            raise
        if (fetched := self._fetched) is None:
            return Taken([], [])
        taken = await fetched.fill(self._portions.records, settings.batch_bytes)
        # Past the markers of transactions and what was aborted, which are no records.
        self._reached = fetched.end
        if fetched.is_over:
            self._fetched = None
        return taken

    async def _batch(self) -> None:
        taken = await self._take()
        if taken.records:
            self._oldest = taken.records[0].timestamp
            if self._since < 0:
                first = sorted(record.timestamp for record in taken.records[:_FIRST_RECORDS])
                self._since = max(1, first[len(first) // 2])
        batch = Batch(
            self._source,
            taken.records,
            self._kept.rows,
            caught_up=self._is_caught_up(),
            read_at=self._clock(),
            unreadable=taken.unreadable,
            since=max(0, self._since),
        )
        began = time.monotonic()
        self._in_batch = True
        try:
            await self._deliver(batch)
            await batch.worked_off()
            worked = time.monotonic()
            if not batch.is_empty or self._is_time_to_pass_markers():
                await self._commit(batch)
            self._more = batch.more
            self._portions.worked(taken.size, worked - began)
            self._listener.committed(batch, worked - began, time.monotonic() - worked)
        except TooLarge as error:
            self._kept.rows.rollback(batch.changed)
            too_large = error
        except BaseException:
            batch.give_up()
            self._kept.rows.rollback(batch.changed)
            raise
        else:
            return
        finally:
            self._in_batch = False
        await self._make_smaller(taken, too_large)

    async def _make_smaller(self, taken: Taken, error: TooLarge) -> None:
        """Have a batch come again of which a topic does not take what came of it."""
        where = f"{self._source.topic}/{self._source.partition}"
        try:
            self._portions.put_back(taken, self._reached, error)
        except TooLarge:
            raise SessionLost(f"{where}: {error}; nothing can be left out of it") from error
        logger.warning("%s: %s; %d records come again, fewer at a time", where, error, taken.size)
        self._reached = self._offset
        if error.in_transaction:
            await self._renew_ledger()

    async def _renew_ledger(self) -> None:
        """Go on with another producer: aiokafka's does not survive a failed transaction.

        The new one aborts what the old one left. It would also fence a worker that has taken the
        partition over meanwhile, so what the changelog holds now decides whether it is still ours.

        Raises:
            SessionLost: It is not.
        """
        await self._ledger.stop()
        self._ledger = self._new_ledger()
        await self._ledger.start()
        known, rows = self._kept.restored, self._kept.rows
        self._kept.restored = found = await restore(
            self._settings, self._changelog, rows, known, lambda *_: None
        )
        if known is None or found.position != known.position:
            where = f"{self._source.topic}/{self._source.partition}"
            raise SessionLost(f"another worker has written the rows of {where} meanwhile")

    async def _commit(self, batch: Batch[Any]) -> None:
        encode = self._kept.rows.encode
        encoded: dict[bytes, bytes | None] = {}
        for count, (key, row) in enumerate(batch.changed.items(), 1):
            encoded[key] = None if row is None else encode(row)
            if not count % _ENCODE_CHUNK:
                await asyncio.sleep(0)
        offset = self._reached
        position = Position(offset, self._facts.topic_id, self._facts.partitions, since=self._since)
        end = await self._ledger.commit(encoded, position, batch.outputs)
        self._kept.rows.commit(batch.changed, encoded)
        self._kept.restored = Restored(position, end, 0)
        self._offset = offset
        self._committed_at = time.monotonic()
        if batch.records:
            self._last_timestamp = batch.records[-1].timestamp
        self._oldest = None

    def _is_time_to_pass_markers(self) -> bool:
        """Whether only markers lie behind the stored position, and have for a while.

        A position left before them would seem lost once retention has taken all that is behind it.
        """
        waited = time.monotonic() - self._committed_at
        return self._reached > self._offset and waited > _MARKERS_SECONDS

    def _is_caught_up(self) -> bool:
        end = self._consumer.highwater(self._source)
        polled = self._consumer.last_poll_timestamp(self._source)
        if end is None or polled is None or time.time() - polled / 1000 > _FRESH_SECONDS:
            return False
        caught_up = bool(self._reached >= end)
        if caught_up:
            self._caught_up_at = time.time()
        return caught_up

    def lag(self) -> tuple[int, float]:
        """Return how many records wait, and the age of the oldest of them in seconds.

        Between two batches the oldest waiting record is not known. Its age is then taken from the
        last one read, which is as old or older, but not beyond the time when nothing waited.
        """
        if self.phase is not Phase.RUNNING:
            return 0, 0.0
        end = self._consumer.highwater(self._source)
        begun = self._offset if self._in_batch else max(self._offset, self._reached)
        waiting = max(0, end - begun) if end is not None else 0
        if not waiting:
            return 0, 0.0
        if self._oldest is not None:
            oldest = self._oldest / 1000
        else:
            oldest = max(self._caught_up_at, (self._last_timestamp or 0) / 1000)
        return waiting, max(0.0, time.time() - oldest) if oldest else 0.0
