"""The rules on a real Prometheus over two real workers, fifteen times as fast as in production."""

import asyncio
import json
import time
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from deploy.prometheus_tools import ALERTS, OPTIONAL
from integration.pipeline.hard_log import Record
from integration.pipeline.observing import Server
from integration.pipeline.system import System

from agents.demo.worker import free_port
from streams.routing import partition_for

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

PARTITIONS = 4
SCALE = 1 / 15
#: All but the one that always does.
FIRING = "ALERTS{alertstate='firing',alertname!='Watchdog'}"
VIEWERS = {f"b{number}": 1_000 * (number + 1) for number in range(8)}
WORLD = sum(VIEWERS.values())
IN_ALL = 'scope:audience_scope_viewers:max{scope="world"}'


def records(broken=0):
    """One event of each broadcast as of now, and some that are none."""
    now = time.time()
    at = datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z")
    for broadcast, viewers in VIEWERS.items():
        event = {
            "platform": "fliggy" if viewers > 4_000 else "kuaishou",
            "broadcast": broadcast,
            "at": at,
            "viewers": viewers,
            "venue": "louvre",
            "programme": "night",
        }
        key = f"{event['platform']}:{broadcast}".encode()
        yield record(key, json.dumps(event).encode(), now)
    for _ in range(broken):
        yield record(b"fliggy:b0", b"{", now)


def record(key, value, now):
    partition = partition_for(key, PARTITIONS, "murmur2")
    return Record(partition, key, value, int(now * 1000), None, None, 0)


async def test_sums_hold_through_a_hand_over_and_every_rule_is_evaluated(
    brokers, topic_prefix, tmp_path
):
    ports = [free_port("127.0.0.1", 0), free_port("127.0.0.1", 0)]
    async with System(brokers, topic_prefix, PARTITIONS) as system:
        first = await system.worker(http_port=str(ports[0]))
        second = await system.worker(http_port=str(ports[1]))
        for worker in (first, second):
            await worker.says("restored", 60)
        async with Server(tmp_path, ports, SCALE) as server:
            await server.until("sum(audience_worker_ready)", 2)
            sending = asyncio.create_task(go_on(system))
            try:
                await server.until(IN_ALL, WORLD)
                # A start takes longer than 4 s, the 15th part of a minute.
                await server.until(f"count({FIRING})", None)
                began = time.time()

                # Partitions move to the second worker, and back to one that is new.
                assert await first.stop() == 0, first.tail()
                await server.until(IN_ALL, WORLD)
                third = await system.worker(http_port=str(ports[0]))
                await third.says("restored", 60)
                await server.until("sum(audience_worker_ready)", 2)
                await server.until(IN_ALL, WORLD)

                await system.send(list(records(broken=60)))
                refused = "ALERTS{alertname='EventsRefused',alertstate='firing'}"
                await server.until(f"count({refused})", 1)
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
            since = round(time.time() - began)
            for scope in ("world", "venue"):
                selected = f'scope:audience_scope_viewers:max{{scope="{scope}"}}'
                assert await server.value(f"max_over_time({selected}[{since}s])") == WORLD
            fired = f"count by (alertname) (max_over_time({FIRING}[{since}s]))"
            told = (await server.ask(f"/query?query={quote(fired)}"))["result"]
            # As was meant, and what lasted for longer than those 4 s; nothing about a broadcast.
            assert {each["metric"]["alertname"] for each in told} <= {
                "EventsRefused",
                "WorkerDown",
                "NoWorkerReady",
                "PartitionsUnowned",
            }
            groups = (await server.ask("/rules"))["groups"]
            for group in groups:
                for rule in group["rules"]:
                    # Those of the days come once in 8 minutes, at a time that Prometheus chooses.
                    if rule["health"] == "unknown" and group["interval"] > since:
                        await server.series(rule["query"])
                        rule["health"] = "ok"
        rules = [rule for group in groups for rule in group["rules"]]
        assert {rule["name"] for rule in rules} >= set(ALERTS) - OPTIONAL
        assert [rule for rule in rules if rule["health"] != "ok"] == []


async def go_on(system):
    """Send so often as producers would in this time."""
    async with system.sender() as send:
        while True:
            await send(list(records()))
            await asyncio.sleep(1)
