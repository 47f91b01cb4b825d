"""Kafka away, and gateways killed in mid-show: nothing is lost, nothing counts twice.

    GATEWAY_DARK=120 .venv/bin/pytest -s tests/integration/gateway/test_faults.py

keeps Kafka away for so many seconds, over more and longer shows, beside a second gateway that is
not killed, and lets a real worker compute the figures.
"""

import asyncio
import contextlib
import json
import os
import random
import time
from collections import Counter

import aiohttp
import pytest
from integration.pipeline.system import System
from running import PATH_SECRET, Gateways, now

from agents.broker import Broker

pytestmark = pytest.mark.kafka

#: Seconds for which Kafka is away, beyond what its start takes.
DARK = float(os.environ.get("GATEWAY_DARK", "0"))
SHOWS = 40 if DARK else 12
SAMPLES = 8 if DARK else 6
#: A media server gives up on an answer, and ends the show, after so many seconds or more.
HOOK_SECONDS = 10


async def deliver(gateway_of, identity, body):
    """Send until it is acknowledged, as a sender that retries does."""
    async with asyncio.timeout(120):
        while True:
            try:
                if await gateway_of().own(identity, body) == 200:
                    return
            except OSError:  # it was killed, or is not there yet
                pass
            await asyncio.sleep(0.5)


class Hooks:
    """A media server that asks again and again whether a show may go on."""

    def __init__(self, gateway):
        self._gateway = gateway
        self.statuses = Counter()
        self.slowest = 0.0

    async def ask(self, call, client):
        form = {"call": call, "app": "live", "name": "always", "addr": "127.0.0.1"}
        timeout = aiohttp.ClientTimeout(total=HOOK_SECONDS)
        began = time.monotonic()
        async with self._gateway.all.session.post(
            f"{self._gateway.hooks}/nginx/{PATH_SECRET}",
            data={**form, "clientid": client},
            timeout=timeout,
        ) as answer:
            self.statuses[answer.status] += 1
        self.slowest = max(self.slowest, time.monotonic() - began)

    async def run(self):
        await self.ask("publish", "1")
        number = 1
        while True:
            number += 1
            await self.ask("play", str(number))
            await self.ask("play_done", str(number))
            await asyncio.sleep(0.2)


async def test_kafka_away_and_kills_in_mid_show(tmp_path):
    """Deliveries come repeated and in any order, while Kafka and gateways die."""
    print("\nGATEWAY_DARK:", DARK)
    chance = random.Random(11)
    messages, truth = [], {}
    for number in range(SHOWS):
        start, end = now(-600 + number), now(-60 + number)
        show = {"channel": f"room-{number}", "started": start}
        messages.append((f"s{number}", {**show, "kind": "started", "at": start}))
        messages.append((f"e{number}", {**show, "kind": "ended", "at": end}))
        for sample in range(SAMPLES):
            at = now(-500 + 60 * sample)
            told = {**show, "kind": "sample", "at": at, "viewers": 10 * number + sample}
            messages.append((f"m{number}-{sample}", told))
        truth[show["channel"]] = {10 * number + sample for sample in range(SAMPLES)}
    messages += chance.sample(messages, len(messages) // 3)
    chance.shuffle(messages)

    async with contextlib.AsyncExitStack() as stack:
        broker = await stack.enter_async_context(Broker(tmp_path / "kafka"))
        gateways = await stack.enter_async_context(Gateways(broker.bootstrap, "faults.", tmp_path))
        await gateways.make_topics()
        current = [await gateways.start()]
        # In the short run one gateway is all there is: it is asked while Kafka is away.
        asked = Hooks(await gateways.start() if DARK else current[0])
        asking = asyncio.create_task(asked.run()) if DARK else None
        for number, (identity, body) in enumerate(messages):
            if number == len(messages) // 3:
                await asyncio.to_thread(broker.kill)
                until = time.monotonic() + DARK
                while True:
                    refused = await current[0].own(identity, body)
                    assert refused == 503
                    await asked.ask("publish", "1")
                    if time.monotonic() >= until:
                        break
                await asyncio.to_thread(broker.start)
            if number == 2 * len(messages) // 3:
                await current[0].process.kill()
                current[0] = await gateways.start()
            await deliver(lambda: current[0], identity, body)
        if asking is not None:
            assert not asking.done(), asking.exception()
            asking.cancel()
        # What decides over a show was let go on each time, whatever was broken.
        assert asked.statuses.keys() == {200}
        print("hooks:", asked.statuses, f"slowest {asked.slowest:.1f} s")
        wanted = SHOWS * (SAMPLES + 2)

        def complete(found):
            own = [each for each in found if each["platform"] == "own"]
            return len({(e["broadcast"], e["at"], e.get("kind")) for e in own}) >= wanted

        found = await gateways.until(complete, 90)
        events = [each for each in found if each["platform"] == "own"]
        if DARK:
            await figures_are_the_truth(broker, gateways, len(found), truth)
    assert len({event["broadcast"] for event in events}) == SHOWS
    for channel, viewers in truth.items():
        own = [event for event in events if event["broadcast"].startswith(f"{channel}@")]
        told = [event["viewers"] for event in own if "viewers" in event]
        assert sorted(told) == sorted(viewers)  # none is lost, none twice
        assert sum(event.get("kind") == "ended" for event in own) == 1


async def figures_are_the_truth(broker, gateways, total, truth):
    """What a real worker makes of it is what the platform knows."""
    prefix, partitions = gateways.settings.topic_prefix, gateways.settings.partitions
    async with System(broker.bootstrap, prefix, partitions, rules={}) as system:
        await system.worker()
        await system.done(total)
        async with asyncio.timeout(60):
            while True:
                records = await system.read(system.topics.broadcast_summaries)
                last = {each.key: json.loads(each.value) for each in records}
                own = [each for each in last.values() if each["platform"] == "own"]
                if len(own) == SHOWS and all(each["ended_at"] for each in own):
                    break
                await asyncio.sleep(0.5)
    for channel, viewers in truth.items():
        (summary,) = (each for each in own if each["broadcast"].startswith(f"{channel}@"))
        assert summary["peak"] == max(viewers)
        assert summary["minutes_observed"] == SAMPLES
        assert summary["late"] == 0
        # A start is told again where something else of the show had told it before: it counts in
        # no figure but this.
        assert summary["events"] - (SAMPLES + 2) in {0, 1}
