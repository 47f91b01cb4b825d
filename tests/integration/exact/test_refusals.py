"""Where going on would lie, the worker ends and says what to do."""

import asyncio
import json

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete
from integration.exact.harness import PARTITIONS, Words

pytestmark = pytest.mark.kafka


async def refused(words, *texts, **options):
    """Start a worker and see it end with all these words in its last line."""
    worker = await words.worker(**options)
    assert await worker.ended(40) != 0
    last = [line for line in worker.lines if "worker stopped: " in line]
    assert last, worker.tail()
    for text in texts:
        assert text in last[-1], worker.tail()


async def counted(words, count=1_000):
    """Count some words and stop in good order."""
    await words.write(count)
    worker = await words.worker()
    await words.finished()
    assert await worker.stop() == 0, worker.tail()


async def test_a_topic_that_does_not_exist(brokers, topic_prefix):
    async with Words(brokers, topic_prefix) as words:
        await refused(words, "nowhere does not exist", source="nowhere")


async def test_an_output_that_does_not_exist(brokers, topic_prefix):
    async with Words(brokers, topic_prefix) as words:
        await refused(words, "nowhere does not exist", output="nowhere")


async def test_a_changelog_with_other_partitions(brokers, topic_prefix):
    async with Words(brokers, topic_prefix) as words:
        await words.create(f"{topic_prefix}small", partitions=2)
        await refused(words, "4 partitions", "has 2", changelog=f"{topic_prefix}small")


async def test_a_topic_made_anew(brokers, topic_prefix):
    async with Words(brokers, topic_prefix) as words:
        await counted(words)
        await words.delete(words.source)
        await words.create(words.source)
        await words.write(10_000)  # longer than before, so that offsets alone look right
        await refused(words, "was made anew", "another group")


async def test_records_lost_to_retention(brokers, topic_prefix):
    async with Words(brokers, topic_prefix) as words:
        await counted(words)
        await words.write(1_000)
        parts = [TopicPartition(words.source, number) for number in range(PARTITIONS)]
        await words.admin.delete_records({part: RecordsToDelete(-1) for part in parts})
        await refused(words, "lost to retention", "another group")


async def test_a_position_behind_the_end(brokers, topic_prefix):
    async with Words(brokers, topic_prefix) as words:
        await counted(words)
        await tamper(words, offset=10**9)
        await refused(words, "no longer in the topic")


async def test_a_newer_format(brokers, topic_prefix):
    async with Words(brokers, topic_prefix) as words:
        await counted(words)
        await tamper(words, format=99)
        await refused(words, "format 99", "newer one")


async def test_more_partitions_than_before(brokers, topic_prefix):
    async with Words(brokers, topic_prefix) as words:
        await counted(words)
        await tamper(words, partitions=PARTITIONS + 1)
        await refused(words, f"has {PARTITIONS} partitions", "keys lie elsewhere")


async def test_an_unreachable_broker_in_the_end(brokers, topic_prefix):
    async with Words(brokers, topic_prefix) as words:
        await refused(
            words, "connecting to the brokers", brokers="127.0.0.1:1", patience=2.0, deadline=2.0
        )


async def tamper(words, **fields):
    """Write positions that this version would not, as another program might have."""
    positions = [r for r in await words.read(words.changelog) if r.key == b"\x00position"]
    async with AIOKafkaProducer(bootstrap_servers=words.brokers) as producer:
        for record in {record.partition: record for record in positions}.values():
            value = json.dumps({**json.loads(record.value), **fields}).encode()
            await producer.send_and_wait(
                words.changelog, value, record.key, partition=record.partition
            )
    await asyncio.sleep(0.1)
