"""What proves who we are changes while a worker runs: it goes on, and every figure is right."""

import asyncio
import datetime as dt
import sys
import time

import pytest
from aiokafka.protocol.admin import ApiVersionRequest
from integration.pipeline.hard_log import hard_log
from integration.pipeline.oracle import Oracle
from integration.pipeline.system import System

from agents import kafka
from streams.settings import Settings

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(200)]
PARTITIONS = 2
RECORDS = 3_000
PARTS = 12


@pytest.fixture(scope="module")
def log():
    return hard_log(20200926, RECORDS, PARTITIONS)


@pytest.fixture(scope="module")
def oracle(log):
    return Oracle().take(log)


def everything(prefix):
    return [(kind, prefix, "prefixed", "ALL") for kind in ("topic", "group", "transactional_id")]


def system(secured, prefix):
    return System(secured.cluster.bootstrap, prefix, PARTITIONS, replication="3")


async def send_slowly(system, log, seconds):
    """Send the log in parts, so that work goes on all the time."""
    size = len(log) // PARTS + 1
    for start in range(0, len(log), size):
        await system.send(log[start : start + size])
        await asyncio.sleep(seconds / PARTS)


def undisturbed(worker):
    """No session was lost: what ended was renewed in time."""
    lost = [line for line in worker.lines if "session lost" in line or "fenced" in line]
    assert not lost, "\n".join(lost)


async def test_a_connection_is_replaced_before_its_login_ends(secured):
    await secured.user("renewing", "renewing-canary")
    async with kafka.admin(Settings(**secured.login("renewing"))) as client:
        inner = client._client
        nodes = [broker.nodeId for broker in inner.cluster.brokers()]
        seen = {}
        ends = time.monotonic() + 8  # a login ends after 5 s, and so would its connection
        while time.monotonic() < ends:
            for node in nodes:
                await inner.send(node, ApiVersionRequest())  # none fails
            for key, connection in inner._conns.items():
                seen.setdefault(key, set()).add(connection)
            await asyncio.sleep(0.05)
    assert len(seen) == 3
    assert all(len(connections) > 1 for connections in seen.values())
    assert not any(each.connected() for connections in seen.values() for each in connections)


async def test_a_password(secured, topic_prefix, tmp_path, log, oracle):
    await secured.user("rotating", "first-canary-77b0")
    await secured.allow("rotating", everything(topic_prefix))
    file = tmp_path / "password"
    file.write_text("first-canary-77b0\n")
    async with system(secured, topic_prefix) as running:
        worker = await running.worker(**secured.login("rotating", file))
        await worker.says("restored", 60)
        sending = asyncio.create_task(send_slowly(running, log, 12))
        await asyncio.sleep(2)
        # The first one is worth nothing from here on: whoever logs in with it is refused.
        await secured.user("rotating", "second-canary-77b1")
        file.write_text("second-canary-77b1\n")
        await sending
        await running.done(len(log))
        await running.compare(oracle)
        undisturbed(worker)
        assert await worker.stop() == 0
    assert "canary" not in "\n".join(worker.lines)


TOKENS = """
import base64, json, time
def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
now = time.time()
print(part({"alg": "none"}) + "." + part({"sub": "tokens", "iat": now, "exp": now + 6}) + ".")
"""


async def test_tokens_of_six_seconds(secured, topic_prefix, tmp_path, log, oracle):
    await secured.allow("tokens", everything(topic_prefix))
    command = tmp_path / "token.py"
    command.write_text(TOKENS)
    given = secured.token(security_token_command=f'{sys.executable} "{command}"')
    async with system(secured, topic_prefix) as running:
        worker = await running.worker(**given)
        await worker.says("restored", 60)
        await send_slowly(running, log, 12)
        await running.done(len(log))
        await running.compare(oracle)
        undisturbed(worker)
        assert await worker.stop() == 0


async def test_a_certificate(secured, topic_prefix, log, oracle):
    name = "rotating-certificate"
    await secured.allow(name, everything(topic_prefix))
    ends = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=40)  # a worker starts first
    old = secured.ca.issue_cert(f"{name}.example", common_name=name, not_after=ends)
    file, key = secured.pair(name, old)
    async with system(secured, topic_prefix) as running:
        worker = await running.worker(**secured.mutual(file, key))
        await worker.says("restored", 60)
        secured.pair(name)  # into the same files
        assert dt.datetime.now(dt.UTC) < ends, "the machine is too slow: it has expired before"
        await running.send(log[: RECORDS // 2])
        await asyncio.sleep(max(0.0, ends.timestamp() - time.time() + 1))
        # All connections to this node are made anew, with what is in the files now.
        node = secured.cluster.nodes[0]
        await asyncio.to_thread(node.restart)
        await running.send(log[RECORDS // 2 :])
        await running.done(len(log))
        await running.compare(oracle)
        assert await worker.stop() == 0
        assert not [line for line in worker.lines if "does not take our certificate" in line]
