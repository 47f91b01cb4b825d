"""Requests that do not come, are too large, or are none."""

import asyncio
import json

import pytest
from web_clients import HEAD, connected, until_closed, wait_for

pytestmark = pytest.mark.usefixtures("our_own_code_never_failed")


# -- slow heads ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent", [b"", b"G", b"GET / HTTP/1.1\r\n", HEAD % b"/metrics" + b"X-a: "], ids=repr
)
async def test_a_head_that_does_not_come_is_not_waited_for(hasty, sent):
    async with connected(hasty, sent) as (reader, _):
        got, took = await until_closed(reader)
    assert got == b""
    assert took < 5
    assert hasty.closed == ["head"]


async def test_a_head_that_comes_byte_by_byte_has_no_more_time(hasty):
    async with connected(hasty, HEAD % b"/healthz") as (reader, writer):
        closed = asyncio.create_task(until_closed(reader))
        while not closed.done():
            writer.write(b"X-a: b\r\n")
            await asyncio.sleep(0.05)
        got, took = await closed
    assert got == b""
    assert took < 5
    assert hasty.closed == ["head"]


async def test_a_second_request_has_no_more_time_either(hasty):
    async with connected(hasty, HEAD % b"/healthz" + b"\r\n") as (reader, writer):
        assert await reader.readuntil(b'{"status":"ok"}')
        writer.write(HEAD % b"/healthz")
        got, _ = await until_closed(reader)
    assert got == b""
    assert hasty.closed == ["head"]


async def test_a_connection_without_another_request_is_closed(hasty, logged):
    async with connected(hasty, HEAD % b"/healthz" + b"\r\n") as (reader, _):
        assert await reader.readuntil(b'{"status":"ok"}')
        await until_closed(reader)
    assert logged == []  # that is as it should be


async def test_a_body_is_not_waited_for(hasty):
    head = b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    async with connected(hasty, head) as (reader, writer):
        closed = asyncio.create_task(until_closed(reader))
        while not closed.done():
            writer.write(b"x")
            await asyncio.sleep(0.05)
        got, took = await closed
    assert got.startswith(b"HTTP/1.1 405 ")
    assert took < 5


@pytest.mark.parametrize("times", [1, 50])
async def test_what_is_too_slow_is_told_once_a_minute(hasty, logged, times):
    for _ in range(times):
        async with connected(hasty, b"GET "):
            await wait_for(lambda: len(hasty.server.connections) == 1)
    async with connected(hasty, b"GET ") as (reader, _):
        await until_closed(reader)
    async with connected(hasty, b"GET ") as (reader, _):
        await until_closed(reader)
    [entry] = logged
    assert entry["event"] == "HTTP connections were closed"
    assert entry["head"] == 1


# -- large heads, and what is none -----------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        HEAD % b"/" + b"X-a: " + b"b" * 100_000 + b"\r\n\r\n",
        HEAD % b"/" + b"X-" + b"a" * 100_000 + b": b\r\n\r\n",
    ],
    ids=["line", "value", "name"],
)
async def test_a_head_that_is_too_large_is_refused(patient, sent):
    async with connected(patient, sent) as (reader, _):
        got, _ = await until_closed(reader)
    head, _, body = got.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 431 ")
    assert b"Server: live-audience" in head
    assert b"application/problem+json" in head
    assert json.loads(body)["status"] == 431


@pytest.mark.parametrize(
    "sent",
    [
        HEAD % b"/" + b"X-a: b\r\n" * 1_000 + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500,  # TLS to a plain port
        b"hello\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        HEAD % b"/" + b"Content-Length: many\r\n\r\n",
    ],
    ids=["headers", "tls", "words", "version", "length"],
)
async def test_what_is_no_request_is_refused_and_is_no_defect_of_ours(patient, sent):
    async with connected(patient, sent) as (reader, _):
        got, _ = await until_closed(reader)
    head, _, body = got.partition(b"\r\n\r\n")
    assert head.startswith((b"HTTP/1.0 400 ", b"HTTP/1.1 400 ", b"HTTP/1.0 431 ")), got
    assert json.loads(body)["status"] in (400, 431)
