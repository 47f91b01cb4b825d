"""Where a partition's source is read on, or why it must not be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.exact.cluster import TopicMetadata, topic_metadata
from streams.exact.deadline import with_deadline
from streams.exact.errors import SessionEnded, Unrecoverable
from streams.exact.position import MOVING

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, TopicPartition

    from streams.exact.position import Position
    from streams.exact.settings import ExactSettings


async def resume_at(
    consumer: AIOKafkaConsumer,
    source: TopicPartition,
    facts: TopicMetadata,
    position: Position | None,
    settings: ExactSettings,
) -> int:
    """Return the offset to read on from, or refuse where that would lie.

    Args:
        consumer: Asked for what the topic holds.
        source: The partition.
        facts: What the cluster said of the topic when the session began.
        position: How far the rows have come, None where nothing was ever committed.
        settings: The layer's settings: the deadline of answers, and what to say where it refuses.

    Raises:
        Unrecoverable: The rows and the topic do not go together.
        SessionEnded: The topic is another one than when the session began.
        SessionLost: Kafka did not answer in time.
    """
    topic, number = source
    async with with_deadline(settings.deadline, f"asking for the offsets of {topic}/{number}"):
        now = (await topic_metadata(consumer._client, [topic], {topic})).get(topic)  # noqa: SLF001  # aiokafka shows it nowhere
        begin = (await consumer.beginning_offsets([source]))[source]
        end = (await consumer.end_offsets([source]))[source]
    if now != facts:
        # Deleted or made anew while we were at it: the next session looks at all of it.
        raise SessionEnded(f"topic {topic} is no longer the one that this session began with")
    if position is None:
        return int(begin)
    remedies = settings.remedies
    anew = remedies.anew
    if position.topic_id != facts.topic_id:
        raise Unrecoverable(
            f"topic {topic} was made anew since its rows were written (id "
            f"{facts.topic_id}, they are of {position.topic_id}): {anew}"
        )
    if position.partitions == MOVING:
        raise Unrecoverable(
            f"the rows of {topic}/{number} are being put there from elsewhere, and are not all "
            f"there yet: {remedies.moving}"
        )
    if position.partitions != facts.partitions:
        raise Unrecoverable(
            f"topic {topic} has {facts.partitions} partitions, its rows were written "
            f"when it had {position.partitions}; keys lie elsewhere now: {remedies.grown or anew}"
        )
    if not begin <= position.offset <= end:
        where = "lost to retention" if position.offset < begin else "no longer in the topic"
        raise Unrecoverable(
            f"the rows of {topic}/{number} stand at offset {position.offset}, the topic holds "
            f"{begin} to {end}: records between are {where}, and going on would leave them "
            f"out silently; {anew}"
        )
    return position.offset
