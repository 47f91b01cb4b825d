"""The board in a real browser, over a real worker and a real Kafka."""

import asyncio
import json
import os
import re
import time
from datetime import UTC, datetime

import aiohttp
import pytest
from integration.pipeline.browsing import browser, tab
from integration.pipeline.hard_log import Record
from integration.pipeline.system import System
from playwright.async_api import expect

from streams.routing import partition_for

pytestmark = pytest.mark.kafka

PARTITIONS = 2
MINUTE = 60
HOSTILE = '<img src=x onerror="alert(1)"> & </script><script>alert(2)</script> {{7*7}}'
#: How long a tab stays open to see whether it grows; the README of the tests names the command.
OPEN = int(os.environ.get("BOARD_SECONDS", "12"))

expect.set_options(timeout=20_000)


def record(platform, broadcast, at, viewers=None, **fields):
    """An event, told when it was observed."""
    text = datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
    event = {"platform": platform, "broadcast": broadcast, "at": text, "viewers": viewers, **fields}
    key = f"{platform}:{broadcast}".encode()
    partition = partition_for(key, PARTITIONS, "murmur2")
    return Record(partition, key, json.dumps(event).encode(), int(at * 1000), None, None, 0)


def evening(now):
    """A simulcast of two legs, a broadcast that fell silent, and one with another's title."""
    start = now - 12 * MINUTE
    night = {"venue": "louvre", "programme": "night", "title": "Night at the Louvre"}
    yield record("fliggy", "louvre/1", start - 2 * MINUTE, 1_200, **night)  # the waiting room
    yield record("fliggy", "louvre/1", start, kind="started", **night)
    for minute in range(13):
        if not 4 <= minute < 10:  # a hole: more than what is carried
            yield record("fliggy", "louvre/1", start + minute * MINUTE, 380_000 - minute, **night)
        yield record("taobao", "louvre", start + minute * MINUTE, 90_000 + minute, **night)
    for minute in range(20):
        at = now - (30 - minute) * MINUTE
        viewers = 90_000 if minute == 7 else 500  # one false sample
        yield record("twitch", "silent", at, viewers, venue="v-and-a")
    yield record("kick", HOSTILE[:60], now, 4_321, title=HOSTILE)


def figure(value):
    return f"{value:,}"


class Answers:
    """What the API of a worker says."""

    def __init__(self, url):
        self.url = url

    async def get(self, path):
        async with aiohttp.ClientSession() as session, session.get(self.url + path) as answer:
            if answer.status == 503:  # it has just started
                return None
            assert answer.status == 200, await answer.text()
            return await answer.json()


async def until(condition, seconds=30):
    async with asyncio.timeout(seconds):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.2)


async def test_the_board_shows_what_the_api_says(brokers, topic_prefix):
    now = int(time.time())
    # Most of the evening's minutes are sealed when somebody looks.
    sealed = {"rules": {}, "minutes": "on", "lateness": "5m"}
    async with System(brokers, topic_prefix, PARTITIONS, create_time=True, **sealed) as system:
        worker = await system.worker()
        await system.send(list(evening(now)))
        url = await system.url(worker)
        api = Answers(url)

        async def counted():
            found = await api.get("/v1/scopes?scope=world")
            viewers = [scope["viewers"] for scope in found["scopes"]] if found else []
            return viewers == [379_988 + 90_012 + 4_321]

        await until(counted, 120)
        async with browser() as running:
            await look_at_the_overview(running, url, api)
            await look_at_a_broadcast(running, url, api)
            await watch_what_happens(running, url, system)
            for look in (reads_in_every_language, fits_everywhere, is_used_by_keyboard):
                await look(running, url)
            await does_not_grow(running, url)
        assert await worker.stop() == 0


async def look_at_the_overview(running, url, api):
    async with tab(running, url) as board:
        await board.go("")
        page = board.page
        world = await api.get("/v1/scopes/world")
        await expect(page.locator("#watching")).to_have_text(figure(world["viewers"]))
        await expect(page.locator(".detail")).to_contain_text(figure(world["peak"]))
        found = (await api.get("/v1/broadcasts?status=live"))["broadcasts"]
        assert len(found) == 4
        for each in found:
            title = each["title"] or "Untitled"
            row = page.locator("table.broadcasts tr", has_text=each["platform"])
            await expect(row.locator(".title")).to_have_text(title)
            await expect(row).to_contain_text(figure(each["viewers"]))
            await expect(row).to_contain_text(figure(each["peak"]))
            await expect(row.locator("td").last).to_have_text(f"{round(each['coverage'] * 100)}%")
        programme = await api.get("/v1/scopes/programme/night")
        together = page.locator("tr.programme")
        await expect(together).to_contain_text(figure(programme["viewers"]))
        await expect(together).to_contain_text(figure(programme["peak"]))
        silent = page.locator("tr", has_text="twitch")
        await expect(silent).to_have_class("stale")
        await expect(silent).to_contain_text("silent for")
        await expect(silent).to_contain_text("not held")
        platforms = page.locator(".platforms li")
        await expect(platforms.first).to_contain_text("fliggy")
        await expect(platforms.first.locator(".value")).to_have_text(figure(379_988))
        curve = platforms.first.locator(".spark path")
        await expect(curve).to_have_attribute("d", re.compile(r"M.*L"))
        assert await page.locator("main img, main script").count() == 0
        assert await board.accessibility() == []
        assert board.troubles == []


