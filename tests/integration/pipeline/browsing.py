"""A real Chromium for the tests of the board, and what is looked at in it."""

import contextlib
import os
import shutil

import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from playwright.async_api import async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def program():
    """Where Chromium is; the test is left out, and says so, where there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        # A person's machine need not have one; in a container tests/run installs it.
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is on the PATH")
    return found


@contextlib.asynccontextmanager
async def browser():
    """Chromium, without a window."""
    async with async_playwright() as playwright:
        # Its own sandbox needs what containers do not give to root.
        arguments = ["--no-sandbox"] if os.getuid() == 0 else []
        running = await playwright.chromium.launch(executable_path=program(), args=arguments)
        try:
            yield running
        finally:
            await running.close()


class Tab:
    """One page of the board.

    Whatever the page logs, fails to load or asks of another server is an error of the test.
    """

    def __init__(self, url, page):
        self.url = url
        self.page = page
        self.troubles = []
        page.on("console", self._logged)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("dialog", lambda dialog: self.troubles.append(f"dialog: {dialog.message}"))
        page.on("request", self._requested)

    def _logged(self, message):
        if message.type in ("error", "warning"):
            self.troubles.append(message.text)

    def _requested(self, request):
        if not request.url.startswith(self.url):
            self.troubles.append(f"asked {request.url}")

    async def go(self, address):
        """Show another page of the board: `#/venue/louvre`."""
        await self.page.goto(f"{self.url}/{address}")

    async def accessibility(self):
        """What axe-core finds that is serious or worse."""
        await self.page.evaluate(AXE_FILE_PATH.read_text("utf-8"))
        found = await self.page.evaluate("axe.run()")
        return [
            (each["id"], [node["html"] for node in each["nodes"]])
            for each in found["violations"]
            if each["impact"] in ("serious", "critical")
        ]

    async def overflows(self):
        """Whether the page is wider than its window."""
        return await self.page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )

    async def size(self):
        """How many nodes and listeners the page has, and bytes on its heap, after a collection."""
        session = await self.page.context.new_cdp_session(self.page)
        await session.send("HeapProfiler.collectGarbage")
        await session.send("Performance.enable")
        metrics = (await session.send("Performance.getMetrics"))["metrics"]
        await session.detach()
        found = {each["name"]: each["value"] for each in metrics}
        return found["Nodes"], found["JSEventListeners"], found["JSHeapUsedSize"]


@contextlib.asynccontextmanager
async def tab(running, url, **options):
    """A tab of its own: nothing is remembered of another one."""
    context = await running.new_context(**{"locale": "en-GB", "timezone_id": "UTC", **options})
    try:
        yield Tab(url, await context.new_page())
    finally:
        await context.close()
