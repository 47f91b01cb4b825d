"""One session with Kafka: a membership in the group, and a task for each partition it gives."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from aiokafka import ConsumerRebalanceListener, TopicPartition

from streams.exact.cluster import check_cluster
from streams.exact.deadline import close_within, with_deadline
from streams.exact.declaration import Declaration, Kept, new_consumer
from streams.exact.errors import SessionLost, Unrecoverable
from streams.exact.group_offsets import watch_offsets
from streams.exact.membership import Membership
from streams.exact.partition import CachedState, PartitionTask, TaskState
from streams.exact.placing import partition_of

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer

logger = logging.getLogger(__name__)

#: So often is looked at how a session stands, in seconds.
_LOOK = 0.25


class Session:
    """One membership in the group, from joining it to leaving it.

    Args:
        declared: What the source is.
        kept: What it keeps from session to session.

    Attributes:
        partitions: The tasks of the partitions that the group has given this worker.
        membership: How the group's coordinator sees it.
        is_member: Whether the group has given it partitions, perhaps none.
        consumer: The group's consumer, None before the cluster was looked at.
    """

    def __init__(self, declared: Declaration, kept: Kept) -> None:
        self.partitions: dict[int, PartitionTask] = {}
        settings = declared.settings
        self.membership = Membership(settings.group, settings.instance, settings.instance_setting)
        self.is_member = False
        self.consumer: AIOKafkaConsumer | None = None
        self._declared = declared
        self._settings = settings
        self._kept = kept
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._since = time.monotonic()
        loop = asyncio.get_running_loop()
        self._failure: asyncio.Future[None] = loop.create_future()
        self._closed: asyncio.Future[None] = loop.create_future()

    async def run(self) -> None:
        """Join the group, work, and leave it.

        Raises:
            SessionLost: It was lost, and another one may follow.
            Unrecoverable: Going on would lie.
        """
        declared, kept = self._declared, self._kept
        watching = None
        try:
            kept.metadata = await check_cluster(
                self._settings, declared.topic, declared.changelog, declared.outputs
            )
            consumer = self.consumer = new_consumer(declared)
            consumer.subscribe([declared.topic], listener=_Rebalance(self))
            async with with_deadline(self._settings.deadline, "joining the group"):
                await consumer.start()
            self.membership.watch(consumer)
            watching = asyncio.create_task(
                watch_offsets(
                    consumer,
                    declared.topic,
                    kept.metadata[declared.topic].partitions,
                    kept.offsets,
                    self._settings.deadline,
                )
            )
            declared.resume()
            while not self._failure.done():
                await asyncio.wait({self._failure}, timeout=_LOOK)
                await self._look(consumer)
            await self._failure
        except SessionLost as error:
            # Where another worker has taken the instance over, a new session would take it back.
            if self._settings.instance is not None:
                await self.is_confirmed()
            if self.membership.fenced is not None:
                raise self.membership.fenced from error
            raise
        finally:
            await self._close(watching)

    async def _close(self, watching: asyncio.Task[None] | None) -> None:
        self._failure.cancel()  # from now on no partition is begun
        self.is_member = False
        await self._stop_tasks()
        if watching is not None:
            watching.cancel()
            await asyncio.wait({watching})
        consumer = self.consumer
        if consumer is not None:
            await close_within(3.0, consumer.stop())
            # Where that was cut short, these are what would go on behind our back.
            if consumer._fetcher is not None:  # noqa: SLF001  # stop() is all that it shows
                await close_within(1.0, consumer._fetcher.close())  # noqa: SLF001  # as above
            await close_within(1.0, consumer._client.close())  # noqa: SLF001  # as above
        if not self._closed.done():
            self._closed.set_result(None)
        if self._failure.done() and not self._failure.cancelled():
            self._failure.exception()

    async def stop(self) -> None:
        """End it, and let the batches in flight become durable, for a bounded time."""
        if not self._failure.done():
            self._failure.set_result(None)
        await asyncio.wait({self._closed}, timeout=self._settings.drain)

    async def is_confirmed(self) -> bool:
        """Say whether the group counts this worker as a member of its current generation.

        Raises:
            Unrecoverable: Another worker has taken the instance over.
        """
        try:
            async with with_deadline(
                self._settings.session_timeout, "asking the group's coordinator"
            ):
                return await self.membership.is_confirmed()
        except SessionLost:
            return False

    def went_on(self) -> None:
        """Take note that something was achieved."""
        self._kept.patience.went_on(time.monotonic())

    # How it stands.

    async def _look(self, consumer: AIOKafkaConsumer) -> None:
        """See whether the session goes on.

        Raises:
            SessionLost: It does not.
            Unrecoverable: Another worker has taken the instance over, or nothing progressed for
                too long.
        """
        self._look_at_health(time.monotonic())
        if self.membership.fenced is not None:
            raise self.membership.fenced
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
            self._kept.patience.require(failures[-1], time.monotonic())

    def _look_at_health(self, now: float) -> None:
        """Take note of whether fetches are answered, or the group of one without partitions."""
        limit = self._settings.deadline
        partitions = list(self.partitions.values())
        if partitions:
            heard = any(partition.is_heard(now, limit) for partition in partitions)
        else:
            heard = self.is_member and self.membership.unanswered(now) <= limit
        restoring = any(partition.phase is TaskState.RESTORING for partition in partitions)
        self._kept.health.look(now, heard=heard, restoring=restoring)

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
            raise SessionLost(f"{self._declared.topic}: {reason}")
        for partition in silent:
            partition.interrupt(SessionLost(reason))

    def _look_at_membership(self, now: float) -> None:
        """See whether the group's coordinator is heard of."""
        limit = self._settings.deadline
        if not self.is_member:
            limit += self._settings.rebalance_timeout
            if now - self._since > limit:
                raise SessionLost(f"the group gave no partitions for over {limit:g} s")
        elif not self.partitions:
            if self.membership.unanswered(now) > limit:
                raise SessionLost(f"the group's coordinator has not answered for over {limit:g} s")
            self.went_on()

    # Rebalances.

    async def revoked(self) -> None:
        """End the partitions' tasks: the group is about to give all partitions anew."""
        if self.is_member:
            self._since = time.monotonic()
        self.is_member = False
        await self._stop_tasks()

    def assigned(self, assigned: set[TopicPartition]) -> None:
        """Start the partitions' tasks; no heartbeat goes out before this returns."""
        if self._failure.done():
            return  # the session is over: what is begun now nobody would end
        try:
            self._start_tasks(assigned)
        except Exception as error:  # aiokafka would log it, and leave the partitions idle
            self._failure.set_exception(error)
            raise

    def _start_tasks(self, assigned: set[TopicPartition]) -> None:
        declared, kept, consumer = self._declared, self._kept, self.consumer
        assert consumer is not None
        numbers = {tp.partition for tp in assigned}
        self.membership.watch(consumer)
        declared.listener.rebalanced()
        logger.info("assigned partitions %s of %s", sorted(numbers), declared.topic)
        horizon = time.monotonic() - self._settings.state_cache_ttl
        for number, cached in list(kept.cached.items()):
            if number not in numbers or cached.since <= horizon:
                del kept.cached[number]
        for tp in sorted(assigned):
            consumer.pause(tp)
            consumer.seek(tp, 0)  # not read from: so that no committed offset is asked for
            partition = PartitionTask(
                self._settings,
                tp,
                declared.changelog,
                kept.metadata[declared.topic],
                kept.cached.setdefault(tp.partition, CachedState(declared.rows())),
                consumer,
                declared.deliver,
                self._partition_for,
                declared.listener,
                declared.clock,
                declared.monotonic,
                self,
                declared.guard,
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
                self._kept.cached.pop(number, None)
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
        if not self._failure.done():
            self._failure.set_exception(error)
        elif not isinstance(error, SessionLost):
            logger.error("%s: %s", task.get_name(), error)

    def _partition_for(self, topic: str, key: bytes | None) -> int:
        """Return the partition of an output."""
        facts = self._kept.metadata.get(topic)
        if facts is None:
            raise Unrecoverable(f"topic {topic} is written to but was not declared as an output")
        return partition_of(key or b"", facts.partitions)


class _Rebalance(ConsumerRebalanceListener):
    def __init__(self, session: Session) -> None:
        self._session = session

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        del revoked  # always all of them: aiokafka rebalances eagerly
        await self._session.revoked()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._session.assigned(assigned)
