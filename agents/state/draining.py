"""Applies what lies in a stage's partitions, without a group: the worker's own way, to an end."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NoReturn

from aiokafka import AIOKafkaConsumer, TopicPartition

from agents import kafka
from agents.entries import broadcast_rows, scope_rows
from agents.pipeline.broadcasts.agent import BroadcastProcessor
from agents.pipeline.scopes.agent import ScopeProcessor
from agents.state.operation import StateError
from streams.exact import Listener, SessionLost
from streams.exact.cluster import TopicMetadata
from streams.exact.deadline import close_within, with_deadline
from streams.exact.partition import CachedState, PartitionTask
from streams.murmur2 import murmur2
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agents.state.stages import Stage
    from streams.exact import Batch, Rows
    from streams.exact.position import Position
    from streams.settings import Settings

_TICK: Final = 0.1
_LOOK: Final = 0.2


class _NoGroup:
    """In the place of a consumer group: no worker is in one while state is moved."""

    async def is_confirmed(self) -> bool:
        """Say yes: the command has seen to it that nobody else has the partition."""
        return True

    def went_on(self) -> None:
        """Do nothing: whoever runs the command sees how far it is."""


class _Draining(PartitionTask):
    """A partition whose topic has more partitions by now than when its rows were written."""

    def _failed(self, error: SessionLost) -> NoReturn:
        # The command ends with it; run again, it goes on where it was.
        raise error

    async def _resume_at(self, position: Position | None) -> int:
        topic, number = self._source
        async with with_deadline(
            self._settings.deadline, f"asking for the offsets of {topic}/{number}"
        ):
            begin = (await self._consumer.beginning_offsets([self._source]))[self._source]
        if position is None:
            return int(begin)
        if position.offset < begin:
            raise StateError(
                f"the rows of {topic}/{number} stand at offset {position.offset}, the topic begins "
                f"at {begin}: what lay between is lost to its retention, and no figure that rests "
                "on it can be right. A rebuild under another AUDIENCE_GROUP publishes only what it "
                "can know in full (docs/operations.md)"
            )
        return position.offset

    @property
    def reached(self) -> int:
        """Before this offset everything is applied."""
        return self._read_offset


class _Progress(Listener):
    """Ends each partition when it has come to where it must."""

    def __init__(self) -> None:
        self.partitions: dict[int, _Draining] = {}
        self.targets: Mapping[int, int] | None = None
        self.applied = 0

    def committed(self, batch: Batch[Any], work_seconds: float, commit_seconds: float) -> None:
        """Take note of a durable batch."""
        del work_seconds, commit_seconds
        self.applied += len(batch.records)
        if self.targets is not None:
            partition = self.partitions[batch.partition]
            if partition.reached >= self.targets[batch.partition]:
                partition.stop()


class Drain:
    """Applies one stage's partitions up to their ends.

    Args:
        settings: The settings in force.
        stage: The stage.
        partitions: How many partitions it has so far; keys lie where the partitioner puts them of
            so many.
        places: How many partitions each topic that is written to has, as far as keys are concerned.
        topic_id: The id of the stage's source.
        refused_before: Up to where former owners of the outputs have refused, by partition.
    """

    def __init__(
        self,
        settings: Settings,
        stage: Stage,
        partitions: int,
        places: Mapping[str, int],
        topic_id: str,
        refused_before: Mapping[int, int],
    ) -> None:
        self._stage = stage
        self._settings = settings
        self._exact = replace(stage.exact, tick=_TICK)
        self._count = partitions
        self._places = places
        self._facts = TopicMetadata(topic_id, partitions)
        self._progress = _Progress()
        was = settings.model_copy(update={"partitions": partitions})
        self._work: BroadcastProcessor | ScopeProcessor
        self._rows: Callable[[], Rows[Any]]
        if stage.name == "broadcasts":
            broadcasts = self._work = BroadcastProcessor(was, Topics.of(was))
            broadcasts.refused_before = refused_before
            self._rows = broadcast_rows
        else:
            self._work = ScopeProcessor(was, Topics.of(was))
            self._rows = scope_rows

    @property
    def applied(self) -> int:
        """How many records were applied."""
        return self._progress.applied

    async def run(self, settle: float, on_progress: Callable[[int, float], None]) -> dict[int, int]:
        """Apply what is there, go on for a while, then up to where the topic ends by then.

        Args:
            settle: For so many seconds producers may still write to these partitions.
            on_progress: Gets how many records wait, and how many seconds of `settle` are left.

        Returns:
            The next offset to be applied, by partition.

        Raises:
            ExactError: It could not be done; run again, it goes on where it was.
        """
        exact = self._exact
        consumer = AIOKafkaConsumer(**exact.reader(f"drain-{self._stage.source}"), group_id=None)
        sources = [TopicPartition(self._stage.source, number) for number in range(self._count)]
        tasks: list[asyncio.Task[None]] = []
        try:
            async with with_deadline(exact.deadline, f"starting to read {self._stage.source}"):
                await consumer.start()
            consumer.assign(sources)
            for source in sources:
                consumer.pause(source)
                consumer.seek(source, 0)  # not read from: each partition seeks its position
            tasks = [asyncio.create_task(self._partition(consumer, each).run()) for each in sources]
            await self._watch(tasks, sources, settle, on_progress)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await close_within(3.0, consumer.stop())
        return {number: each.reached for number, each in self._progress.partitions.items()}

    async def _watch(
        self,
        tasks: list[asyncio.Task[None]],
        sources: list[TopicPartition],
        settle: float,
        on_progress: Callable[[int, float], None],
    ) -> None:
        """Wait for the end of all partitions, or for the first error."""
        began = time.monotonic()
        ends = await self._ends(sources)
        while not all(task.done() for task in tasks):
            done, _ = await asyncio.wait(tasks, timeout=_LOOK, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                await task  # raises what it raised
            left = settle - (time.monotonic() - began)
            if self._progress.targets is None and left <= 0:
                # Of all records, those of open transactions too: they are waited for.
                ends = self._progress.targets = await self._ends(sources)
            partitions = self._progress.partitions
            self._require_answers(partitions)
            waiting = sum(max(0, end - partitions[n].reached) for n, end in ends.items())
            on_progress(waiting, max(0.0, left))

    def _require_answers(self, partitions: Mapping[int, _Draining]) -> None:
        """Do nothing as long as fetches are answered.

        Raises:
            SessionLost: Those of a partition are not.
        """
        now, limit = time.monotonic(), self._exact.deadline
        for number, partition in partitions.items():
            partition.look(now)
            if partition.unanswered(now) > limit:
                raise SessionLost(
                    f"{self._stage.source}/{number}: no fetch was answered for over {limit:g} s: "
                    "its leader is unknown or does not work"
                )

    async def _ends(self, sources: list[TopicPartition]) -> dict[int, int]:
        async with kafka.reader(self._settings, isolation_level="read_uncommitted") as consumer:
            ends = await consumer.end_offsets(sources)
        return {source.partition: end for source, end in ends.items()}

    def _partition(self, consumer: AIOKafkaConsumer, source: TopicPartition) -> _Draining:
        partition = self._progress.partitions[source.partition] = _Draining(
            self._exact,
            source,
            self._stage.changelog,
            self._facts,
            CachedState(self._rows()),
            consumer,
            self._deliver,
            self._partition_for,
            self._progress,
            time.time,
            time.monotonic,
            _NoGroup(),
        )
        return partition

    async def _deliver(self, batch: Batch[Any]) -> None:
        with batch:
            self._work.process_batch(batch)

    def _partition_for(self, topic: str, key: bytes | None) -> int:
        return (murmur2(key or b"") & 0x7FFFFFFF) % self._places[topic]
