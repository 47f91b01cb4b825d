"""What ends a session or stops a partition, what is told of it, and what goes on meanwhile."""

import asyncio
import contextlib
import json
import os
import signal

import pytest
from aiokafka import AIOKafkaProducer
from integration.exact.harness import PARTITIONS, Words

from agents.broker import Broker

pytestmark = pytest.mark.kafka


def state(worker):
    """What a worker told last of how it stands, None before it did."""
    told = [line for line in worker.lines if line.startswith("state ")]
    return json.loads(told[-1].removeprefix("state ")) if told else None


async def until(worker, condition, seconds=30):
    """Wait until what a worker tells of itself fulfils a condition; return it."""
    async with asyncio.timeout(seconds):
        while True:
            assert worker.running, worker.tail()
            told = state(worker)
            if told is not None and condition(told):
                return told
            await asyncio.sleep(0.1)


def is_idle(told):
    """Whether nothing waits anywhere, and that is known."""
    lags = told["lags"]
    return len(lags) == PARTITIONS and all(lag == [0, 0.0] for lag in lags.values())


@contextlib.asynccontextmanager
async def rival(words, partition):
    """Another program that takes over the transactional id of a partition, again and again."""

    is_over = asyncio.Event()

    async def take_over():
        while not is_over.is_set():
            async with AIOKafkaProducer(
                bootstrap_servers=words.brokers,
                transactional_id=f"{words.options['group']}-{words.source}-{partition}",
            ):
                await asyncio.sleep(0.05)

    task = asyncio.create_task(take_over())
    try:
        yield
    finally:
        is_over.set()
        await task


async def test_a_partition_that_cannot_go_on_backs_off_alone(brokers, topic_prefix):
    async with Words(brokers, topic_prefix, seed=11, gc_off=True) as words:
        worker = await words.worker()
        await words.write(1_000)
        await words.finished()
        async with rival(words, 0):
            for _ in range(6):
                await words.write(1_000)
                await asyncio.sleep(0.5)
            # What waits in the one that fails is known by the topic's end and the group's position.
            told = await until(
                worker,
                lambda told: (
                    told["failing"]["0"] > 2
                    and (told["lags"]["0"][0] or 0) > 0
                    and told["lags"]["0"][1] > 2
                ),
            )
            # The others have counted all of theirs.
            told = await until(
                worker, lambda told: all(told["lags"][n] == [0, 0.0] for n in ("1", "2", "3"))
            )
            assert "partition 0 of" in told["not_ready_reason"], told
            assert "failing for" in told["not_ready_reason"], told
            assert all(told["failing"][n] == 0 for n in ("1", "2", "3")), told
        await words.finished()
        told = await until(worker, lambda told: is_idle(told) and told["failing"]["0"] == 0)
        assert told["not_ready_reason"] is None
        failures = [line for line in worker.lines if line.startswith("failed ")]
        assert failures
        assert all(line.startswith("failed 0: ") for line in failures), failures
        assert any("another worker has taken the partition over" in line for line in failures)
        assert not any(line.startswith("session lost") for line in worker.lines)
        # What failed holds no batch, without any help of the garbage collector.
        assert told["batches"] <= 2 * PARTITIONS, (told, len(failures))


async def test_a_dead_fetch_task_ends_the_session_and_nothing_else(brokers, topic_prefix):
    async with Words(brokers, topic_prefix, seed=12) as words:
        worker = await words.worker()
        await words.write(1_000)
        await words.finished()
        worker.signal(signal.SIGUSR1)
        await worker.says("session lost: SessionLost: aiokafka's task that fetches")
        await words.write(1_000)
        await words.finished()
        assert worker.running, worker.tail()


async def test_what_is_not_committed_is_no_lag(brokers, topic_prefix):
    async with Words(brokers, topic_prefix, seed=13) as words:
        worker = await words.worker()
        await until(worker, is_idle)
        async with AIOKafkaProducer(
            bootstrap_servers=brokers, transactional_id=f"{topic_prefix}upstream"
        ) as producer:
            await producer.begin_transaction()
            for partition in range(PARTITIONS):
                await producer.send_and_wait(words.source, b"never", partition=partition)
            began = len(worker.lines)
            await asyncio.sleep(2)
            lines = [line for line in worker.lines[began:] if line.startswith("state ")]
            assert len(lines) > 3
            assert all(is_idle(json.loads(line.removeprefix("state "))) for line in lines)
            await producer.abort_transaction()
        await words.write(500)
        await words.finished()
        await until(worker, is_idle)


async def test_of_two_workers_with_one_instance_one_ends_and_says_so(brokers, topic_prefix):
    async with Words(brokers, topic_prefix, seed=14, instance="twin") as words:
        first = await words.worker()
        await first.says("restored")
        second = await words.worker()
        await words.write(3_000)
        assert await first.ended(30) != 0
        last = [line for line in first.lines if "worker stopped: " in line]
        assert "uses the instance 'twin'" in last[-1], first.tail()
        assert "THE_INSTANCE" in last[-1], first.tail()
        await words.finished()
        assert second.running, second.tail()


async def test_a_broker_that_stands_still_is_told_and_ends_the_session(tmp_path, topic_prefix):
    broker = Broker(tmp_path)
    await asyncio.to_thread(broker.start)
    try:
        async with Words(broker.bootstrap, topic_prefix, seed=15, deadline=8.0) as words:
            worker = await words.worker()
            await words.write(1_000)
            await words.finished()
            await until(worker, is_idle)
            os.kill(broker.pid, signal.SIGSTOP)
            told = await until(
                worker, lambda told: all(lag[0] is None for lag in told["lags"].values()), 15
            )
            assert all(lag[1] > 4 for lag in told["lags"].values()), told
            told = await until(worker, lambda told: told["not_ready_reason"] is not None, 15)
            assert "answered for" in told["not_ready_reason"], told
            await worker.says("session lost", 20)
            os.kill(broker.pid, signal.SIGCONT)
            await words.write(1_000)
            await words.finished()
            await until(worker, lambda told: is_idle(told) and told["not_ready_reason"] is None)
    finally:
        await asyncio.to_thread(broker.stop)
