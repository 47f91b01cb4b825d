"""More connections than there may be, and a process without files."""

import asyncio
import os
import resource
import sys

import pytest
from web_clients import HEAD, connected, huge, open_files, until_closed, wait_for
from web_worker import Worker

from agents.serving.web import Limits
from agents.serving.web.listener import file_limit, raise_file_limit

pytestmark = pytest.mark.usefixtures("our_own_code_never_failed")


# -- too many --------------------------------------------------------------------------------------


async def test_the_oldest_that_nobody_waits_for_makes_room(patient):
    async with Worker(limits=Limits(connections=5)) as worker:
        opened = []
        for _ in range(12):
            async_context = connected(worker, HEAD % b"/healthz")
            opened.append((await async_context.__aenter__(), async_context))
            await asyncio.sleep(0.02)
        await wait_for(lambda: len(worker.server.connections) == 5)
        assert worker.closed == ["full"] * 7
        for (reader, _), _ in opened[:7]:
            await until_closed(reader, 2)
        for (reader, writer), _ in opened[7:]:
            writer.write(b"\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        for _, async_context in opened:
            await async_context.__aexit__(None, None, None)


async def test_an_answer_that_is_read_outlives_heads_that_do_not_come():
    async with Worker(limits=Limits(connections=4)) as worker:
        huge(worker, 10_000_000)
        scrape = asyncio.create_task(worker.get("/metrics", **{"Accept-Encoding": "identity"}))
        heads = []
        for _ in range(30):
            heads.append(connected(worker, b"GET "))
            await heads[-1].__aenter__()
        _, body = await scrape
        assert len(body) == 10_000_000
        for head in heads:
            await head.__aexit__(None, None, None)


HOLD = """
import socket, sys
held = []
for _ in range(300):
    try:
        one = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=2)
        one.sendall(b"GET /metrics HTTP/1.1\\r\\nHost: x\\r\\nX-a: ")
        held.append(one)
    except OSError:
        pass
print(len(held), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def few_files():
    """Let this process have 256 files, as many a system does."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    yield 256
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_300_unfinished_requests_leave_room_for_others(few_files, logged):
    async with Worker(limits=Limits(connections=1_000)) as worker:
        port = worker.server.url.rpartition(":")[2]
        holder = await asyncio.create_subprocess_exec(
            sys.executable, "-c", HOLD, port, stdin=-1, stdout=-1
        )
        for _ in range(20):
            await worker.json("/healthz")
        assert int(await holder.stdout.readline()) > 200
        await worker.json("/healthz")
        assert open_files() < few_files - few_files // 5
        holder.stdin.close()
        await holder.wait()
        assert len(logged) <= 1


def take_files():
    """Take all files that this process may still have."""
    taken = []
    try:
        while True:
            taken.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return taken


async def test_without_a_file_left_the_oldest_goes_and_little_is_logged(few_files, logged):
    async with Worker() as worker, connected(worker, b"GET ") as (reader, _):
        await wait_for(lambda: len(worker.server.connections) == 1)
        port = int(worker.server.url.rpartition(":")[2])
        taken = take_files()
        os.close(taken.pop())
        try:
            # The last file is the client's end: there is none for ours.
            got, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(HEAD % b"/healthz" + b"\r\n")
            assert (await asyncio.wait_for(got.readline(), 5)).startswith(b"HTTP/1.1 200 ")
            await until_closed(reader, 2)
        finally:
            for number in taken:
                os.close(number)
        writer.transport.abort()
    assert len(logged) <= 2
    assert "could not be taken in" in " ".join(entry["event"] for entry in logged)


def test_a_worker_asks_for_all_the_files_that_it_may_have(few_files):
    raise_file_limit()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert file_limit() == min(hard, 65_536)
