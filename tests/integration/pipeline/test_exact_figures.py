"""Hard events over real workers and faults: every figure equals the oracle's, key by key."""

import asyncio
import random
from urllib.parse import quote

import aiohttp
import pytest
from integration.pipeline.conftest import PARTITIONS
from integration.pipeline.system import System

from streams.summaries import minute_text

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]


async def test_two_workers(brokers, topic_prefix, log, oracle):
    async with System(brokers, topic_prefix, PARTITIONS) as system:
        await system.worker()
        await system.worker()
        await system.send(log)
        await system.done(len(log))
        await system.compare(oracle)


async def test_kill_a_worker_in_mid_flow(brokers, topic_prefix, log, oracle):
    settings = {"batch_records": "500", "minutes": "on"}
    async with System(brokers, topic_prefix, PARTITIONS, **settings) as system:
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
        asked = await system.worker()
        await system.worker()
        await sending
        await system.done(len(log))
        await system.compare(oracle)
        await all_minutes(await system.url(asked), oracle)


async def all_minutes(url, oracle):
    """Each minute of each newest run, sealed or open, corrected or late, whoever sealed it."""
    keys = sorted(oracle.rows)
    long = sorted(keys, key=lambda key: len(oracle.rows[key].cells()), reverse=True)
    fetched = 0
    async with aiohttp.ClientSession() as session:
        for key in {*long[:40], *random.Random(1).sample(keys, min(len(keys), 60))}:
            run = oracle.rows[key]
            platform, _, broadcast = key.decode().partition(":")
            path = f"/v1/broadcasts/{platform}/{quote(broadcast, safe='')}/minutes"
            first, last = map(minute_text, (min(run.cells(), default=run.newest()), run.newest()))
            async with session.get(
                aiohttp.client.URL(f"{url}{path}?from={first}&to={last}", encoded=True)
            ) as answer:
                told = await answer.json()
            assert told["missing"] == [], key
            wanted = {minute_text(minute): cell for minute, cell in sorted(run.cells().items())}
            assert [minute["minute"] for minute in told["minutes"]] == list(wanted), key
            for minute in told["minutes"]:
                cell = wanted[minute["minute"]]
                for name in ("audience", "high", "joins", "views"):
                    assert minute[name] == getattr(cell, name), (key, minute)
            fetched += sum(minute["minute"] <= told["sealed_until"] for minute in told["minutes"])
    assert fetched > 1_000, "most of them are sealed"


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
