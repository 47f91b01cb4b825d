"""The two stages of the pipeline, as far as their state is concerned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from aiokafka import TopicPartition

from agents.app import exact_settings, scopes_settings
from agents.state.operation import Operation, decode_operation
from streams import audience
from streams.audience.scope_codec import decode_scope
from streams.exact import Rows
from streams.exact.position import OPERATION_KEY
from streams.exact.restore import restore
from streams.routing import Partitioner, partition_for
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.exact import ExactSettings
    from streams.exact.position import Position
    from streams.settings import Settings

StageName = Literal["broadcasts", "scopes"]


@dataclass(frozen=True, slots=True)
class Stage:
    """One of them.

    Attributes:
        name: `broadcasts` or `scopes`.
        source: The topic that it reads.
        changelog: The topic of its rows and positions.
        exact: Its settings of the exactly-once layer.
        decode: Reads a row, and raises where it is damaged or of a newer format.
        partitioner: What puts keys into the partitions of its source.
    """

    name: StageName
    source: str
    changelog: str
    exact: ExactSettings
    decode: Callable[[bytes], Any]
    partitioner: Partitioner

    def home(self, key: bytes, partitions: int) -> int:
        """The partition where the row of a key belongs, of so many."""
        # A scope's chunks lie beside its head, under its name, a slash and their number.
        name = key.split(b"/", 1)[0] if self.name == "scopes" else key
        return partition_for(name, partitions, self.partitioner)


def stages(settings: Settings) -> tuple[Stage, Stage]:
    """Both, in the order in which events pass them."""
    topics = Topics.of(settings)
    return (
        Stage(
            "broadcasts",
            topics.events.name,
            topics.broadcasts_changelog.name,
            exact_settings(settings),
            audience.decode,
            settings.partitioner,
        ),
        Stage(
            "scopes",
            topics.scope_deltas.name,
            topics.scopes_changelog.name,
            scopes_settings(settings),
            decode_scope,
            "murmur2",
        ),
    )


@dataclass(frozen=True, slots=True)
class PartitionState:
    """What a partition of a changelog holds.

    Attributes:
        rows: Rows by key, as they are stored.
        position: How far they have come, None if nothing was ever committed.
        operation: What is under way with the whole state; only partition 0 of the broadcasts tells.
    """

    rows: dict[bytes, bytes]
    position: Position | None
    operation: Operation | None

    @property
    def is_empty(self) -> bool:
        """Whether there is no state."""
        return not self.rows and self.position is None


async def read_state(
    stage: Stage, partition: int, progress: Callable[[int, int], None] = lambda _done, _of: None
) -> PartitionState:
    """Read one partition of a stage's changelog; the memory it takes is that of its rows.

    Args:
        stage: Which.
        partition: Its number.
        progress: Told how many records are read, of how many.

    Raises:
        ExactError: It cannot be read.
    """
    rows: Rows[Any] = Rows(stage.decode, bytes)
    found = await restore(
        stage.exact, TopicPartition(stage.changelog, partition), rows, None, progress
    )
    held = dict(rows.items())
    operation = held.pop(OPERATION_KEY, None)
    return PartitionState(
        held, found.position, None if operation is None else decode_operation(operation)
    )
