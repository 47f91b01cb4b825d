"""The source: a Kafka topic as batches, with one task a partition."""

from __future__ import annotations

import asyncio
import atexit
import logging
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import mode
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition

from streams.exact.assignor import sticky_assignor
from streams.exact.cluster import TopicMetadata, check_cluster
from streams.exact.deadline import close_within, with_deadline
from streams.exact.errors import Fenced, SessionLost, Unrecoverable, release_frames
from streams.exact.failure import Backoff
from streams.exact.group_offsets import GroupOffsets, watch_offsets
from streams.exact.health import HealthWatch
from streams.exact.listener import Listener
from streams.exact.membership import Membership
from streams.exact.partition import CachedState, PartitionTask, TaskState
from streams.exact.readiness import Standing, not_ready_reason
from streams.murmur2 import murmur2

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from streams.exact.batch import Batch
    from streams.exact.progress import Lag
    from streams.exact.rows import Rows
    from streams.exact.settings import ExactSettings

logger = logging.getLogger(__name__)

_FIRST_PAUSE = 0.2
_MAX_PAUSE = 5.0

#: After this share of the patience without an answer, which several sessions have tried for, the
#: source is unhealthy; after all of it without any progress the worker ends by itself.
_UNHEALTHY = 0.5

#: So often is looked at how a session stands, in seconds.
_LOOK = 0.25


#: Longer keys are hashed each time: all that are remembered take less than 40 MB.
_MAX_REMEMBERED_LENGTH = 128


def _hash(key: bytes) -> int:
    return _remembered(key) if len(key) <= _MAX_REMEMBERED_LENGTH else murmur2(key) & 0x7FFFFFFF


@lru_cache(maxsize=100_000)
def _remembered(key: bytes) -> int:
    return murmur2(key) & 0x7FFFFFFF


