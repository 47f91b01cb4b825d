"""What tests on a real Kafka do again and again, by aiokafka."""

import asyncio
import contextlib

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType


@contextlib.asynccontextmanager
async def admin_client(brokers):
    """A started AIOKafkaAdminClient that is closed in the end."""
    client = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def create_topic(brokers, topic, partitions=1, **config):
    """Make a topic; `cleanup_policy="compact"` becomes the setting `cleanup.policy`."""
    configs = {name.replace("_", "."): str(value) for name, value in config.items()}
    async with admin_client(brokers) as client:
        new = NewTopic(topic, partitions, 1, topic_configs=configs)
        answer = await client.create_topics([new])
    failed = [error for error in answer.topic_errors if error[1]]
    assert not failed, failed


async def alter_topic(client, topic, config):
    """Give a topic these settings, and the cluster's own for all others."""
    await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, config)])


async def produce_all(brokers, topic, records, partition=None):
    """Send (key, value) pairs of bytes in order, and wait until all are stored.

    Without a partition they are placed by murmur2 of the key, as Java's client does.
    """
    async with AIOKafkaProducer(bootstrap_servers=brokers, linger_ms=5, acks="all") as producer:
        sent = [
            await producer.send(topic, key=key, value=value, partition=partition)
            for key, value in records
        ]
        return await asyncio.gather(*sent)


async def ends(brokers, topic):
    """The end of every partition: TopicPartition -> next offset."""
    async with AIOKafkaConsumer(bootstrap_servers=brokers) as consumer:
        partitions = await _partitions(consumer, topic)
        return await consumer.end_offsets(partitions)


async def consume_all(brokers, topic, *, committed=True, seconds=30.0):
    """All records that are in a topic now, by partition and offset.

    Args:
        committed: only those of committed transactions (read_committed).
        seconds: the most for all of it; a transaction that is left open takes longer.
    """
    async with asyncio.timeout(seconds):
        records = [record async for record in each_of(brokers, topic, committed=committed)]
    return sorted(records, key=lambda record: (record.partition, record.offset))


async def each_of(brokers, topic, *, committed=True):
    """The records that are in a topic now, one by one as they come: each partition in order."""
    async with _from_the_beginning(brokers, [topic], committed) as (consumer, partitions):
        end = await consumer.end_offsets(partitions)
        # The position passes the markers of transactions too, which are no records.
        waiting = {partition for partition in partitions if end[partition]}
        while waiting:
            for batch in (await consumer.getmany(*waiting, timeout_ms=200)).values():
                for record in batch:
                    yield record
            waiting = {p for p in waiting if await consumer.position(p) < end[p]}


async def following(brokers, *topics, committed=True):
    """The records of topics as they come, for ever: lists, and an empty one each 0.2 s of none."""
    async with _from_the_beginning(brokers, topics, committed) as (consumer, _):
        while True:
            found = await consumer.getmany(timeout_ms=200)
            yield [record for batch in found.values() for record in batch]


class Tables:
    """The last value of each key of some topics, as they are by now: bytes, None where deleted.

    To wait for something in them costs what comes meanwhile, however large they are.
    """

    def __init__(self, brokers, *topics):
        self._changes = following(brokers, *topics)
        self._last = {topic: {} for topic in topics}

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        await self._changes.aclose()

    def __getitem__(self, topic):
        return self._last[topic]

    async def until_not(self, wrong, seconds=30):
        """Wait until a function finds nothing wrong in them any more; it says what is."""
        found = wrong()
        try:
            async with asyncio.timeout(seconds):
                while found:
                    for record in await anext(self._changes):
                        self._last[record.topic][record.key] = record.value
                    found = wrong()
        except TimeoutError:
            raise AssertionError(found) from None


@contextlib.asynccontextmanager
async def _from_the_beginning(brokers, topics, committed):
    async with AIOKafkaConsumer(
        bootstrap_servers=brokers,
        isolation_level="read_committed" if committed else "read_uncommitted",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    ) as consumer:
        partitions = [each for topic in topics for each in await _partitions(consumer, topic)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        yield consumer, partitions


async def _partitions(consumer, topic):
    numbers = None
    while not numbers:  # the topic may be so new that the broker does not tell of it yet
        consumer._client.set_topics([topic])
        await consumer._client.force_metadata_update()
        numbers = consumer.partitions_for_topic(topic)
    return [TopicPartition(topic, number) for number in sorted(numbers)]
