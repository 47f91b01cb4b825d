"""A broker that dies and comes back, and one that cannot do transactions."""

import asyncio
import os
import signal

import pytest
from integration.exact.harness import Words

from agents.broker import Broker

pytestmark = pytest.mark.kafka


async def test_a_broker_that_is_killed_twice(tmp_path, topic_prefix):
    broker = Broker(tmp_path)
    await asyncio.to_thread(broker.start)
    try:
        async with Words(broker.bootstrap, topic_prefix, seed=7, batch=200) as words:
            worker = await words.worker()
            for _ in range(2):
                await words.write(10_000)
                await asyncio.sleep(0.3)
                await asyncio.to_thread(broker.kill)
                await asyncio.sleep(1)
                await asyncio.to_thread(broker.restart)
            await words.write(1_000)
            await words.finished(120)
            assert worker.running, worker.tail()
            assert await worker.stop() == 0, worker.tail()
    finally:
        await asyncio.to_thread(broker.stop)


async def test_a_broker_that_cannot_keep_transactions(tmp_path, topic_prefix):
    overrides = {
        "transaction.state.log.replication.factor": "3",
        "transaction.state.log.min.isr": "2",
    }
    broker = Broker(tmp_path, overrides=overrides)
    await asyncio.to_thread(broker.start)
    try:
        async with Words(broker.bootstrap, topic_prefix) as words:
            worker = await words.worker(deadline=3.0, patience=4.0)
            assert await worker.ended(60) != 0
            last = [line for line in worker.lines if "worker stopped: " in line]
            assert "transaction.state.log.replication.factor" in last[-1], worker.tail()
    finally:
        await asyncio.to_thread(broker.stop)


async def test_a_drain_is_bounded(tmp_path, topic_prefix):
    """With the broker stopped in its tracks, a worker told to stop still ends in time."""
    broker = Broker(tmp_path)
    await asyncio.to_thread(broker.start)
    try:
        async with Words(broker.bootstrap, topic_prefix, batch=50) as words:
            worker = await words.worker(drain=2.0)
            await words.write(20_000)
            await worker.says("restored")
            os.kill(broker.pid, signal.SIGSTOP)
            await asyncio.sleep(0.5)
            await worker.stop(seconds=15)
            os.kill(broker.pid, signal.SIGCONT)
            await words.worker()
            await words.finished(90)
    finally:
        await asyncio.to_thread(broker.stop)
