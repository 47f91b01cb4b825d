"""Draws the live board to docs/images: a real Kafka, a real worker, a real Chromium.

    .venv/bin/python tests/pictures/board.py

The demo's broadcasts, those of museums and a real trace, are moved so that each is in its midst
now, and those of yesterday so that all are over. So the picture shows an evening that never was, of
figures that mostly were (agents/demo/data/README.md says which).
"""

import asyncio
import json
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

# Found by the line above.
import aiohttp
from integration.pipeline.browsing import browser, tab
from integration.pipeline.hard_log import Record
from integration.pipeline.system import System
from playwright.async_api import expect

from agents.broker import Broker
from agents.demo.input import right
from streams.routing import partition_for

IMAGES = Path(__file__).parents[2] / "docs" / "images"
PARTITIONS = 4
DAY = 86_400
#: A broadcast is shown when so much of it is over.
PART = 0.6
LOUVRE = "#/broadcast/fliggy/louvre-2020-09-25"
#: Name of the picture, address, and the browser that shows it.
PICTURES = {
    "board-page": ("#/", {"viewport": {"width": 1360, "height": 860}}),
    "board-broadcast-page": (LOUVRE, {"viewport": {"width": 1360, "height": 900}}),
    "board-wall": (
        "#/wall",
        {"viewport": {"width": 1920, "height": 1080}, "color_scheme": "dark", "locale": "zh-CN"},
    ),
    "board-phone": (
        "#/",
        {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "locale": "fr-FR"},
    ),
}


def evening(now):
    """Records of yesterday and of today up to now, by their time."""
    found = []
    for broadcast in right():
        events = [json.loads(record.value) for record in broadcast]
        times = [datetime.fromisoformat(event["at"]).timestamp() for event in events]
        # By whole minutes, so that none changes its minute.
        move = (now - (times[0] + PART * (times[-1] - times[0]))) // 60 * 60
        for day, name in ((0, ""), (DAY, "-yesterday")):
            for event, at in zip(events, times, strict=True):
                moved = at + move - day
                if moved <= now:
                    found.append(_record({**event, "broadcast": event["broadcast"] + name}, moved))
    return sorted(found, key=lambda record: record.timestamp)


def _record(event, at):
    text = datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
    key = f"{event['platform']}:{event['broadcast']}".encode()
    value = json.dumps({**event, "at": text}).encode()
    partition = partition_for(key, PARTITIONS, "murmur2")
    return Record(partition, key, value, int(at * 1000), None, None, 0)


async def draw(folder):
    now = time.time()
    async with (
        Broker(folder) as broker,
        System(
            broker.bootstrap, "", PARTITIONS, create_time=True, rules={}, minutes="on"
        ) as system,
    ):
        worker = await system.worker()
        print("sending an evening")
        records = evening(now)
        await system.send(records)
        await system.done(len(records))
        url = await system.url(worker)
        async with browser() as running, aiohttp.ClientSession() as session:
            async with session.get(f"{url}/v1/scopes/world") as answer:
                print("the world:", await answer.text())
            for name, (address, options) in PICTURES.items():
                async with tab(running, url, **{"timezone_id": "Europe/Paris", **options}) as board:
                    await board.go(address)
                    await expect(board.page.locator("canvas").first).to_be_visible()
                    await asyncio.sleep(3)
                    await board.page.screenshot(path=IMAGES / f"{name}.png")
                    print(f"{name}.png", *board.troubles)
        await worker.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        asyncio.run(draw(Path(made)))
