"""What waits in partitions that nobody works on, as a real broker tells it."""

import time

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewTopic

from streams.exact.group_offsets import GroupOffsets, look_at_offsets
from streams.exact.progress import Lag

pytestmark = pytest.mark.kafka

OWN = Lag(None, 3.0)


async def test_the_brokers_tell_what_waits_behind_the_groups_position(brokers, topic_prefix, admin):
    topic = f"{topic_prefix}words"
    await admin.create_topics([NewTopic(topic, 3, 1)])
    async with AIOKafkaProducer(
        bootstrap_servers=brokers, transactional_id=f"{topic_prefix}writer"
    ) as producer:
        async with producer.transaction():
            for number in range(20):
                await producer.send(topic, b"word", partition=number % 2)
        # What is not committed yet is nothing that waits.
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"perhaps", partition=0)

        consumer = AIOKafkaConsumer(
            bootstrap_servers=brokers,
            group_id=f"{topic_prefix}group",
            isolation_level="read_committed",
            enable_auto_commit=False,
        )
        offsets = GroupOffsets()

        async def look():
            await look_at_offsets(consumer, topic, 3, offsets, 20.0)
            return [offsets.lag(number, None, OWN, time.monotonic()) for number in range(3)]

        consumer.subscribe([topic])
        await consumer.start()
        try:
            while not consumer.assignment():
                await consumer.getmany(timeout_ms=100)
            # Without a position nothing is known of what waits, but where there is nothing at all.
            assert await look() == [Lag(None, 3.0), Lag(None, 3.0), Lag(0, 0.0)]
            await consumer.commit({TopicPartition(topic, 0): 4, TopicPartition(topic, 1): 11})
            # (Ten words and the marker of their transaction.)
            assert await look() == [Lag(7, 3.0), Lag(0, 0.0), Lag(0, 0.0)]
            await producer.abort_transaction()
            # Two offsets more: what was aborted, and the marker that says so.
            assert await look() == [Lag(9, 3.0), Lag(0, 0.0), Lag(0, 0.0)]
        finally:
            await consumer.stop()