class Source(mode.Service):
    """A topic whose records reach one agent as batches, with rows that move with them.

    Declare it as you would a topic in Faust, and the agent on its `channel`:

        words = Source(app, "words", changelog="counts", rows=lambda: Rows(int, str), …)

        @app.agent(words.channel)
        async def count(batches): …

    Args:
        app: The Faust app; its BootStrategy starts the source (see `boot.py`).
        topic: What is read.
        changelog: Where the rows are kept: a compacted topic with as many partitions as `topic`.
        outputs: What topics batches send to.
        rows: Makes an empty `Rows` for one partition.
        settings: The layer's settings.
        listener: Who is told of what becomes durable.
        clock: Seconds of the wall clock, for `Batch.read_at`.
        monotonic: Seconds of a monotonic clock, for `Batch.monotonic`.
        guard: Asked by each partition once it has fenced who had it before, and before anything is
            read: raises `Unrecoverable` where the worker must not write.
        told: What this worker tells of itself in its membership, for whoever asks the group; read
            by `assignor.read_members`.
    """

    def __init__(
        self,
        app: Any,
        topic: str,
        *,
        changelog: str,
        outputs: Sequence[str] = (),
        rows: Callable[[], Rows[Any]],
        settings: ExactSettings,
        listener: Listener | None = None,
        clock: Callable[[], float] = time.time,
        guard: Callable[[], Awaitable[None]] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        told: Callable[[], bytes] | None = None,
        **kwargs: Any,
    ) -> None:
        self.app = app
        self.topic = topic
        self.changelog = changelog
        self.outputs = tuple(outputs)
        self.channel = app.channel(value_type=None, maxsize=64)
        self.partitions: dict[int, PartitionTask] = {}
        self.is_member = False
        self._assignor = sticky_assignor(told)
        self._closed: asyncio.Future[None] | None = None
        self._new_rows = rows
        self._settings = settings
        self._listener = listener or Listener()
        self._clock = clock
        self._guard = guard
        self._monotonic = monotonic
        self._cached: dict[int, CachedState] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._failure: asyncio.Future[None] | None = None
        self._consumer: AIOKafkaConsumer | None = None
        self._metadata: dict[str, TopicMetadata] = {}
        self._progress = time.monotonic()
        self._member_since = time.monotonic()
        self._membership = self._new_membership()
        self._offsets = GroupOffsets()
        self._health = HealthWatch(time.monotonic())
        super().__init__(**kwargs)

    # -- what others may ask -------------------------------------------------------------------

    def lags(self) -> dict[int, Lag]:
        """Return what waits in each partition that the group has given this worker.

        And in those that nobody seems to work on: something waits, and the group's position has not
        moved for a while.
        """
        now = time.monotonic()
        lags = self._offsets.stalled(now, without=self.partitions)
        for number, partition in self.partitions.items():
            own = partition.lag()
            is_running = partition.phase is TaskState.RUNNING
            lags[number] = (
                own if is_running else self._offsets.lag(number, partition.stored, own, now)
            )
        return lags

    def failing(self) -> dict[int, float]:
        """Return for how long each partition has not been able to go on, in seconds; 0 if it does.

        For the partitions that the group has given this worker.
        """
        now = time.monotonic()
        return {
            number: 0.0 if partition.failure is None else now - partition.failure.since
            for number, partition in self.partitions.items()
        }

    def restored_ratios(self) -> dict[int, float]:
        """Return how much of each partition's rows was read back, 0 to 1."""
        return {
            number: 1.0 if partition.phase is TaskState.RUNNING else partition.restored_ratio
            for number, partition in self.partitions.items()
        }

    def not_ready_reason(self) -> str | None:
        """Return what is still missing, or None."""
        settings = self._settings
        if not self.is_member:
            return f"not a member of group {settings.group} yet"
        now = time.monotonic()
        return not_ready_reason(
            self.topic,
            settings.group,
            {
                number: Standing(
                    partition.phase.value,
                    partition.phase is TaskState.RUNNING,
                    partition.failure,
                    partition.unanswered(now),
                )
                for number, partition in self.partitions.items()
            },
            silent=self._membership.unanswered(now),
            limit=settings.session_timeout,
            now=now,
        )

    def unhealthy_reason(self) -> str | None:
        """Return what new sessions do not mend, so that a restart may be better, or None."""
        if self.crash_reason is not None:
            return f"the worker is ending: {self.crash_reason}"
        silent = self._health.silent(time.monotonic())
        if silent <= _UNHEALTHY * self._settings.patience:
            return None
        return (
            f"no fetch of {self.topic} was answered for {silent:.0f} s, whatever sessions were "
            "begun anew: see that Kafka answers and its partitions have leaders; if they do, "
            "restart this worker"
        )

    def is_current(self) -> bool:
        """Say whether the partitions are still this worker's for certain.

        The group gives them to nobody else within the session timeout of the last heartbeat. So a
        process that stood still knows by this that others may own them by now.
        """
        unconfirmed = self._membership.unconfirmed(time.monotonic())
        return self.is_member and unconfirmed < self._settings.session_timeout

    def partition_count(self, topic: str | None = None) -> int | None:
        """Return how many partitions a topic has, None before that is known."""
        facts = self._metadata.get(topic or self.topic)
        return facts.partitions if facts else None

    def topic_id(self) -> str | None:
        """Return the id of the topic that is read, None before that is known."""
        facts = self._metadata.get(self.topic)
        return facts.topic_id if facts else None

    # -- life ----------------------------------------------------------------------------------

    @mode.Service.task
    async def _work(self) -> None:
        try:
            await self._run_sessions()
        except Exception as error:
            # Faust logs much on its way out; whoever looks at night reads the last line.
            atexit.register(logger.critical, "worker stopped: %s", _error_text(error))
            raise

    async def _run_sessions(self) -> None:
        """Keep up a session with Kafka; after one is lost, begin another."""
        backoff = Backoff(_FIRST_PAUSE, _MAX_PAUSE)
        self._progress = time.monotonic()
        while not self.should_stop:
            before = self._progress
            try:
                await self._run_session()
            except SessionLost as error:
                self._listener.session_lost(error)
                if self._progress != before:
                    backoff.went_on()
                self._require_progress(str(error))
                failure = backoff.failed(str(error), time.monotonic(), time.time())
                logger.warning(
                    "%s: %s; a new session follows in %.1f s",
                    "fenced" if isinstance(error, Fenced) else "session lost",
                    error,
                    failure.pause,
                )
                release_frames(error)
                await self.sleep(failure.pause)

    def _require_progress(self, reason: str) -> None:
        """Give up where nothing at all went on for longer than the patience.

        Raises:
            Unrecoverable: So it is.
        """
        failing = time.monotonic() - self._progress
        if failing > self._settings.patience:
            raise Unrecoverable(
                f"nothing could be done for {failing:.0f} s, last because of: {reason}; see "
                "that Kafka answers and has its replicas, then start again"
            )

    async def on_stop(self) -> None:
        """Let the batches in flight become durable, for a bounded time."""
        if self._failure is not None and not self._failure.done():
            self._failure.set_result(None)
        if self._closed is not None:
            await asyncio.wait({self._closed}, timeout=self._settings.drain)

    async def _run_session(self) -> None:
        """One membership in the group, from joining it to leaving it."""
        loop = asyncio.get_running_loop()
        self._failure = broken = loop.create_future()
        self._closed = done = loop.create_future()
        self._member_since = time.monotonic()
        membership = self._membership = self._new_membership()
        consumer = watching = None
        try:
            self._metadata = await check_cluster(
                self._settings, self.topic, self.changelog, self.outputs
            )
            consumer = self._consumer = self._new_consumer()
            consumer.subscribe([self.topic], listener=_Rebalance(self))
            async with with_deadline(self._settings.deadline, "joining the group"):
                await consumer.start()
            membership.watch(consumer)
            watching = asyncio.create_task(
                watch_offsets(
                    consumer,
                    self.topic,
                    self._metadata[self.topic].partitions,
                    self._offsets,
                    self._settings.deadline,
                )
            )
            self.app.flow_control.resume()  # Faust's own consumer would; without it channels wait
            while not broken.done():
                await asyncio.wait({broken}, timeout=_LOOK)
                await self._look(consumer)
            await broken
        except SessionLost as error:
            # Where another worker has taken the instance over, a new session would take it back.
            if self._settings.instance is not None:
                await self.is_confirmed()
            if membership.fenced is not None:
                raise membership.fenced from error
            raise
        finally:
            broken.cancel()  # from now on no partition is begun
            self.is_member = False
            await self._stop_tasks()
            if watching is not None:
                watching.cancel()
                await asyncio.wait({watching})
            if consumer is not None:
                await close_within(3.0, consumer.stop())
                # Where that was cut short, these are what would go on behind our back.
                if consumer._fetcher is not None:  # noqa: SLF001  # stop() is all that it shows
                    await close_within(1.0, consumer._fetcher.close())  # noqa: SLF001  # as above
                await close_within(1.0, consumer._client.close())  # noqa: SLF001  # as above
            if not done.done():
                done.set_result(None)
            if broken.done() and not broken.cancelled():
                broken.exception()

    async def _look(self, consumer: AIOKafkaConsumer) -> None:
        """See whether the session goes on.

        Raises:
            SessionLost: It does not.
            Unrecoverable: Another worker has taken the instance over, or nothing progressed for
                too long.
        """
        self._look_at_health(time.monotonic())
        if self._membership.fenced is not None:
            raise self._membership.fenced
        async with with_deadline(self._settings.deadline, "membership in the group"):
            # Only `getmany` would ask, and without partitions nobody calls it.
            consumer._coordinator.check_errors()  # noqa: SLF001  # shown nowhere else
        if consumer._fetcher._fetch_task.done():  # noqa: SLF001  # shown nowhere else
            raise SessionLost("aiokafka's task that fetches records has ended")
        now = time.monotonic()
        self._look_at_fetches(now)
        self._look_at_membership(now)
        # (What is only begun has a deadline of its own, and fails by that, with its reason.)
        failures = [p.failure.reason for p in self.partitions.values() if p.failure is not None]
        if failures:
            self._require_progress(failures[-1])

    def _look_at_health(self, now: float) -> None:
        """Take note of whether fetches are answered, or the group of one without partitions."""
        limit = self._settings.deadline
        partitions = list(self.partitions.values())
        if partitions:
            heard = any(partition.is_heard(now, limit) for partition in partitions)
        else:
            heard = self.is_member and self._membership.unanswered(now) <= limit
        restoring = any(partition.phase is TaskState.RESTORING for partition in partitions)
        self._health.look(now, heard=heard, restoring=restoring)

    def _look_at_fetches(self, now: float) -> None:
        """See whether fetches are answered: where none is, the session ends, else the partition."""
        limit = self._settings.deadline
        for partition in self.partitions.values():
            partition.look(now)
        running = [p for p in self.partitions.values() if p.phase is TaskState.RUNNING]
        silent = [p for p in running if p.unanswered(now) > limit]
        reason = (
            f"no fetch was answered for over {limit:g} s: its leader is unknown or does not work"
        )
        if silent and len(silent) == len(running):
            raise SessionLost(f"{self.topic}: {reason}")
        for partition in silent:
            partition.interrupt(SessionLost(reason))

    def _look_at_membership(self, now: float) -> None:
        """See whether the group's coordinator is heard of."""
        limit = self._settings.deadline
        if not self.is_member:
            limit += self._settings.rebalance_timeout
            if now - self._member_since > limit:
                raise SessionLost(f"the group gave no partitions for over {limit:g} s")
        elif not self.partitions:
            if self._membership.unanswered(now) > limit:
                raise SessionLost(f"the group's coordinator has not answered for over {limit:g} s")
            self.went_on()

    async def is_confirmed(self) -> bool:
        """Say whether the group counts this worker as a member of its current generation.

        Raises:
            Unrecoverable: Another worker has taken the instance over.
        """
        try:
            async with with_deadline(
                self._settings.session_timeout, "asking the group's coordinator"
            ):
                return await self._membership.is_confirmed()
        except SessionLost:
            return False

    def went_on(self) -> None:
        """Take note that something was achieved."""
        self._progress = time.monotonic()

    def _new_membership(self) -> Membership:
        settings = self._settings
        return Membership(settings.group, settings.instance, settings.instance_setting)

    def _new_consumer(self) -> AIOKafkaConsumer:
        settings = self._settings
        return AIOKafkaConsumer(
            **settings.reader(f"source-{self.topic}"),
            group_id=settings.group,
            group_instance_id=settings.instance,
            partition_assignment_strategy=[self._assignor],
            session_timeout_ms=int(settings.session_timeout * 1000),
            heartbeat_interval_ms=int(settings.session_timeout * 1000 / 3),
            rebalance_timeout_ms=int(settings.rebalance_timeout * 1000),
            max_poll_interval_ms=10**12,  # neither a long restore nor having no partition is idle
            metadata_max_age_ms=60_000,
        )

    # -- rebalances ----------------------------------------------------------------------------

    async def _start_tasks(self, assigned: set[TopicPartition]) -> None:
        """Start the partitions' tasks; no heartbeat goes out before this returns."""
        if self._failure is None or self._failure.done():
            return  # the session is over: what is begun now nobody would end
        numbers = {tp.partition for tp in assigned}
        consumer = self._consumer
        assert consumer is not None
        self._membership.watch(consumer)
        self._listener.rebalanced()
        logger.info("assigned partitions %s of %s", sorted(numbers), self.topic)
        horizon = time.monotonic() - self._settings.state_cache_ttl
        self._cached = {
            number: kept
            for number, kept in self._cached.items()
            if number in numbers and kept.since > horizon
        }
        for tp in sorted(assigned):
            consumer.pause(tp)
            consumer.seek(tp, 0)  # not read from: so that no committed offset is asked for
            kept = self._cached.setdefault(tp.partition, CachedState(self._new_rows()))
            partition = PartitionTask(
                self._settings,
                tp,
                self.changelog,
                self._metadata[self.topic],
                kept,
                consumer,
                self._deliver,
                self._partition_for,
                self._listener,
                self._clock,
                self._monotonic,
                self,
                self._guard,
            )
            self.partitions[tp.partition] = partition
            task = asyncio.create_task(partition.run(), name=f"{tp.topic}/{tp.partition}")
            task.add_done_callback(self._on_task_done)
            self._tasks[tp.partition] = task
        self.is_member = True

    async def _stop_tasks(self) -> None:
        """End the partitions' tasks: after the batch in flight, or when the time is up.

        A batch cut short leaves an open transaction that the next owner aborts.
        """
        for partition in self.partitions.values():
            partition.stop()
        tasks = set(self._tasks.values())
        if tasks:
            # (Heartbeats go on while a rebalance waits for us, as long as it waits at all.)
            limit = self._settings.drain
            _, late = await asyncio.wait(tasks, timeout=limit)
            for task in late:
                task.cancel()
            for number in [n for n, task in self._tasks.items() if task in late]:
                # The agent may still come to its batch: then on rows that nobody uses any more.
                self._cached.pop(number, None)
            if late:
                logger.warning(
                    "drain timeout: cancelled after %.1f s: %s", limit, [t.get_name() for t in late]
                )
                await asyncio.wait(late, timeout=5.0)
        self.partitions.clear()
        self._tasks.clear()

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        """End the session with a partition's error."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        if self._failure is not None and not self._failure.done():
            self._failure.set_exception(error)
        elif not isinstance(error, SessionLost):
            logger.error("%s: %s", task.get_name(), error)

    # -- what partitions need ------------------------------------------------------------------

    async def _deliver(self, batch: Batch[Any]) -> None:
        await self.channel.send(value=batch)

    def _partition_for(self, topic: str, key: bytes | None) -> int:
        """Return the partition of an output: where murmur2 puts its key."""
        count = self.partition_count(topic)
        if count is None:
            raise Unrecoverable(f"topic {topic} is written to but was not declared as an output")
        return _hash(key or b"") % count


def _error_text(error: Exception) -> str:
    """A refusal speaks for itself; of anything else the kind matters too."""
    return str(error) if isinstance(error, Unrecoverable) else f"{type(error).__name__}: {error}"


class _Rebalance(ConsumerRebalanceListener):
    def __init__(self, source: Source) -> None:
        self._source = source

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        del revoked  # always all of them: aiokafka rebalances eagerly
        if self._source.is_member:
            self._source._member_since = time.monotonic()  # noqa: SLF001  # one object in two halves
        self._source.is_member = False
        await self._source._stop_tasks()  # noqa: SLF001  # the two are one object in two halves

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        try:
            await self._source._start_tasks(assigned)  # noqa: SLF001  # as above
        except Exception as error:  # aiokafka would log it, and leave the partitions idle
            broken = self._source._failure  # noqa: SLF001  # as above
            if broken is not None and not broken.done():
                broken.set_exception(error)
            raise
