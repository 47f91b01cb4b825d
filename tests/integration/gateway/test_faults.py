"""Kafka away, and gateways killed in mid-show: nothing is lost, nothing counts twice."""

import asyncio
import contextlib
import random

import pytest
from running import Gateways, now

from agents.broker import Broker

pytestmark = pytest.mark.kafka

SHOWS = 12
SAMPLES = 6


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


async def test_kafka_away_and_kills_in_mid_show(tmp_path):
    """Deliveries come repeated and in any order, while Kafka and gateways die."""
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
    messages += chance.sample(messages, 30)
    chance.shuffle(messages)

    async with contextlib.AsyncExitStack() as stack:
        broker = await stack.enter_async_context(Broker(tmp_path / "kafka"))
        gateways = await stack.enter_async_context(Gateways(broker.bootstrap, "faults.", tmp_path))
        await gateways.make_topics()
        current = [await gateways.start()]
        for number, (identity, body) in enumerate(messages):
            if number == 40:
                await asyncio.to_thread(broker.kill)
                refused = await current[0].own(identity, body)
                assert refused == 503
                await asyncio.to_thread(broker.start)
            if number == 80:
                await current[0].process.kill()
                current[0] = await gateways.start()
            await deliver(lambda: current[0], identity, body)
        wanted = SHOWS * (SAMPLES + 2)

        def complete(found):
            return len({(e["broadcast"], e["at"], e.get("kind")) for e in found}) >= wanted

        events = await gateways.until(complete, 90)
    assert len({event["broadcast"] for event in events}) == SHOWS
    for channel, viewers in truth.items():
        own = [event for event in events if event["broadcast"].startswith(f"{channel}@")]
        told = [event["viewers"] for event in own if "viewers" in event]
        assert sorted(told) == sorted(viewers)  # none is lost, none twice
        assert sum(event.get("kind") == "ended" for event in own) == 1
