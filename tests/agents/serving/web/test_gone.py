"""Clients that go away, in every phase, and searches that nobody waits for."""

import asyncio

import pytest
from web_clients import HEAD, connected, huge, wait_for

from agents.serving.web.searches import Searches

pytestmark = pytest.mark.usefixtures("our_own_code_never_failed")


# -- clients that go away --------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/metrics", "/v1/broadcasts", "/openapi.json", "/nowhere"])
@pytest.mark.parametrize("wait", [0, 0.001, 0.01, 0.05])
async def test_a_client_that_hangs_up_at_any_time_is_no_defect_of_ours(patient, path, wait):
    for number in range(300):
        patient.add(f"kick:{number}", number)
    huge(patient, 3_000_000)
    request = HEAD % path.encode() + b"Accept-Encoding: gzip\r\n\r\n"
    for cut in (1, len(request) // 2, len(request)):
        async with connected(patient, request[:cut]) as (_, writer):
            await writer.drain()
            await asyncio.sleep(wait)
    await wait_for(lambda: len(patient.server.connections) == 0)
    assert await patient.json("/healthz")


async def test_a_scraper_that_is_gone_before_the_first_byte_is_no_defect_of_ours(patient):
    begun, gone, ended = asyncio.Event(), asyncio.Event(), []

    async def chunks(*, openmetrics):
        begun.set()
        try:
            await gone.wait()
        finally:
            ended.append(True)
        yield b"audience 1\n"

    patient.exposition.chunks = chunks
    async with connected(patient, HEAD % b"/metrics" + b"\r\n"):
        await begun.wait()
    await wait_for(lambda: ended)  # it was given up, not made for nobody
    assert not gone.is_set()


async def test_a_client_that_is_gone_between_two_chunks_is_no_defect_of_ours(patient):
    begun, gone = asyncio.Event(), asyncio.Event()

    async def chunks(*, openmetrics):
        yield b"audience 1\n"
        begun.set()
        await asyncio.shield(asyncio.create_task(gone.wait()))
        yield b"audience 2\n"

    patient.exposition.chunks = chunks
    async with connected(patient, HEAD % b"/metrics" + b"\r\n"):
        await begun.wait()
        [connection] = patient.server.connections._open
        connection._pipe.abort()  # gone in the very turn in which the chunk comes
        gone.set()
    await wait_for(lambda: len(patient.server.connections) == 0)


# -- searches --------------------------------------------------------------------------------------


async def test_a_search_is_given_up_when_its_client_has_gone(patient, monkeypatch):
    begun, ended = asyncio.Event(), []

    async def forever(live, query):
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    monkeypatch.setattr("agents.serving.web.lists.page", forever)
    async with connected(patient, HEAD % b"/v1/broadcasts?local=true" + b"\r\n"):
        await begun.wait()
    await wait_for(lambda: ended)
    monkeypatch.undo()
    assert (await patient.json("/v1/scopes"))["scopes"] == []  # the next one runs


async def test_searches_that_wait_are_given_up_with_their_clients(patient, monkeypatch):
    asked = []

    async def forever(live, query):
        asked.append(query)
        await asyncio.Event().wait()

    monkeypatch.setattr("agents.serving.web.lists.page", forever)
    clients = [connected(patient, HEAD % b"/v1/broadcasts?local=true" + b"\r\n") for _ in range(5)]
    for client in clients:
        await client.__aenter__()
    await wait_for(lambda: asked and len(patient.server.connections) == 5)
    for client in clients:
        await client.__aexit__(None, None, None)
    await wait_for(lambda: len(patient.server.connections) == 0)
    monkeypatch.undo()
    assert (await patient.json("/v1/scopes"))["scopes"] == []


async def test_one_search_too_many_is_told_so(patient, monkeypatch):
    async def forever(live, query):
        await asyncio.Event().wait()

    monkeypatch.setattr("agents.serving.web.lists.page", forever)
    clients = [connected(patient, HEAD % b"/v1/broadcasts?local=true" + b"\r\n") for _ in range(18)]
    answers = [
        asyncio.create_task(reader.readuntil(b"}"))
        for reader, _ in [await client.__aenter__() for client in clients]
    ]
    done, others = await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
    [told] = [task.result() for task in done]  # one is under way, 16 wait
    assert told.startswith(b"HTTP/1.1 503 ")
    assert b"ask again later" in told
    assert await patient.json("/healthz")
    for task in others:
        task.cancel()
    for client in clients:
        await client.__aexit__(None, None, None)


async def test_a_search_that_takes_too_long_is_given_up(patient, monkeypatch):
    async def forever(live, query):
        await asyncio.Event().wait()

    monkeypatch.setattr("agents.serving.web.lists.page", forever)
    searches = Searches(seconds=0.1)
    monkeypatch.setattr(Searches, "run", searches.run)
    told = await patient.json("/v1/broadcasts", 503)
    assert told["detail"].startswith("the search was given up after 0.1 s")
