"""Whatever happens to workers and broker, each word counts once."""

import asyncio
import signal

import pytest
from aiokafka import AIOKafkaProducer
from integration.exact.harness import Words

pytestmark = pytest.mark.kafka


async def test_counts_what_was_written(brokers, topic_prefix):
    async with Words(brokers, topic_prefix) as words:
        await words.write(5_000)
        worker = await words.worker()
        await words.finished()
        assert await worker.stop() == 0, worker.tail()


async def test_reads_on_where_it_stopped(brokers, topic_prefix):
    async with Words(brokers, topic_prefix) as words:
        for _ in range(3):
            await words.write(2_000)
            worker = await words.worker()
            await words.finished()
            assert await worker.stop() == 0, worker.tail()


async def test_a_row_written_over_many_batches(brokers, topic_prefix):
    async with Words(brokers, topic_prefix, max_batch_bytes=2_000) as words:
        await words.write(3_000, vocabulary=1_000)
        await words.worker()
        await words.finished()


async def test_kills_in_mid_flow(brokers, topic_prefix):
    async with Words(brokers, topic_prefix, seed=2, batch=200) as words:
        await words.write(10_000)
        for _ in range(4):
            worker = await words.worker()
            await words.write(5_000)
            await asyncio.sleep(0.3 + words.random.random())
            await worker.kill()
        await words.worker()
        await words.finished(90)


async def test_workers_come_and_go(brokers, topic_prefix):
    async with Words(brokers, topic_prefix, seed=3, batch=200) as words:
        first = await words.worker()
        await words.write(5_000)
        second = await words.worker()
        await words.write(5_000)
        await second.says("restored")
        assert await first.stop() == 0, first.tail()
        await words.write(5_000)
        third = await words.worker()
        await third.says("restored")
        await words.write(5_000)
        assert await second.stop() == 0, second.tail()
        await words.finished(90)


async def test_a_paused_worker_cannot_write_over_its_successor(brokers, topic_prefix):
    async with Words(brokers, topic_prefix, seed=4, batch=100) as words:
        zombie = await words.worker()
        await words.write(20_000)
        await zombie.says("restored")
        await asyncio.sleep(0.2)
        zombie.signal(signal.SIGSTOP)
        successor = await words.worker()
        await successor.says("restored", 60)
        await words.write(5_000)
        await words.finished(60)
        zombie.signal(signal.SIGCONT)
        await words.write(5_000)
        await words.finished(60)
        await successor.stop()
        await words.write(2_000)
        await words.finished(60)


async def test_an_agents_exception_ends_the_worker_with_the_reason_last(brokers, topic_prefix):
    async with Words(brokers, topic_prefix) as words:
        await words.write(500)
        producer_words = dict(words.expected)
        worker = await words.worker()
        await words.finished()
        await write_poison(words)
        assert await worker.ended() != 0
        assert "a word that the agent cannot bear" in worker.tail(5)
        assert await words.counts() == producer_words


async def write_poison(words):
    producer = AIOKafkaProducer(bootstrap_servers=words.brokers)
    await producer.start()
    await producer.send_and_wait(words.source, b"poison", partition=0)
    await producer.stop()
