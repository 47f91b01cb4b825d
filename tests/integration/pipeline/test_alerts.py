"""What goes wrong is told, and nothing else: Kafka, workers, Prometheus, Alertmanager, all real.

Durations are ten times as fast as in production; expressions, labels and texts are the real ones.
"""

import asyncio
import contextlib
import json
import re
import time
from datetime import UTC, datetime

import pytest
from integration.pipeline.hard_log import Record
from integration.pipeline.observing import Alertmanager, Server
from integration.pipeline.system import System

from agents.demo.observe.notifications import receiving
from agents.demo.worker import free_port
from streams.routing import partition_for

pytestmark = [pytest.mark.kafka, pytest.mark.alone, pytest.mark.timeout(600)]

PARTITIONS = 4
SCALE = 1 / 10
# Named so that every partition has some.
VIEWERS = {f"c{number}": 5_000 * (number + 1) for number in range(8)}
WORLD = sum(VIEWERS.values())
#: The recorded viewers of the world; those of other scopes are in the same series.
SCOPES = "scope:audience_scope_viewers:max"
IN_ALL = f'{SCOPES}{{scope="world"}}'
#: What each scope has at most, by its kind and name.
MOST = {
    ("world", ""): WORLD,
    **dict.fromkeys([("platform", "fliggy"), ("platform", "kuaishou")], 0),
    **dict.fromkeys([("venue", "louvre"), ("venue", "prado")], 0),
}


def platform(broadcast):
    return "fliggy" if int(broadcast[1:]) % 2 else "kuaishou"


def venue(broadcast):
    return "louvre" if int(broadcast[1:]) < 4 else "prado"


for name, viewers in VIEWERS.items():
    MOST["platform", platform(name)] += viewers
    MOST["venue", venue(name)] += viewers

DROPPED, SILENT = "c3", "c5"


class Platforms:
    """Sends for every broadcast each second, as platforms would each ten."""

    def __init__(self, system):
        self.system = system
        self.viewers = dict(VIEWERS)
        self.silent = set()

    async def run(self):
        while True:
            await self.system.send(list(self.records()))
            await asyncio.sleep(1)

    def records(self):
        for broadcast, viewers in self.viewers.items():
            if broadcast not in self.silent:
                event = {
                    "platform": platform(broadcast),
                    "broadcast": broadcast,
                    "at": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
                    "viewers": viewers,
                    "venue": venue(broadcast),
                    "programme": f"night-{venue(broadcast)}",
                }
                yield record(broadcast, json.dumps(event).encode())

    async def send_malformed(self, count):
        await self.system.send([record("c0", b"{") for _ in range(count)])


def record(broadcast, value):
    key = f"{platform(broadcast)}:{broadcast}".encode()
    partition = partition_for(key, PARTITIONS, "murmur2")
    return Record(partition, key, value, int(time.time() * 1000), None, None, 0)


class Told:
    """What the receivers were told, by receiver, alert and labels, in its order."""

    def __init__(self):
        self.statuses = {}
        self.texts = {}
        self.news = asyncio.Event()
        self.began = time.monotonic()

    def take(self, path, body):
        receiver = path.strip("/")
        if receiver == "venue-louvre":
            for each in body["attachments"]:
                self.add(receiver, (("title", each["title"]),), each["color"], each["text"])
            return
        for alert in body["alerts"]:
            labels = tuple(sorted(alert["labels"].items()))
            self.add(receiver, labels, alert["status"], alert["annotations"])

    def add(self, receiver, labels, status, texts):
        statuses = self.statuses.setdefault((receiver, labels), [])
        if statuses[-1:] != [status]:
            statuses.append(status)
            print(f"{time.monotonic() - self.began:6.1f} s {receiver}: {status} {dict(labels)}")
        self.texts.setdefault((receiver, labels), texts)
        self.news.set()

    async def until(self, key, statuses, seconds=90):
        try:
            async with asyncio.timeout(seconds):
                while self.statuses.get(key) != statuses:
                    self.news.clear()
                    await self.news.wait()
        except TimeoutError:
            raise AssertionError(f"{key} is not {statuses}: {self.statuses}") from None


def alert(name, **labels):
    """The key of an alert that the team hears of."""
    more = {"alertname": name, "severity": "warning", "system": "live-audience"}
    return "team", tuple(sorted((labels | more).items()))


def about(name, broadcast):
    labels = {
        "job": "live-audience",
        "platform": platform(broadcast),
        "broadcast": broadcast,
        "venue": venue(broadcast),
    }
    return alert(name, **labels)


