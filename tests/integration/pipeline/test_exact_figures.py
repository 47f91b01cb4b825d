"""Hard events over real workers and faults: every figure equals the oracle's, key by key."""

import asyncio

import pytest
from integration.pipeline.conftest import PARTITIONS
from integration.pipeline.system import System

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]


async def test_two_workers(brokers, topic_prefix, log, oracle):
    async with System(brokers, topic_prefix, PARTITIONS) as system:
        await system.worker()
        await system.worker()
        await system.send(log)
        await system.done(len(log))
        await system.compare(oracle)


async def test_kill_a_worker_in_mid_flow(brokers, topic_prefix, log, oracle):
    async with System(brokers, topic_prefix, PARTITIONS, batch_records="500") as system:
        first = await system.worker()
        second = await system.worker()
        await first.says("restored")
        await second.says("restored")
        sending = asyncio.create_task(system.send(log))
        await asyncio.sleep(2)
        await first.kill()
        third = await system.worker()
        await third.says("restored")
        await asyncio.sleep(1)
        await second.kill()
        await third.kill()
        await system.worker()
        await system.worker()
        await sending
        await system.done(len(log))
        await system.compare(oracle)


async def test_a_rolling_restart(brokers, topic_prefix, log, oracle):
    async with System(brokers, topic_prefix, PARTITIONS, batch_records="500") as system:
        running = [await system.worker(), await system.worker()]
        for worker in running:
            await worker.says("restored")
        sending = asyncio.create_task(system.send(log))
        for old in running:
            await asyncio.sleep(1)
            assert await old.stop() == 0, old.tail()
            new = await system.worker()
            await new.says("restored")
        await sending
        await system.done(len(log))
        await system.compare(oracle)


async def test_a_third_worker_joins(brokers, topic_prefix, log, oracle):
    async with System(brokers, topic_prefix, PARTITIONS, batch_records="500") as system:
        for _ in range(2):
            await system.worker()
        sending = asyncio.create_task(system.send(log))
        await asyncio.sleep(3)
        third = await system.worker()
        await third.says("restored")
        await sending
        await system.done(len(log))
        await system.compare(oracle)
