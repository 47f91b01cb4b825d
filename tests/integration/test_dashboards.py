"""Every panel of every dashboard shows something: a real worker, a real Prometheus, one evening."""

import asyncio
import contextlib
import json
import math
import shutil
import sys
import time
from pathlib import Path

import aiohttp
import pytest
from aiokafka import AIOKafkaProducer
from grafana_panels import BOARDS, PANELS, annotations, filled, variables
from integration.pipeline.system import System
from processes import Process

from agents.demo.record import MINUTE, SourceRecord, key_of, rfc3339
from agents.demo.worker import free_port

sys.path.append(str(Path(__file__).parents[2] / "deploy" / "docker"))

from evening import evening  # found by the line above

pytestmark = pytest.mark.kafka

PARTITIONS = 4
JOB = "live-audience"
#: Minutes of the evening that are over when it is looked at: some broadcasts have ended.
PAST = 76
SENDING = 25  # seconds
#: The gateway's board has no worker behind it.
OF_WORKERS = [name for name in BOARDS if name != "gateway"]
LIVE, OVER = ("kuaishou", "louvre-today"), ("kuaishou", "british-museum-today")


class Prometheus:
    """A running Prometheus, and what it answers."""

    def __init__(self, session, url):
        self._session = session
        self._url = url

    async def get(self, path, **query):
        async with self._session.get(f"{self._url}/api/v1/{path}", params=query) as response:
            answer = await response.json()
        assert answer["status"] == "success", (query, answer)
        return answer["data"]

    async def instant(self, query):
        """The series of a query as of now that have a value."""
        return [s for s in (await self.get("query", query=query))["result"] if known([s["value"]])]

    async def over_time(self, query, seconds):
        """The series of a query over the last seconds that have a value at any time."""
        now = time.time()
        asked = {"query": query, "start": now - seconds, "end": now, "step": 1}
        found = (await self.get("query_range", **asked))["result"]
        return [series for series in found if known(series["values"])]


def known(values):
    return any(not math.isnan(float(value)) for _, value in values)


@contextlib.asynccontextmanager
async def prometheus(folder, port):
    """A real Prometheus that scrapes the worker on a port every second."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.fail("Prometheus is not installed. On Debian and Ubuntu: apt install prometheus")
    config = {
        "global": {"scrape_interval": "1s"},
        "scrape_configs": [
            {"job_name": JOB, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
        ],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))
    own = free_port("127.0.0.1", 0)
    process = await Process(
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{own}",
    ).start()
    try:
        await process.says("Server is ready to receive web requests")
        async with aiohttp.ClientSession() as session:
            yield Prometheus(session, f"http://127.0.0.1:{own}")
    finally:
        if process.running:
            await process.stop()


def waiting_room(start):
    """What is told of one broadcast before it has started."""
    platform, broadcast = LIVE
    at = rfc3339(start - MINUTE)
    event = {"platform": platform, "broadcast": broadcast, "at": at, "viewers": 700}
    return SourceRecord(key_of(platform, broadcast), json.dumps(event).encode(), start)


def with_mistakes(records, now):
    """The records, and among them some that are refused for different reasons."""
    for number, record in enumerate(records):
        yield record
        if number % 40 == 0:
            yield SourceRecord(record.key, b"{", now)
            yield SourceRecord(key_of("fliggy", "another"), record.value, now)
            yield records[0]  # late, once its broadcast has gone on


async def send(system, records):
    """Send over a while, as producers do, not all at once."""
    slices = SENDING * 4
    size = math.ceil(len(records) / slices)
    async with AIOKafkaProducer(bootstrap_servers=system.brokers, linger_ms=5) as producer:
        for start in range(0, len(records), size):
            for record in records[start : start + size]:
                await producer.send(system.topics.events.name, record.value, record.key)
            await producer.flush()
            await asyncio.sleep(SENDING / slices)


async def series(server, panel, values):
    """How many series each query of a panel gives."""
    found = []
    for target in panel.json["targets"]:
        query = filled(target["expr"], **values)
        if target["instant"]:
            found.append(len(await server.instant(query)))
        else:
            found.append(len(await server.over_time(query, SENDING)))
    return found


@pytest.mark.timeout(180)
async def test_every_panel_has_something_to_show(brokers, topic_prefix, tmp_path):
    now = time.time_ns() // 1000
    start = now // MINUTE * MINUTE - PAST * MINUTE
    past = [record for record in evening(start, "today") if record.sent <= now]
    port = free_port("127.0.0.1", 0)
    async with System(brokers, topic_prefix, PARTITIONS, http_port=str(port)) as system:
        worker = await system.worker()
        async with prometheus(tmp_path, port) as server:
            async with asyncio.timeout(30):
                while not await server.instant("audience_worker_ready == 1"):
                    assert worker.running, worker.tail()
                    await asyncio.sleep(0.5)
            await send(system, list(with_mistakes([waiting_room(start), *past], now)))
            await asyncio.sleep(3)  # the last of it is read, and scraped
            empty = await look_at_all(server)
        assert worker.running, worker.tail()
    assert empty == set()


async def look_at_all(server):
    """Ask for everything that Grafana would; returns the panels that show nothing."""
    some = {
        "job": JOB,
        "instance": ".*",
        "platforms": ".*",
        "venues": ".*",
        "top": "10",
        "__range": "3h",
        "__rate_interval": "15s",
    }
    chosen = [some | {"platform": p, "broadcast": b} for p, b in (LIVE, OVER)]
    empty = set()
    print()
    for panel in (each for each in PANELS if each.board in OF_WORKERS):
        # Of a broadcast's figures some are there only while it is live, one only when it is over.
        counts = [await series(server, panel, values) for values in chosen]
        most = [max(each) for each in zip(*counts, strict=True)]
        print(f"{panel!s:60} {', '.join(map(str, most))}")
        if not all(most):
            empty.add(str(panel))
    for name in OF_WORKERS:
        for annotation in annotations(name):
            query = filled(annotation["expr"], **chosen[1])
            moments = await server.instant(query)
            assert [series["metric"]["broadcast"] for series in moments] == [OVER[1]]
            assert abs(float(moments[0]["value"][1]) / 1000 - time.time()) < 2 * 3600
        for variable in variables(name).values():
            if variable["type"] == "query":
                assert await choices(server, filled(variable["query"], **chosen[0]))
    return empty


async def choices(server, query):
    """What Grafana lets one choose from for `label_values(SERIES, LABEL)`."""
    selector, label = query.removeprefix("label_values(").removesuffix(")").rsplit(", ", 1)
    return await server.get(f"label/{label}/values", **{"match[]": selector})
