"""How long from produce to the page: `python tests/bench/page.py [--rate 1000] [--seconds 60]`.

A real Apache Kafka, a real worker, a thousand broadcasts that are told of at this rate all the
time, a reader of `/v1/live`, and the board in a real Chromium. The largest broadcast tells another
number every 0.7 s; of each number it is noted when it was produced, when the reader had it, and
when it stood on the page. The stream tells what changed at most once a second, so a number may be
passed over: then it counts as there when a later one was.
"""

# printing is what it is for

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # run as a script, from anywhere
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import aiohttp
from aiokafka import AIOKafkaProducer
from integration.pipeline.browsing import browser, tab
from integration.pipeline.system import System
from meters import load, usage
from playwright.async_api import expect

from agents.broker import Broker
from streams.routing import partition_for

PARTITIONS = 4
BROADCASTS = 1_000
#: The probe is larger than all others.
BASE = 1_000_000
EVERY = 0.7
#: Events are sent so often a second.
TICKS = 50
WARM_UP = 5.0

# Notes when another number stands in the row of the probe.
WATCH = """
() => {
  window.seen = [];
  const cell = [...document.querySelectorAll("table.broadcasts tr")]
    .find((row) => row.textContent.includes("The probe")).querySelector(".strong");
  new MutationObserver(() => window.seen.push([cell.textContent, Date.now() / 1000]))
    .observe(cell, { childList: true, characterData: true, subtree: true });
}
"""


class Sender:
    """Sends events, and notes when it sent each number of the probe."""

    def __init__(self, producer, topic):
        self._producer, self._topic = producer, topic
        self.sent = {}
        self.number = BASE
        self.events = 0

    async def tell(self, name, viewers, **fields):
        at = datetime.now(UTC).isoformat()
        event = {"platform": "kick", "broadcast": name, "at": at, "viewers": viewers, **fields}
        key = f"kick:{name}".encode()
        partition = partition_for(key, PARTITIONS, "murmur2")
        self.events += 1
        await self._producer.send(self._topic, json.dumps(event).encode(), key, partition=partition)

    async def run(self, rate, seconds):
        rng = random.Random(1)
        began = time.monotonic()
        ticks = probes = place = 0
        while (now := time.monotonic() - began) < seconds:
            if now >= probes * EVERY:
                probes += 1
                self.number += 1
                self.sent[self.number] = time.time()
                await self.tell("probe", self.number, title="The probe")
            while ticks < now * TICKS:
                ticks += 1
                for _ in range(rate // TICKS):
                    place = (place + 1) % BROADCASTS
                    await self.tell(f"b{place}", rng.randrange(100, 1_000))
            await asyncio.sleep(max(0.0, min(ticks / TICKS, probes * EVERY) - now))


async def follow(url, seen):
    """Note when `/v1/live` told which number of the probe."""
    patterns = re.compile(rb'"kick:probe":\{[^{}]*"viewers":(\d+)')
    timeout = aiohttp.ClientTimeout(total=None)
    async with (
        aiohttp.ClientSession(timeout=timeout, read_bufsize=2**20) as session,
        session.get(f"{url}/v1/live") as answer,
    ):
        rest = b""
        async for chunk in answer.content.iter_any():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if found := patterns.search(line):
                    seen.append((int(found[1]), time.time()))


def latencies(sent, seen):
    """Of each number that was sent, the seconds until it or a later one was there."""
    found = []
    for number, at in sent.items():
        there = [when for shown, when in seen if shown >= number]
        if there:
            found.append(min(there) - at)
    return sorted(found)


def line(name, found, sent):
    at = lambda share: found[min(len(found) - 1, int(share * len(found)))]  # noqa: E731
    if not found:
        return f"{name:12} nothing was seen of {len(sent)}"
    return (
        f"{name:12}{len(found):6} of {len(sent):4}   p50 {at(0.5):.2f} s   p90 {at(0.9):.2f} s   "
        f"p99 {at(0.99):.2f} s   most {found[-1]:.2f} s"
    )


async def measure(rate, seconds, folder):
    async with (
        Broker(folder) as broker,
        System(broker.bootstrap, "", PARTITIONS, rules={}) as system,
    ):
        worker = await system.worker()
        url = await system.url(worker)
        topic = system.topics.events.name
        async with (
            AIOKafkaProducer(bootstrap_servers=broker.bootstrap, linger_ms=5) as producer,
            browser() as running,
            tab(running, url) as board,
        ):
            sender = Sender(producer, topic)
            await sender.run(rate, WARM_UP)
            await board.go("")
            await expect(board.page.locator("tr", has_text="The probe")).to_be_visible(
                timeout=60_000
            )
            await board.page.evaluate(WATCH)
            read = []
            following = asyncio.create_task(follow(url, read))
            await asyncio.sleep(2)
            sender.sent.clear()
            sender.events = 0
            before, began = usage(worker.process.pid), time.monotonic()
            await sender.run(rate, seconds)
            took = time.monotonic() - began
            used = usage(worker.process.pid).cpu - before.cpu
            await asyncio.sleep(5)
            following.cancel()
            await asyncio.wait({following})
            shown = [
                (int(re.sub(r"\D", "", text)), at)
                for text, at in await board.page.evaluate("window.seen")
            ]
            print(
                f"{sender.events / took:,.0f} events/s, load {load():.1f}; the worker: "
                f"{used / took:.2f} cores, {usage(worker.process.pid).memory / 1e6:.0f} MB at most"
            )
            print(line("/v1/live", latencies(sender.sent, read), sender.sent))
            print(line("the page", latencies(sender.sent, shown), sender.sent))
            print(*board.troubles)
        await worker.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        asyncio.run(measure(arguments.rate, arguments.seconds, Path(made)))
