"""Restart, hand-over and kill -9 while people watch: `audience_scope_viewers` never dips."""

import asyncio
import json
import time
from datetime import UTC, datetime

import aiohttp
import pytest
from contract.reading import Record
from integration.pipeline.hard_log import place
from integration.pipeline.system import System
from prometheus_client.parser import text_string_to_metric_families

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

PARTITIONS = 4
BROADCASTS = 200
TOTAL = sum(100 + n for n in range(BROADCASTS))


def round_of(number):
    """A sample of each broadcast, now. What half of them tell moves, the others the other way."""
    at = datetime.now(UTC).isoformat()
    for n in range(BROADCASTS):
        name, swing = f"b{n}", (number % 7) * (1 if n % 2 else -1)
        event = {"platform": "kick", "broadcast": name, "at": at, "viewers": 100 + n + swing}
        key = f"kick:{name}".encode()
        value = json.dumps(event | {"venue": f"v{n % 3}"}).encode()
        yield Record(value, key, int(time.time() * 1000), 0, partition=place(key, PARTITIONS))


async def sending(system, over):
    """All tell a sample some times a second, until it is over."""
    number = 0
    while not over.is_set():
        await system.send(list(round_of(number)))
        number += 1


async def viewers_of(session, worker):
    """What a worker says of the world and of its broadcasts; None where it says nothing."""
    line = next((line for line in worker.lines if '"http server started"' in line), None)
    if line is None or not worker.running:
        return None, None
    try:
        async with session.get(json.loads(line)["url"] + "/metrics") as answer:
            text = await answer.text()
    except aiohttp.ClientError:
        return None, None
    world, broadcasts = None, None
    for family in text_string_to_metric_families(text):
        if family.name == "audience_scope_viewers":
            world = next((s.value for s in family.samples if s.labels["scope"] == "world"), None)
        elif family.name == "audience_viewers" and family.samples:
            broadcasts = sum(sample.value for sample in family.samples)
    return world, broadcasts


class Watch:
    """The world's viewers, scraped each 200 ms from every worker."""

    def __init__(self, system):
        self._system = system
        self.seen = []

    async def run(self):
        timeout = aiohttp.ClientTimeout(total=5)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                told = await asyncio.gather(*(viewers_of(session, w) for w in self._system.workers))
                self.seen.append([world for world, _ in told if world is not None])
                await asyncio.sleep(0.2)

    async def until(self, reached, seconds=60):
        async with asyncio.timeout(seconds):
            # Not an event to wait for: it is another process.
            while not reached():  # noqa: ASYNC110
                await asyncio.sleep(0.2)

    def told(self):
        return [value for values in self.seen for value in values]


async def test_restart_hand_over_and_kill(brokers, topic_prefix):
    async with System(brokers, topic_prefix, PARTITIONS, batch_records="500", rules={}) as system:
        workers = [await system.worker(), await system.worker()]
        for worker in workers:
            await worker.says("restored", 60)
        over = asyncio.Event()
        load = asyncio.create_task(sending(system, over))
        watch = Watch(system)
        scraping = asyncio.create_task(watch.run())
        await watch.until(lambda: watch.told()[-1:] and watch.told()[-1] > TOTAL - 7 * BROADCASTS)
        watch.seen.clear()
        await asyncio.sleep(2)
        assert await workers[0].stop() == 0, workers[0].tail()  # a restart
        third = await system.worker()
        await third.says("restored", 60)
        await asyncio.sleep(2)
        fourth = await system.worker()  # a hand-over
        await fourth.says("restored", 60)
        await asyncio.sleep(2)
        await workers[1].kill()
        before = len(watch.seen)
        await watch.until(lambda: sum(map(bool, watch.seen[before:])) >= 15)
        over.set()
        await load
        scraping.cancel()
        await asyncio.wait({scraping})

        told, gaps = watch.told(), sum(not values for values in watch.seen)
        print(
            f"{len(watch.seen)} scrapes, {gaps} of them while no worker had the world: "
            f"{min(told):,.0f} to {max(told):,.0f} viewers of {TOTAL:,}"
        )
        # Half of the broadcasts are up by as much as the others are down; a batch holds some of
        # a round, so that is all by which the sum may be off.
        assert min(told) >= TOTAL - 7 * BROADCASTS / 2
        assert max(told) <= TOTAL + 7 * BROADCASTS / 2
        await system.send(list(round_of(0)))
        await still(system, TOTAL)


async def still(system, total, seconds=60):
    """Once all is read, the world has what the single broadcasts of all workers add up to."""
    end = time.monotonic() + seconds
    async with aiohttp.ClientSession() as session:
        while True:
            told = await asyncio.gather(*(viewers_of(session, w) for w in system.workers))
            worlds = [world for world, _ in told if world is not None]
            broadcasts = sum(viewers for _, viewers in told if viewers is not None)
            if worlds == [total] and broadcasts == total:
                return
            assert time.monotonic() < end, told
            await asyncio.sleep(0.2)
