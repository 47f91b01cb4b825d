"""Every panel of every dashboard shows something: a real worker, a real Prometheus, one evening."""

import asyncio
import json
import math
import sys
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from grafana_panels import BOARDS, PANELS, annotations, filled, variables
from integration.pipeline.system import System
from pictures.asking import prometheus
from pictures.kafka_lag import exporting
from pictures.page import draw
from PIL import Image

from agents.alerts import Timing
from agents.demo.record import MINUTE, SourceRecord, key_of, rfc3339
from agents.demo.worker import free_port
from streams.names import Names

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
#: Curves of one panel beside which its legend stands: the largest one, by its platforms if it has.
SIMULTANEOUS = 3
LIVE, OVER = ("kuaishou", "louvre-today"), ("kuaishou", "british-museum-today")


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
        if number % 20 == 0:
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


@pytest.mark.timeout(300)
async def test_every_panel_has_something_to_show(brokers, topic_prefix, tmp_path):
    now = time.time_ns() // 1000
    start = now // MINUTE * MINUTE - PAST * MINUTE
    past = [record for record in evening(start, "today") if record.sent <= now]
    port = free_port("127.0.0.1", 0)
    async with System(brokers, topic_prefix, PARTITIONS, http_port=str(port)) as system:
        worker = await system.worker()
        names = Names.of(system.settings)
        groups = [names.broadcasts_group, names.scopes_group]
        async with (
            exporting(brokers, groups) as lag,
            prometheus(
                tmp_path, {JOB: [port], "kafka": [lag]}, timing=Timing().scaled(0.1)
            ) as server,
        ):
            await seen(server, "audience_worker_ready == 1", worker, seconds=120)
            await send(system, list(with_mistakes([waiting_room(start), *past], now)))
            await seen(server, 'ALERTS{alertstate="firing", alertname="EventsRefused"}', worker)
            empty = await look_at_all(server)
            await look_at_pictures(server, tmp_path)
        assert worker.running, worker.tail()
    assert empty == set()


async def seen(server, query, worker, seconds=60):
    """Wait until a query gives something."""
    end = time.monotonic() + seconds
    while not await server.instant(query):
        assert worker.running, worker.tail()
        assert time.monotonic() < end, query
        await asyncio.sleep(0.5)


async def look_at_all(server):
    """Ask for everything that Grafana would; returns the panels that show nothing."""
    some = {
        "cluster": "",
        "namespace": "",
        "job": JOB,
        "instance": ".*",
        "consumergroup": ".*audience.*",
        "platforms": ".*",
        "venues": ".*",
        "top": "1",  # so that there are others beside them
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
        if panel.json["type"] == "timeseries":
            # A legend is read: of what there may be hundreds, as many as were asked for.
            many = panel.json["options"]["legend"]["placement"] == "right"
            assert not many or max(most) <= SIMULTANEOUS, panel
    for name in OF_WORKERS:
        for annotation in annotations(name):
            moments = await server.instant(filled(annotation["expr"], **chosen[1]))
            assert moments, annotation["name"]
            if annotation["name"] in {"Started", "Ended"}:
                assert [series["metric"]["broadcast"] for series in moments] == [OVER[1]]
            if annotation.get("useValueForTime"):
                assert abs(float(moments[0]["value"][1]) / 1000 - time.time()) < 2 * 3600
        for variable in variables(name).values():
            if variable["type"] == "query" and variable["name"] not in {"cluster", "namespace"}:
                assert await server.choices(filled(variable["query"], **chosen[0]))
    return empty


async def look_at_pictures(server, folder):
    """Draw each dashboard as for the documentation."""
    wanted = dict(zip(("platform", "broadcast"), LIVE, strict=True))
    for name in OF_WORKERS:
        path = folder / f"{name}.png"
        empty = await draw(server, name, path, seconds=90, scrape=1, wanted=wanted)
        # (One broadcast lacks some figures, and shares need records of the last seconds.)
        assert name == "broadcast" or not set(empty) - {"Rejected", "Late"}, empty
        with Image.open(path) as picture:
            assert picture.width == 1600
            colors = picture.convert("RGB").getcolors(1000)
        assert len(colors) > 30, "curves, legends and text in many colours"
