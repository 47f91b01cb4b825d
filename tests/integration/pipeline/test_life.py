"""Ended, final, late, forgotten: on a real Kafka, with a clock that the test moves."""

import asyncio
import json
import os
import socket
import sys
import time
from types import SimpleNamespace

import aiohttp
import orjson
import pytest
from integration.pipeline.clock import Clock, worker_with
from integration.pipeline.system import System
from processes import Process

from streams import audience

pytestmark = pytest.mark.kafka

HOUR = 3_600
#: `AT_ONCE=100000 tests/run -k thousands_at_once` takes two minutes. One batch finalises 5,000.
AT_ONCE = int(os.environ.get("AT_ONCE", "30000"))
KEY = b"fliggy:louvre-1"
FAUST = (sys.executable, "-m", "faust", "-A", "agents.app", "worker", "-l", "info")


def events(*kinds, broadcast="louvre-1", hour=12, minute=0, viewers=10):
    """Records of one broadcast, a minute apart."""
    key = f"fliggy:{broadcast}".encode()
    return [
        SimpleNamespace(
            key=key,
            value=orjson.dumps(
                {
                    "platform": "fliggy",
                    "broadcast": broadcast,
                    "at": f"2026-09-25T{hour}:{minute + number:02d}:00Z",
                    "kind": kind,
                    "viewers": viewers + number,
                }
            ),
            partition=0,
            # Kafka deletes what is older than the topic's retention, also in a test.
            timestamp=int(time.time() * 1000),
        )
        for number, kind in enumerate(kinds)
    ]


@pytest.fixture
def clock(tmp_path):
    return Clock(tmp_path / "clock")


async def statuses(system, wanted, seconds=30):
    """Wait until the summaries have these statuses, in their order; the summaries."""
    async with asyncio.timeout(seconds):
        while True:
            found = [
                orjson.loads(record.value)
                for record in await system.read(system.topics.broadcast_summaries)
            ]
            if len(found) >= len(wanted):
                break
            await asyncio.sleep(0.2)
    assert [summary["status"] for summary in found] == wanted
    return found


async def row_of(system, wanted, seconds=30):
    """Wait until the row of the usual broadcast is as wanted; the row."""
    async with asyncio.timeout(seconds):
        while not wanted(row := (await system.rows()).get(KEY)):  # noqa: ASYNC110 - as below
            await asyncio.sleep(0.2)
    return row


async def test_a_broadcasts_life(brokers, topic_prefix, clock):
    async with System(brokers, topic_prefix, 1) as system:
        await system.send(events("started", "sample", "ended"))
        async with worker_with(system, clock):
            await statuses(system, ["ended"])
            clock.advance(15 * 60)
            await asyncio.sleep(2)
            await statuses(system, ["ended"])
            clock.advance(60 + 10)
            await statuses(system, ["ended", "final"])
            # What a poller tells of an ended stream changes nothing, and what a correction says
            # is published.
            await system.send(events("sample", minute=10))
            await system.done(4)
            assert (await system.rows())[KEY].final
            await statuses(system, ["ended", "final"])
            await system.send(events("sample", minute=1, viewers=90))
            await statuses(system, ["ended", "final", "final"])
        # A restart forgets nothing: what is final stays final, and its row goes.
        async with worker_with(system, clock):
            # Those of the records are the broker's times: the row goes by them.
            clock.advance(time.time() - clock.now + (3 + 2) * HOUR)
            await row_of(system, lambda row: isinstance(row, audience.Tombstone))
            await statuses(system, ["ended", "final", "final"])
            await system.send(events("sample", minute=11))
            await system.done(6)
            rejected = await system.read(system.topics.rejected)
            assert [dict(record.headers)["reason"] for record in rejected] == [b"late"]
            # A new run begins all the same.
            await system.send(events("started", "ended", hour=14))
            told = await statuses(system, ["ended", "final", "final", "ended"])
            assert told[-1]["run"] == "2026-09-25T14:00:00Z"
            clock.advance(6 * HOUR)
            await row_of(system, lambda row: isinstance(row, audience.Tombstone))
            clock.advance(35 * 24 * HOUR + HOUR)
            await row_of(system, lambda row: row is None)
        await statuses(system, ["ended", "final", "final", "ended", "final"])


