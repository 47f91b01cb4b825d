"""Reads all that is in a topic now."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aiokafka import TopicPartition

from agents.kafka import unreachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from aiokafka import AIOKafkaConsumer
    from aiokafka.structs import ConsumerRecord

    from streams.settings import Settings

_POLL_MS: Final = 500
_MICROSECONDS: Final = 1000  # in a millisecond, in which Kafka counts


async def read_to_end(
    settings: Settings, consumer: AIOKafkaConsumer, topic: str, partitions: int
) -> AsyncIterator[ConsumerRecord]:
    """Give the records from the start of a topic to where it ends at the moment of the call.

    With `read_committed` that end is where the oldest open transaction begins. Afterwards the
    consumer stands there and can go on.

    Raises:
        BrokerUnreachableError: nothing was read for AUDIENCE_DEADLINE.
    """
    begins = {TopicPartition(topic, number): 0 for number in range(partitions)}
    async for record in read_on(settings, consumer, begins):
        yield record


async def offsets_at(
    consumer: AIOKafkaConsumer, topic: str, partitions: int, at: int
) -> dict[TopicPartition, int]:
    """Where to begin so that no record of a time or later is missed; nothing is read for it.

    Kafka looks for each partition's first record with such a timestamp. Behind it earlier ones may
    come too, where timestamps are not in order.

    Args:
        consumer: A started one.
        topic: Its name.
        partitions: How many it has.
        at: Microseconds since 1970 UTC.

    Returns:
        An offset of each partition; its end, where it has no such record.
    """
    all_of_it = [TopicPartition(topic, number) for number in range(partitions)]
    ends = await consumer.end_offsets(all_of_it)
    millisecond = -(-at // _MICROSECONDS)
    found = await consumer.offsets_for_times(dict.fromkeys(all_of_it, millisecond))
    return {
        partition: ends[partition] if found[partition] is None else found[partition].offset
        for partition in all_of_it
    }


async def read_on(
    settings: Settings, consumer: AIOKafkaConsumer, begins: Mapping[TopicPartition, int]
) -> AsyncIterator[ConsumerRecord]:
    """Give the records of some partitions, from these offsets to where they end now.

    As `read_to_end`. What is gone before an offset's time is passed by.

    Raises:
        BrokerUnreachableError: nothing was read for AUDIENCE_DEADLINE.
    """
    assigned = list(begins)
    consumer.assign(assigned)
    # Offsets are asked for and sought: after seek_to_beginning, aiokafka may stand at the end.
    starts = await consumer.beginning_offsets(assigned)
    ends = await consumer.end_offsets(assigned)
    for partition in assigned:
        starts[partition] = max(starts[partition], begins[partition])
        consumer.seek(partition, starts[partition])
    waiting = {partition for partition in assigned if starts[partition] < ends[partition]}
    loop = asyncio.get_running_loop()
    heard = loop.time()
    while waiting:
        batches = await consumer.getmany(*waiting, timeout_ms=_POLL_MS)
        for partition, records in batches.items():
            heard = loop.time()
            for record in records:
                if record.offset < ends[partition]:
                    yield record
        # The position passes the marks of transactions too, which are no records.
        waiting = {each for each in waiting if await consumer.position(each) < ends[each]}
        if waiting and loop.time() - heard > settings.deadline.total_seconds():
            topics = ", ".join(sorted({each.topic for each in waiting}))
            raise unreachable(settings, f"nothing more came of {topics}")
