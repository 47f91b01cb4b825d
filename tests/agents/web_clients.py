"""Clients that are slow, greedy or gone, over real connections."""

import asyncio
import time
from contextlib import asynccontextmanager
from pathlib import Path

from agents.serving.web import Limits

SHORT = Limits(connections=100, head=0.6, idle=0.6, unread=0.6, answer=1.5)
HEAD = b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@asynccontextmanager
async def connected(worker, sent=b""):
    port = int(worker.server.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        yield reader, writer
    finally:
        writer.transport.abort()


async def until_closed(reader, seconds=10):
    """All that comes before the connection is closed, and after how many seconds that is."""
    began, got = time.monotonic(), b""
    async with asyncio.timeout(seconds):
        try:
            while chunk := await reader.read(65_536):
                got += chunk
        except ConnectionError:
            pass
    return got, time.monotonic() - began


async def wait_for(condition, seconds=10):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # what is waited for has no event
            await asyncio.sleep(0.01)


def open_files():
    return len([*Path("/proc/self/fd").iterdir()])


def huge(worker, size=40_000_000):
    """Let a scrape have so many bytes: more than the system keeps for a client that reads none."""

    async def chunks(*, openmetrics):
        for _ in range(size // 100_000):
            yield b"#" * 99_999 + b"\n"

    worker.exposition.chunks = chunks