async def test_an_outage_loses_no_show(brokers, topic_prefix, clock):
    async with System(brokers, topic_prefix, 1) as system:
        await system.send(events("started", "sample"))
        async with worker_with(system, clock):
            await system.done(2)
            clock.advance(17 * 60)
            await statuses(system, ["final"])
            await system.send(events("sample", "sample", minute=19))
            await statuses(system, ["final", "live"])
            await system.send(events("ended", minute=21))
            told = await statuses(system, ["final", "live", "ended"])
        assert (told[-1]["minutes_live"], told[-1]["minutes_observed"]) == (22, 5)
        assert await system.read(system.topics.rejected) == []


async def test_a_step_of_the_wall_clock_makes_nothing_final(brokers, topic_prefix, clock):
    async with System(brokers, topic_prefix, 1) as system:
        await system.send(events("started", "sample", "ended"))
        async with worker_with(system, clock):
            await statuses(system, ["ended"])
            clock.step(24 * HOUR)
            await system.send(events("sample", broadcast="other"))
            await system.done(4)
            await asyncio.sleep(1.5)  # some batches more, any of which would finalise
            await statuses(system, ["ended"])
            clock.step(-48 * HOUR)
            clock.advance(16 * 60 + 10)
            await statuses(system, ["ended", "final", "final"])


async def test_a_restart_delays_what_is_final(brokers, topic_prefix, clock):
    async with System(brokers, topic_prefix, 1) as system:
        await system.send(events("ended"))
        async with worker_with(system, clock):
            await statuses(system, ["ended"])
        clock.advance(15 * 60)
        async with worker_with(system, clock):
            await asyncio.sleep(2)
            clock.advance(5 * 60)
            await asyncio.sleep(2)
            await statuses(system, ["ended"])
            clock.advance(11 * 60 + 10)
            await statuses(system, ["ended", "final"])


async def test_thousands_at_once(brokers, topic_prefix, clock):
    count = AT_ONCE
    async with System(brokers, topic_prefix, 1) as system:
        # Or Kafka might have compacted some of the first summaries away before they are counted.
        await system.keep_all(system.topics.broadcast_summaries)
        await system.send(
            record for number in range(count) for record in events("ended", broadcast=f"b{number}")
        )
        async with worker_with(system, clock) as worker:
            await system.done(count, seconds=120)
            clock.advance(20 * 60)
            await system.metric(worker, "audience_finalised_total", count)
        rows = (await system.rows()).values()
        assert sum(row.final for row in rows) == count
        summaries = await system.read(system.topics.broadcast_summaries)
        assert len(summaries) == 2 * count
        last = {record.key: orjson.loads(record.value)["status"] for record in summaries}
        assert len(last) == count
        assert set(last.values()) == {"final"}


async def test_fausts_own_command_starts_the_same_worker(brokers, topic_prefix):
    async with System(brokers, topic_prefix, 1) as system:
        await system.send(events("started", "ended"))
        env = {f"AUDIENCE_{name.upper()}": value for name, value in system.given.items()}
        worker = await Process(*FAUST, env=env).start()
        try:
            await system.done(2)
            line = next(line for line in worker.lines if '"http server started"' in line)
            url = json.loads(line)["url"]
            # The second stage may still be restoring.
            async with asyncio.timeout(60), aiohttp.ClientSession() as session:
                while (await session.get(url + "/readyz")).status != 200:  # noqa: ASYNC110 - it is asked over HTTP
                    await asyncio.sleep(0.2)
            assert not any("/table" in line for line in worker.lines)
            assert await worker.stop() == 0, worker.tail()
        finally:
            if worker.running:
                await worker.kill()
        await statuses(system, ["ended"])


async def test_fausts_own_command_looks_at_the_topics_first(brokers, topic_prefix):
    env = {"AUDIENCE_BROKERS": brokers, "AUDIENCE_TOPIC_PREFIX": topic_prefix}
    worker = await Process(*FAUST, env={**env, "AUDIENCE_HTTP_PORT": "0"}).start()
    assert await worker.ended() == 1, worker.tail()
    assert "Error: the topics are not as they must be:" in worker.lines, worker.tail()
    assert any("make it with `live-audience topics create`" in line for line in worker.lines)
    assert "Traceback" not in "\n".join(worker.lines)


async def test_fausts_own_command_looks_at_its_port_first(brokers, topic_prefix):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        worker = await Process(
            *FAUST, env={"AUDIENCE_BROKERS": brokers, "AUDIENCE_HTTP_PORT": str(port)}
        ).start()
        assert await worker.ended() == 1, worker.tail()
    assert any(f"AUDIENCE_HTTP_PORT={port}: the port is in use" in line for line in worker.lines)
