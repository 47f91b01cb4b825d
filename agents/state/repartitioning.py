"""More partitions, with the state kept.

Kafka adds partitions where a topic is, and producers use them at once, while what is known of their
keys lies elsewhere. So, with the workers stopped:

1. the broadcasts' changelog grows, its new partitions get a position on which no worker starts,
   and only then the viewer events grow: whatever is killed now, no worker goes on;
2. what lies in the old partitions is applied to their rows, as a worker would, then the sums;
3. each row moves to where the partitioner puts its key, deleted here and written there in one
   transaction, so that it is always in one place;
4. one last transaction writes all positions. Workers go on from there.

Events that wait in new partitions are read after that. Each step can be done again after a kill:
the operation's record in the changelog says which are through.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from aiokafka import TopicPartition

from agents import kafka
from agents.state.access import (
    Record,
    exclusive,
    in_transactions,
    refuse_members,
    told_in_words,
)
from agents.state.draining import Drain
from agents.state.operation import (
    Operation,
    StateError,
    encode_operation,
)
from agents.state.partitions import facts_of, grow
from agents.state.stages import Stage, read_state, stages
from agents.topics.owner import read_owner, refuse_other
from streams.exact.position import MOVING, OPERATION_KEY, POSITION_KEY, Position, encode_position
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agents.state.access import Writer
    from streams.exact.cluster import TopicMetadata
    from streams.settings import Settings


class Progress(Protocol):
    """How far it is, for people."""

    def __call__(self, what: str, done: int, of: int, detail: str = "") -> None:
        """Show it; `of` is 0 where that is not known."""


@dataclass
class Moved:
    """What was done.

    Attributes:
        before: Partitions of the viewer events before.
        applied: Records of the old partitions that were applied first.
        rows: Rows of each stage that moved.
        resumed: Whether an earlier call had begun.
    """

    before: int = 0
    applied: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    resumed: bool = False


async def repartition(settings: Settings, settle: float, progress: Progress) -> Moved:
    """Give all topics AUDIENCE_PARTITIONS partitions, and move the state along.

    Args:
        settings: The settings in force.
        settle: How long producers may still write to the old partitions, in seconds.
        progress: Shown how far it is.

    Raises:
        LiveAudienceError: It cannot be done; the message says why. After a kill or an error it can
            be run again.
    """
    with told_in_words():
        return await _Repartition(settings, settle, progress).run()


class _Repartition:
    def __init__(self, settings: Settings, settle: float, progress: Progress) -> None:
        self._settings = settings
        self._settle = settle
        self._progress = progress
        self._stages = stages(settings)
        self._moved = Moved()
        self._refused: Mapping[int, int] = {}
        self._since: dict[str, int] = {}

    async def run(self) -> Moved:
        settings, target = self._settings, self._settings.partitions
        if settings.partitioner == "any":
            raise StateError(
                "AUDIENCE_PARTITIONER=any does not say where a key belongs, so its row cannot be "
                "moved there: set it to what the producers use (murmur2 or crc32)"
            )
        await facts_of(settings, [Topics.of(settings).output_owner.name])
        owner = await read_owner(settings)
        refuse_other(settings, owner)
        self._refused = owner.refused if owner is not None else {}
        broadcasts, scopes = self._stages
        facts = await self._facts()
        for stage in self._stages:
            for topic in (stage.source, stage.changelog):
                if facts[topic].partitions > target:
                    raise StateError(
                        f"{topic} has {facts[topic].partitions} partitions, more than "
                        f"AUDIENCE_PARTITIONS={target}: Kafka takes none away, so set it to that"
                    )
        counts = [(stage, target) for stage in self._stages]
        async with exclusive(settings, counts, "moving their state") as writer:
            operation = (await read_state(broadcasts, 0)).operation
            if operation is None:
                before: dict[str, int] = {}
                for stage in self._stages:
                    before[stage.name] = await self._before(stage, facts)
                counts_now = {fact.partitions for fact in facts.values()}
                if {*before.values(), *counts_now} == {target}:
                    return Moved(before=target)
                operation = Operation("repartition", "draining", target, before)
                await self._tell(writer, operation)
            else:
                self._moved.resumed = True
                _refuse_another(operation, target)
            self._moved.before = operation.before["broadcasts"]
            if operation.phase == "draining":
                await self._grow(writer, broadcasts, operation)
                operation = await self._drain(writer, operation)
            await self._grow(writer, broadcasts, operation)
            await self._grow(writer, scopes, operation)
            for stage in self._stages:
                await self._move(writer, stage, operation)
            await self._finish(writer, operation)
        return self._moved

    async def _facts(self) -> dict[str, TopicMetadata]:
        return await facts_of(
            self._settings, [t for stage in self._stages for t in (stage.source, stage.changelog)]
        )

    async def _before(self, stage: Stage, facts: dict[str, TopicMetadata]) -> int:
        """How many partitions a stage's rows were written for; without any, how many there are."""
        found: set[int] = set()
        has_rows = False
        count = facts[stage.changelog].partitions
        for number in range(count):
            self._progress(f"looking at the state of the {stage.name}", number, count)
            state = await read_state(stage, number)
            has_rows = has_rows or bool(state.rows)
            if state.position is None:
                continue
            if state.position.topic_id != facts[stage.source].topic_id:
                raise StateError(
                    f"the topic {stage.source} was made anew since its rows were written: they do "
                    "not belong to it, and cannot be moved along with it"
                )
            found.add(state.position.partitions)
        if MOVING in found:
            raise StateError(
                "the state was left half-moved, and what was under way is not told any more: "
                "do not start workers on it; begin anew under another AUDIENCE_GROUP"
            )
        if len(found) > 1:
            raise StateError(
                f"the rows of {stage.changelog} were written for {sorted(found)} partitions: they "
                "must agree before they can be moved"
            )
        if has_rows and not found:
            raise StateError(f"{stage.changelog} has rows and no position: it is damaged")
        return found.pop() if found else facts[stage.source].partitions

    async def _tell(self, writer: Writer, operation: Operation) -> None:
        await writer.transact([self._operation_record(operation)])

    def _operation_record(self, operation: Operation | None) -> Record:
        value = None if operation is None else encode_operation(operation)
        return Record(self._stages[0].changelog, 0, OPERATION_KEY, value)

    async def _grow(self, writer: Writer, stage: Stage, operation: Operation) -> None:
        """Give a stage's topics their new partitions, so that no worker starts on them."""
        target = operation.partitions
        self._progress(f"adding partitions to {stage.source}", 0, 0)
        await grow(self._settings, stage.changelog, target)
        await writer.learn(stage.changelog, target)
        topic_id = (await self._facts())[stage.source].topic_id
        blocked = encode_position(Position(0, topic_id, MOVING))
        await writer.transact(
            Record(stage.changelog, number, POSITION_KEY, blocked)
            for number in range(operation.before[stage.name], target)
        )
        # Somebody may have started a worker since; from here on none would go on.
        await refuse_members(self._settings, "moving their state")
        await grow(self._settings, stage.source, target)

    async def _drain(self, writer: Writer, operation: Operation) -> Operation:
        """Apply what lies in the old partitions of both stages."""
        topics = Topics.of(self._settings)
        facts = await facts_of(self._settings, [topic.name for topic in topics])
        places = {name: fact.partitions for name, fact in facts.items()}
        places[topics.scope_deltas.name] = operation.before["scopes"]
        ends: dict[str, dict[int, int]] = {}
        for stage in self._stages:
            first = stage.name == "broadcasts"
            drain = Drain(
                self._settings,
                stage,
                operation.before[stage.name],
                places,
                facts[stage.source].topic_id,
                self._refused if first else {},
            )
            ends[stage.name] = await drain.run(
                self._settle if first else 0.0,
                lambda waiting, left, stage=stage: self._progress(  # type: ignore[misc]
                    f"applying what lies in the old partitions of {stage.source}",
                    0,
                    0,
                    f"{waiting:,} records wait"
                    + (f", {left:.0f} s left for producers to hear of the new" if left else ""),
                ),
            )
            self._moved.applied += drain.applied
        moving = Operation(operation.kind, "moving", operation.partitions, operation.before, ends)
        await self._tell(writer, moving)
        return moving

    async def _move(self, writer: Writer, stage: Stage, operation: Operation) -> None:
        """Put each row of a stage where its key belongs; what is there already stays."""
        target, before = operation.partitions, operation.before[stage.name]
        moved = 0
        since = set()
        for number in range(before):
            state = await read_state(stage, number)
            if state.position is not None:
                since.add(state.position.since)
            away = [key for key in state.rows if stage.home(key, target) != number]
            pairs = (
                (
                    Record(stage.changelog, stage.home(key, target), key, state.rows[key]),
                    Record(stage.changelog, number, key, None),
                )
                for key in away
            )
            for chunk in in_transactions(pairs):
                await writer.transact(chunk)
                moved += len(chunk) // 2
                self._progress(
                    f"moving rows of the {stage.name}", number, before, f"{moved:,} moved"
                )
        self._moved.rows[stage.name] = moved
        # What was lost of any old partition may concern any new one. -1 stays only where no record
        # was ever read: the next one tells.
        self._since[stage.name] = max(since, default=0) or min(since, default=0)

    async def _finish(self, writer: Writer, operation: Operation) -> None:
        """Make the state whole: all positions, and no operation any more."""
        target = operation.partitions
        facts = await self._facts()
        records = [self._operation_record(None)]
        for stage in self._stages:
            sources = [TopicPartition(stage.source, number) for number in range(target)]
            async with kafka.reader(self._settings) as consumer:
                begins = await consumer.beginning_offsets(sources)
            ends = operation.ends[stage.name]
            records += [
                Record(
                    stage.changelog,
                    source.partition,
                    POSITION_KEY,
                    encode_position(
                        Position(
                            ends.get(source.partition, begins[source]),
                            facts[stage.source].topic_id,
                            target,
                            since=self._since[stage.name],
                        )
                    ),
                )
                for source in sources
            ]
        self._progress("writing the positions", 0, 0)
        await writer.transact(records)


def _refuse_another(operation: Operation, target: int) -> None:
    if operation.kind != "repartition":
        raise StateError(
            "an import into this state is not through: run `live-audience state import` with the "
            "same file again"
        )
    if operation.partitions != target:
        raise StateError(
            f"a repartition to {operation.partitions} partitions is not through: set "
            f"AUDIENCE_PARTITIONS={operation.partitions} and run it to its end first"
        )
