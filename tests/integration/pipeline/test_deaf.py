"""A worker whose fetch tasks die: what it says of itself, what others say, and what is counted."""

import asyncio
import json
import signal
import time
from pathlib import Path

import aiohttp
import pytest
from integration.pipeline.hard_log import Record
from integration.pipeline.system import System
from prometheus_client import parser

from streams.routing import partition_for

pytestmark = pytest.mark.kafka

PARTITIONS = 2
EVENTS = {"stage": "broadcasts"}
#: The worker is unhealthy after half of it; it ends after all of it.
PATIENCE = 24


def events(count, begin=0):
    """Records of ten broadcasts."""
    now = int(time.time() * 1000)
    for number in range(begin, begin + count):
        key = f"kick:b{number % 10}".encode()
        event = {
            "platform": "kick",
            "broadcast": f"b{number % 10}",
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "viewers": number,
        }
        partition = partition_for(key, PARTITIONS, "murmur2")
        yield Record(partition, key, json.dumps(event).encode(), now, None, None, number)


class Asked:
    """The answers of a worker over HTTP."""

    def __init__(self, session, worker):
        line = next(line for line in worker.lines if '"http server started"' in line)
        self._session, self._url = session, json.loads(line)["url"]

    async def status(self, path):
        async with self._session.get(self._url + path) as answer:
            return answer.status, (await answer.json()).get("detail", "")

    async def until(self, path, wanted, seconds=40):
        """Wait for a status; what it says with it."""
        async with asyncio.timeout(seconds):
            while True:
                status, detail = await self.status(path)
                if status == wanted:
                    return detail
                await asyncio.sleep(0.1)

    async def samples(self):
        async with self._session.get(self._url + "/metrics") as answer:
            text = await answer.text()
        return {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in parser.text_string_to_metric_families(text)
            for sample in family.samples
        }

    async def value(self, name, *labels):
        return (await self.samples()).get((name, *sorted(labels)))

    async def until_counted(self, count, seconds=60):
        """Wait until so many events are durable in both stages."""
        name = "audience_event_latency_seconds_count"
        found = None
        try:
            async with asyncio.timeout(seconds):
                while found != {"broadcasts": count, "scopes": count}:
                    await asyncio.sleep(0.2)
                    samples = await self.samples()
                    found = {
                        stage: samples.get((name, stage)) for stage in ("broadcasts", "scopes")
                    }
        except TimeoutError:
            raise AssertionError(f"{found} of {count}") from None


async def test_a_worker_whose_fetch_tasks_die_says_so_and_loses_nothing(brokers, topic_prefix):
    settings = {"patience": f"{PATIENCE}s", "deadline": "10s"}
    async with (
        System(brokers, topic_prefix, PARTITIONS, **settings) as system,
        aiohttp.ClientSession() as session,
    ):
        worker = await system.worker(str(Path(__file__).with_name("deafened.py")))
        await worker.says('"http server started"', 60)
        asked = Asked(session, worker)
        await asked.until("/readyz", 200, 60)
        await system.send(events(50))
        await asked.until_counted(50)
        # All of it within the greatest bound, and none of it in no time at all.
        bucket = "audience_event_latency_seconds_bucket"
        for stage in ("broadcasts", "scopes"):
            assert await asked.value(bucket, stage, "3600.0") == 50
            assert await asked.value("audience_event_latency_seconds_sum", stage) > 0

        worker.signal(signal.SIGUSR1)
        await asked.until("/readyz", 503)
        assert (await asked.status("/healthz"))[0] == 200
        await system.send(events(50, begin=50))
        said = await asked.until("/healthz", 503)
        assert "no fetch of" in said, said
        assert f"{topic_prefix}viewer-events was answered for" in said, said
        samples = await asked.samples()
        # Of the other stage nothing is said.
        assert samples["audience_sessions_lost_total", "broadcasts"] >= 2
        assert samples["audience_sessions_lost_total", "scopes"] == 0
        assert samples["audience_event_latency_seconds_count", "broadcasts"] == 50

        worker.signal(signal.SIGUSR1)
        assert await asked.until("/healthz", 200) == ""
        await asked.until("/readyz", 200)
        await asked.until_counted(100)
        assert worker.running, worker.tail()
        # What waited meanwhile took as long as it did.
        slow = await asked.value(bucket, "broadcasts", "+Inf")
        assert slow - await asked.value(bucket, "broadcasts", "5.0") >= 50
