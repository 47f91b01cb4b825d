"""What a source is, and what it keeps from one session with Kafka to the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer

from streams.exact.group_offsets import GroupOffsets

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from streams.exact.batch import Batch
    from streams.exact.cluster import TopicMetadata
    from streams.exact.failure import Patience
    from streams.exact.health import HealthWatch
    from streams.exact.listener import Listener
    from streams.exact.partition import CachedState
    from streams.exact.rows import Rows
    from streams.exact.settings import ExactSettings


@dataclass(frozen=True)
class Declaration:
    """What every session of a source is told.

    Attributes:
        topic: What is read.
        changelog: Where the rows are kept.
        outputs: What topics batches send to.
        rows: Makes an empty `Rows` for one partition.
        settings: The layer's settings.
        listener: Who is told of what becomes durable.
        clock: Seconds of the wall clock, for `Batch.read_at`.
        monotonic: Seconds of a monotonic clock, for `Batch.monotonic`.
        guard: Raises `Unrecoverable` where the worker must not write; None allows it always.
        assignor: How the group spreads its partitions: aiokafka's class of one.
        deliver: Hands a batch to the agent.
        resume: Called when the session is a member: what Faust's own consumer would let go on.
    """

    topic: str
    changelog: str
    outputs: tuple[str, ...]
    rows: Callable[[], Rows[Any]]
    settings: ExactSettings
    listener: Listener
    clock: Callable[[], float]
    monotonic: Callable[[], float]
    guard: Callable[[], Awaitable[None]] | None
    assignor: type
    deliver: Callable[[Batch[Any]], Awaitable[None]]
    resume: Callable[[], None]


@dataclass
class Kept:
    """What goes over from one session of a source to the next.

    Attributes:
        patience: For how long nothing at all has gone on.
        health: For how long nothing was heard.
        cached: Rows of partitions, for the case that they come back.
        metadata: What the cluster last said of the topics, by name.
        offsets: Where the group stands in the source, and where that ends.
    """

    patience: Patience
    health: HealthWatch
    cached: dict[int, CachedState] = field(default_factory=dict)
    metadata: dict[str, TopicMetadata] = field(default_factory=dict)
    offsets: GroupOffsets = field(default_factory=GroupOffsets)


def new_consumer(declared: Declaration) -> AIOKafkaConsumer:
    """Return a consumer of the group, not yet started."""
    settings = declared.settings
    return AIOKafkaConsumer(
        **settings.reader(f"source-{declared.topic}"),
        group_id=settings.group,
        group_instance_id=settings.instance,
        partition_assignment_strategy=[declared.assignor],
        session_timeout_ms=int(settings.session_timeout * 1000),
        heartbeat_interval_ms=int(settings.session_timeout * 1000 / 3),
        rebalance_timeout_ms=int(settings.rebalance_timeout * 1000),
        max_poll_interval_ms=10**12,  # neither a long restore nor having no partition is idle
        metadata_max_age_ms=60_000,
    )
