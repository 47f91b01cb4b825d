"""What a live worker tells, by promtool and by sums; and that it says what is wrong with topics."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from urllib.request import Request, urlopen

import pytest
from deploy.prometheus_tools import check
from integration.pipeline.hard_log import Record
from integration.pipeline.system import System
from kafka_tools import alter_topic
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from agents.serving.live import LiveBroadcasts, TopSelection
from agents.serving.metrics import catalogue
from agents.serving.metrics.worker import WorkerMetrics
from agents.topics.watch import TopicWatch
from streams.routing import partition_for
from streams.settings import Settings

pytestmark = pytest.mark.kafka

PARTITIONS = 2
BROADCASTS = (("fliggy", "l'\u00e9t\u00e9", 380_000), ("kick", 'a"b\\c', 7))


def events():
    """Some minutes of two broadcasts, one of which ends, and one record that is no event."""
    now = int(time.time())
    for minute in range(-1, 5):  # one waits before the start
        for platform, broadcast, viewers in BROADCASTS:
            at = datetime.fromtimestamp(now - 300 + minute * 60, UTC)
            event = {
                "platform": platform,
                "broadcast": broadcast,
                "at": at.isoformat().replace("+00:00", "Z"),
                "kind": "ended" if platform == "kick" and minute == 4 else "sample",
                "viewers": viewers + minute if minute >= 0 else 3,
                "views": viewers * 2,
                "venue": "louvre",
                "programme": "night",
                "title": 'Nuit au "Louvre"',
            }
            if minute == 0:
                event["kind"] = "started"
            yield record(f"{platform}:{broadcast}".encode(), json.dumps(event).encode())
    yield record(b"kick:broken", b"{")


def record(key, value):
    partition = partition_for(key, PARTITIONS, "murmur2")
    return Record(partition, key, value, int(time.time() * 1000), None, None, 0)


async def get(worker, path, accept="application/json"):
    line = next(line for line in worker.lines if '"http server started"' in line)
    url = json.loads(line)["url"].rstrip("/") + path

    def text():
        with urlopen(Request(url, headers={"Accept": accept})) as answer:
            return answer.read().decode()

    return await asyncio.to_thread(text)


async def scrape(worker, accept):
    return await get(worker, "/metrics", accept)


#: What the events add up to: viewers of what is live, the peak, viewer-minutes, joins, views,
#: broadcasts, live ones.
ALL = (380_004, 380_015, 1_900_055, 0, 760_014, 2, 1)
SCOPES = {
    ("world", ""): ALL,
    ("venue", "louvre"): ALL,
    ("programme", "night"): ALL,
    ("platform", "fliggy"): (380_004, 380_004, 1_900_010, 0, 760_000, 1, 1),
    ("platform", "kick"): (None, 11, 45, 0, 14, 1, 0),
}


def scopes_of_metrics(families):
    """What a scrape says of the scopes, as `SCOPES` does; None where it says nothing."""
    found = {}
    for number, metric in enumerate(catalogue.SCOPE_METRICS):
        for sample in families[metric.name].samples:
            name = (sample.labels["scope"], sample.labels["name"])
            value = sample.value / 60 if metric is catalogue.SCOPE_WATCH_TIME else sample.value
            found.setdefault(name, [None] * len(ALL))[number] = value
    return {name: tuple(values) for name, values in found.items()}


def scopes_of_page(page):
    """What `/v1/scopes` says of the scopes."""
    names = ("viewers", "peak", "viewer_minutes", "joins", "views", "broadcasts", "live")
    return {
        (told["scope"], told["name"]): tuple(told[name] for name in names)
        for told in page["scopes"]
    }


async def test_promtool_finds_nothing_in_a_live_scrape(brokers, topic_prefix):
    async with System(brokers, topic_prefix, PARTITIONS) as system:
        worker = await system.worker()
        await worker.says("restored", 60)
        sent = list(events())
        await system.send(sent)
        await system.done(len(sent))
        wanted = "audience_topic_findings{"
        text = ""
        page = {"scopes": []}
        async with asyncio.timeout(60):
            while (
                wanted not in text
                or "audience_ended_timestamp_seconds{" not in text
                or scopes_of_page(page) != SCOPES
            ):
                await asyncio.sleep(0.2)
                page = json.loads(await get(worker, "/v1/scopes"))
                text = await scrape(worker, "text/plain")
        world = json.loads(await get(worker, "/v1/scopes/world"))
    assert check("promtool", "check", "metrics", stdin=text) == ""
    families = {family.name: family for family in text_string_to_metric_families(text)}
    for metric in (
        catalogue.BROADCAST_METRICS
        + catalogue.SCOPE_METRICS
        + catalogue.PIPELINE_METRICS
        + catalogue.WORKER_METRICS
    ):
        family = families[metric.name.removesuffix("_total")]
        assert family.documentation == metric.help
        assert family.samples, metric.name
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(metric.labels), sample
    assert scopes_of_metrics(families) == SCOPES
    assert page["scopes"][0]["viewers"] == ALL[0]
    assert [told for told in page["scopes"] if told["scope"] == "world"] == [world]


async def test_what_is_wrong_with_a_topic_is_told(brokers, topic_prefix, admin):
    async with System(brokers, topic_prefix, PARTITIONS) as system:
        registry = CollectorRegistry()
        live = LiveBroadcasts()
        metrics = WorkerMetrics(
            registry,
            live,
            TopSelection(live, 1),
            assigned=lambda: 0,
            not_ready_reason=lambda: None,
        )
        watch = TopicWatch(
            system.settings, metrics.set_topic_findings, interval=timedelta(milliseconds=200)
        )

        async def findings(name, wanted):
            found = None
            async with asyncio.timeout(30):
                while found != wanted:
                    await asyncio.sleep(0.1)
                    found = registry.get_sample_value("audience_topic_findings", {"topic": name})

        async def alter(topic, **config):
            await alter_topic(admin, topic.name, {**topic.config, **config})

        await watch.start()
        try:
            for topic in system.topics:
                await findings(topic.name, 0)
            changed = system.topics.broadcast_summaries
            await alter(changed, **{"cleanup.policy": "delete"})
            await findings(changed.name, 1)
            await findings(system.topics.events.name, 0)
            await alter(changed)
            await findings(changed.name, 0)
        finally:
            await watch.stop()


async def test_a_broker_that_does_not_answer_ends_nothing():
    told = []
    watch = TopicWatch(Settings(brokers="127.0.0.1:9"), told.append)
    await watch.check_once()
    assert told == []