async def look_at_a_broadcast(running, url, api):
    async with tab(running, url) as board:
        await board.go("")
        page = board.page
        await page.locator("table.broadcasts .leg a", has_text="Night").first.click()
        figures = await api.get("/v1/broadcasts/fliggy/louvre%2F1")
        await expect(page.locator("h1")).to_have_text("Night at the Louvre")
        await expect(page.locator("main output.now")).to_have_text(figure(figures["viewers"]))
        shown = page.locator("dl.figures")
        for name in ("peak", "peak_held", "waiting_peak", "first_minute", "minutes_carried"):
            await expect(shown).to_contain_text(figure(figures[name]))
        curve = page.locator(".plot")
        await expect(curve.locator("canvas")).to_be_visible()
        label = await curve.get_attribute("aria-label")
        assert figure(figures["peak"]) in label
        await page.locator("summary").click()
        states = page.locator("details tbody tr")
        await expect(states.filter(has_text="no sample")).to_have_count(4)
        await expect(states.filter(has_text="carried")).to_have_count(2)
        await expect(states.filter(has_text="before the start")).to_have_count(1)
        # Sealed or open, all its minutes are there from the first.
        await expect(states.filter(has_text="observed")).to_have_count(7)
        await expect(states.last).to_contain_text(figure(1_200))
        await expect(page.locator("main .doubts")).to_be_empty()
        assert await board.accessibility() == []
        await page.go_back()
        await expect(page.locator("#watching")).to_be_visible()
        assert board.troubles == []


async def watch_what_happens(running, url, system):
    """A broadcast starts, is corrected and ends while somebody looks on."""
    async with tab(running, url) as board:
        await board.go("")
        rows = board.page.locator("table.broadcasts tr", has_text="Versailles")
        await expect(board.page.locator("#watching")).to_be_visible()
        await expect(rows).to_have_count(0)
        at = int(time.time())
        show = {"title": "Versailles", "venue": "versailles"}
        await system.send([record("fliggy", "v", at, 41_000, kind="started", **show)])
        await expect(rows.locator(".strong")).to_have_text(figure(41_000))
        await expect(board.page.locator(".venues li", has_text="versailles")).to_be_visible()
        await system.send([record("fliggy", "v", at, 42_500, revision=1, **show)])
        await expect(rows.locator(".strong")).to_have_text(figure(42_500))
        await rows.locator("a").click()
        await board.page.locator("summary").click()
        corrected = board.page.locator("details tbody tr", has_text="corrected")
        await expect(corrected).to_contain_text(figure(42_500))
        await system.send([record("fliggy", "v", at + 1, kind="ended", **show)])
        await expect(board.page.locator("main output.now")).to_have_text("ended")
        await board.page.locator("main a").first.click()
        await expect(board.page.locator("#watching")).to_be_visible()
        await expect(rows).to_have_count(0)
        assert board.troubles == []


async def reads_in_every_language(running, url):
    wanted = {
        "en": ("Watching now", "474,321"),
        "fr": ("Regardent en ce moment", "474\u202f321"),
        "zh": ("正在观看", "474,321"),
    }
    async with tab(running, url) as board:
        await board.go("")
        for language, (title, viewers) in wanted.items():
            await board.page.locator("#choose-language").select_option(language)
            await expect(board.page.locator("h1")).to_have_text(title)
            await expect(board.page.locator("#watching")).to_have_text(viewers)
            assert (await board.page.locator("html").get_attribute("lang"))[:2] == language
        await board.page.reload()  # the choice is remembered
        await expect(board.page.locator("h1")).to_have_text(wanted["zh"][0])
        assert board.troubles == []


async def fits_everywhere(running, url):
    for address, options in {
        "#/": {"viewport": {"width": 360, "height": 740}, "is_mobile": True},
        "#/broadcast/taobao/louvre": {"viewport": {"width": 360, "height": 740}},
        "#/wall": {"viewport": {"width": 1920, "height": 1080}, "color_scheme": "dark"},
        "#/venue/louvre": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
    }.items():
        async with tab(running, url, **options) as board:
            await board.go(address)
            number = board.page.locator("main output.now")
            await expect(number).to_contain_text(re.compile(r"\d{3}"))
            await expect(board.page.locator("canvas").first).to_be_visible()
            assert not await board.overflows(), address
            if address == "#/wall":
                await expect(board.page.locator("header")).to_be_hidden()
                box = await number.bounding_box()
                assert box["height"] > 1080 / 8  # a person reads that from five metres
                assert box["x"] + box["width"] < 1920
            assert await board.accessibility() == [], address
            assert board.troubles == [], address


async def is_used_by_keyboard(running, url):
    async with tab(running, url) as board:
        await board.go("")
        page = board.page
        await expect(page.locator("#watching")).to_be_visible()
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.id") == "skip"
        await page.keyboard.press("Enter")
        assert await page.evaluate("document.activeElement.id") == "main"
        for _ in range(30):
            await page.keyboard.press("Tab")
            href = await page.evaluate("document.activeElement.getAttribute('href') ?? ''")
            if href.startswith("#/broadcast/"):
                break
        await page.keyboard.press("Enter")
        await expect(page.locator("dl.figures")).to_be_visible()
        assert await page.evaluate("document.activeElement.id") == "main"
        assert board.troubles == []


async def does_not_grow(running, url):
    async with tab(running, url) as board:
        await board.go("")
        await expect(board.page.locator("canvas")).to_be_visible()
        await asyncio.sleep(3)
        nodes, listeners, heap = await board.size()
        await asyncio.sleep(OPEN)
        after = await board.size()
        print(f"\nopen for {OPEN} s: nodes {nodes}, {after[0]}; heap {heap:,}, {after[2]:,} bytes")
        assert after[0] <= nodes + 20
        assert after[1] <= listeners + 5
        assert after[2] <= heap + 1_500_000
        assert board.troubles == []
