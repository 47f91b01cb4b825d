"""Answers that are read slowly or not at all."""

import asyncio
import time

import pytest
from web_clients import HEAD, connected, huge, until_closed, wait_for
from web_worker import Worker

from agents.serving.web import Limits

pytestmark = pytest.mark.usefixtures("our_own_code_never_failed")


# -- slow readers ----------------------------------------------------------------------------------


async def test_an_answer_that_is_not_read_is_given_up(hasty):
    huge(hasty)
    async with connected(hasty, HEAD % b"/metrics" + b"\r\n") as (reader, writer):
        writer.transport.pause_reading()
        await wait_for(lambda: hasty.closed)
        assert hasty.closed == ["unread"]
        writer.transport.resume_reading()
        got, _ = await until_closed(reader)
    assert 0 < len(got) < 40_000_000


async def test_an_answer_that_is_read_too_slowly_is_given_up(hasty):
    huge(hasty)
    async with connected(hasty, HEAD % b"/metrics" + b"\r\n") as (reader, _):
        deadline = time.monotonic() + 20
        while not hasty.closed and time.monotonic() < deadline:
            await reader.read(200_000)
            await asyncio.sleep(0.05)
    assert hasty.closed in (["answer"], ["unread"])


async def test_a_small_answer_that_is_not_read_is_given_up(hasty):
    """It stands in our buffer, and a close in good order would wait for ever."""
    hasty.server.connections.limits = Limits(head=60, idle=60, unread=0.6, answer=60)
    async with connected(hasty) as (_, writer):
        writer.transport.pause_reading()
        deadline = time.monotonic() + 20
        while not hasty.closed and time.monotonic() < deadline:
            writer.write((HEAD % b"/openapi.json" + b"\r\n") * 32)
            await asyncio.sleep(0.01)
    assert hasty.closed == ["unread"]


async def test_a_large_scrape_that_is_read_slowly_but_steadily_comes_whole(patient):
    huge(patient, 15_000_000)
    async with connected(patient, HEAD % b"/metrics" + b"\r\n") as (reader, _):
        got = 0
        async with asyncio.timeout(60):
            while got < 15_000_000:
                got += len(await reader.read(100_000))
                await asyncio.sleep(0.002)
    assert patient.closed == []


async def test_scrapes_that_nobody_reads_make_room_for_one_that_is_read(patient):
    huge(patient)
    clients = []
    for _ in range(8):
        clients.append(connected(patient, HEAD % b"/metrics" + b"\r\n"))
        _, writer = await clients[-1].__aenter__()
        writer.transport.pause_reading()
    await asyncio.sleep(0.3)
    assert len(patient.server.connections) == 8
    _, body = await patient.get("/metrics", **{"Accept-Encoding": "identity"})
    assert len(body) == 40_000_000
    assert patient.closed == ["unread"]
    for client in clients:
        await client.__aexit__(None, None, None)


async def test_one_scrape_too_many_is_told_so(patient, monkeypatch):
    monkeypatch.setattr("agents.serving.web.scrape._AT_ONCE", 0)
    told = await patient.json("/metrics", 503)
    assert "scrape less often" in told["detail"]


# -- the end ---------------------------------------------------------------------------------------


async def test_a_stop_does_not_wait_for_clients_that_do_not_read():
    async with Worker() as hasty:
        huge(hasty)
        client = connected(hasty, HEAD % b"/metrics" + b"\r\n")
        _, writer = await client.__aenter__()
        writer.transport.pause_reading()
        await asyncio.sleep(0.2)
        began = time.monotonic()
    assert time.monotonic() - began < 8
    assert len(hasty.server.connections) == 0
    await client.__aexit__(None, None, None)
