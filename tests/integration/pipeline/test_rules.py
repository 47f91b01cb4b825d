"""The rules on a real Prometheus over two real workers, fifteen times as fast as in production."""

import asyncio
import json
import shutil
import time
from datetime import UTC, datetime
from urllib.parse import quote
from urllib.request import urlopen

import pytest
from deploy.prometheus_tools import ALERTS, PROMETHEUS
from integration.pipeline.hard_log import Record
from integration.pipeline.system import System
from processes import Process

from agents import alerts
from agents.demo.worker import free_port
from streams.routing import partition_for

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

PARTITIONS = 4
SCALE = 1 / 15
VIEWERS = {f"b{number}": 1_000 * (number + 1) for number in range(8)}
WORLD = sum(VIEWERS.values())


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


class Server:
    """A Prometheus with our configuration, but for the targets, and our rules, but for the time."""

    def __init__(self, folder, targets):
        program = shutil.which("prometheus")
        assert program, "On Debian and Ubuntu: apt install prometheus"
        text = (PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8")
        workers = json.dumps([f"127.0.0.1:{port}" for port in targets])
        for old, new in (
            ("interval: 15s", "interval: 1s"),
            ("timeout: 10s", "timeout: 1s"),
            ('["127.0.0.1:9630"]', workers),
            ('    - static_configs:\n        - targets: ["127.0.0.1:9093"]\n', "    []\n"),
        ):
            assert old in text
            text = text.replace(old, new)
        (folder / "prometheus.yml").write_text(text, encoding="utf-8")
        alerts.write(folder / "rules", SCALE)
        port = free_port("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{port}/api/v1"
        self.process = Process(
            program,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        )

    async def __aenter__(self):
        await self.process.start()
        await self.process.says("Server is ready to receive web requests")
        return self

    async def __aexit__(self, *error):
        await self.process.stop()

    async def ask(self, path):
        def get():
            with urlopen(self.url + path) as answer:
                return json.load(answer)["data"]

        return await asyncio.to_thread(get)

    async def value(self, query):
        """The value of the one series that there is; None if there is none."""
        result = (await self.ask(f"/query?query={quote(query)}"))["result"]
        assert len(result) <= 1, result
        return float(result[0]["value"][1]) if result else None

    async def until(self, query, wanted, seconds=60):
        found = "not asked yet"
        async with asyncio.timeout(seconds):
            while found != wanted:
                await asyncio.sleep(0.5)
                found = await self.value(query)


async def test_sums_hold_through_a_hand_over_and_every_rule_is_evaluated(
    brokers, topic_prefix, tmp_path
):
    ports = [free_port("127.0.0.1", 0), free_port("127.0.0.1", 0)]
    async with System(brokers, topic_prefix, PARTITIONS) as system:
        first = await system.worker(http_port=str(ports[0]))
        second = await system.worker(http_port=str(ports[1]))
        for worker in (first, second):
            await worker.says("restored", 60)
        async with Server(tmp_path, ports) as server:
            await server.until("sum(audience_worker_ready)", 2)
            sending = asyncio.create_task(go_on(system))
            try:
                await server.until("world:audience_viewers:sum", WORLD)
                # A start takes longer than 4 s, the 15th part of a minute.
                await server.until("count(ALERTS{alertstate='firing'})", None)
                began = time.time()

                # Partitions move to the second worker, and back to one that is new.
                assert await first.stop() == 0, first.tail()
                await server.until("world:audience_viewers:sum", WORLD)
                third = await system.worker(http_port=str(ports[0]))
                await third.says("restored", 60)
                await server.until("sum(audience_worker_ready)", 2)
                await server.until("world:audience_viewers:sum", WORLD)

                await system.send(list(records(broken=60)))
                refused = "ALERTS{alertname='EventsRefused',alertstate='firing'}"
                await server.until(f"count({refused})", 1)
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
            since = f"{time.time() - began:.0f}s"
            for level in ("world", "venue"):
                greatest = f"max_over_time({level}:audience_viewers:sum[{since}])"
                assert await server.value(greatest) == WORLD
            fired = f"count by (alertname) (max_over_time(ALERTS{{alertstate='firing'}}[{since}]))"
            told = (await server.ask(f"/query?query={quote(fired)}"))["result"]
            # As was meant, and what lasted for longer than those 4 s; nothing about a broadcast.
            assert {each["metric"]["alertname"] for each in told} <= {
                "EventsRefused",
                "WorkerDown",
                "NoWorkerReady",
            }
            groups = (await server.ask("/rules"))["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        assert {rule["name"] for rule in rules} >= set(ALERTS)
        assert [rule for rule in rules if rule["health"] != "ok"] == []


async def go_on(system):
    """Send so often as producers would in this time."""
    while True:
        await system.send(list(records()))
        await asyncio.sleep(1)