async def test_what_goes_wrong_is_told_and_nothing_else(brokers, topic_prefix, tmp_path):
    told = Told()
    folders = [tmp_path / "prometheus", tmp_path / "alertmanager"]
    for folder in folders:
        folder.mkdir()
    ports = [free_port("127.0.0.1", 0) for _ in range(3)]
    async with (
        System(brokers, topic_prefix, PARTITIONS) as system,
        receiving(told.take) as receiver,
        Alertmanager(folders[1], receiver, SCALE) as manager,
    ):
        for port in ports[:2]:
            worker = await system.worker(http_port=str(port))
            await worker.says("restored", 60)
        server = Server(folders[0], ports[:2], SCALE, manager.port)
        platforms = Platforms(system)
        async with server, sending(platforms):
            began = time.time()
            await server.until("sum(audience_worker_ready)", 2)
            await server.until(IN_ALL, WORLD)

            await hand_over(system, server, ports)
            assert told.statuses == {}

            expected = await audience_and_events(platforms, server, told)
            expected |= await a_killed_worker(system, server, ports, told)
            assert told.statuses == expected
            await no_sum_doubled(server, began)


@contextlib.asynccontextmanager
async def sending(platforms):
    task = asyncio.create_task(platforms.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def hand_over(system, server, ports):
    """Partitions move to a third worker, and back."""
    third = await system.worker(http_port=str(ports[2]))
    await third.says('"http server started"', 60)
    server.watch(ports)
    has = f'sum(audience_live_broadcasts{{instance="127.0.0.1:{ports[2]}"}}) > bool 0'
    await server.until(has, 1)
    await server.until(IN_ALL, WORLD)
    server.watch(ports[:2])
    await server.until('count(up{job="live-audience"})', 2)
    assert await third.stop() == 0, third.tail()
    await server.until("sum(audience_worker_ready)", 2)
    await server.until(IN_ALL, WORLD)
    # Longer than most alerts wait.
    await asyncio.sleep(15)


async def audience_and_events(platforms, server, told):
    """A broadcast drops by 60 %, another goes silent, and malformed events come."""
    dropped, silent = (
        about("BroadcastAudienceDropped", DROPPED),
        about("BroadcastSilent", SILENT),
    )
    refused = alert("EventsRefused", job="live-audience", reason="malformed")
    platforms.viewers[DROPPED] = VIEWERS[DROPPED] * 4 // 10
    platforms.silent.add(SILENT)
    await platforms.send_malformed(100)
    await told.until(dropped, ["firing"])
    platforms.viewers[DROPPED] = VIEWERS[DROPPED]
    await told.until(silent, ["firing"])
    platforms.silent.clear()
    await told.until(refused, ["firing"])
    for key in (dropped, silent, refused):
        await told.until(key, ["firing", "resolved"])
    louvre = ("venue-louvre", (("title", "1 firing: BroadcastAudienceDropped (louvre)"),))
    over = ("venue-louvre", (("title", "resolved: BroadcastAudienceDropped (louvre)"),))
    await told.until(over, ["good"])

    assert told.texts[dropped] == {
        "summary": "The audience of fliggy:c3 (louvre) has dropped",
        "description": "Only 40% of what it was are left.",
        "runbook_url": "deploy/runbooks/BroadcastAudienceDropped.md",
    }
    assert told.texts[louvre].strip().splitlines() == [
        "[warning] The audience of fliggy:c3 (louvre) has dropped",
        "Only 40% of what it was are left.",
        "What to do: deploy/runbooks/BroadcastAudienceDropped.md",
    ]
    assert told.texts[silent]["summary"] == "fliggy:c5 (prado) is silent"
    assert re.fullmatch(
        r"Nothing came for [23]\d(\.\d+)?s, and it has not ended\.",
        told.texts[silent]["description"],
    )
    assert told.texts[refused]["summary"] == "Events are rejected as malformed"
    assert re.match(
        r"[234]\d(\.\d+)?% of all events of the last 5 minutes\.",
        told.texts[refused]["description"],
    )
    both = ["firing", "resolved"]
    return {dropped: both, silent: both, refused: both, louvre: ["warning"], over: ["good"]}


async def a_killed_worker(system, server, ports, told):
    """One is killed: that is told, and nothing about its broadcasts. Then there is a new one."""
    await system.workers[1].kill()
    instance = f"127.0.0.1:{ports[1]}"
    down = alert("WorkerDown", job="live-audience", instance=instance)
    await told.until(down, ["firing"])
    await server.until(IN_ALL, WORLD)
    await system.worker(http_port=str(ports[1]))
    await told.until(down, ["firing", "resolved"])
    await server.until("sum(audience_worker_ready)", 2)
    await server.until(IN_ALL, WORLD)
    # Longer than most alerts wait.
    await asyncio.sleep(15)
    assert told.texts[down] == {
        "summary": f"Worker {instance} is down",
        "description": "Prometheus cannot scrape it. The other workers take its partitions over.",
        "runbook_url": "deploy/runbooks/WorkerDown.md",
    }
    return {down: ["firing", "resolved"]}


async def no_sum_doubled(server, began):
    """Look at each evaluation since the beginning."""
    span = f"{time.time() - began:.0f}s"
    found = await server.series(f'{SCOPES}{{scope!="programme"}}[{span}]')
    greatest = {
        (series["metric"]["scope"], series["metric"].get("name", "")): max(
            float(value) for _, value in series["values"]
        )
        for series in found
    }
    # Neither more at any time, nor was it never there.
    assert greatest == MOST
    print(f"{sum(len(series['values']) for series in found)} evaluations of {len(found)} scopes")
