"""Hostile records through a real worker on a real Kafka: each is accounted for, and none is dear.

`FUZZ_RECORDS=1000000 tests/run tests/integration/test_fuzz.py` runs long, `FUZZ_SEED` a failure
again.
"""

import asyncio
import json
import os
import time
import zlib
from collections import Counter

import aiohttp
import orjson
import psutil
import pytest
from hostile.sending import Sender
from integration.pipeline.system import System
from kafka_tools import each_of, ends
from prometheus_client.parser import text_string_to_metric_families

from streams import audience
from streams.audience.scope import ScopeHead
from streams.audience.scope_codec import decode_scope

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(5_400)]

PARTITIONS = 4
RECORDS = int(os.environ.get("FUZZ_RECORDS", "4000"))
SEED = int(os.environ.get("FUZZ_SEED", "20200925"))
#: By so much a worker's memory may grow over the state that it keeps, whatever comes.
MOST_MB = 250
POSITION = b"\x00position"
SETTINGS = {
    "retention": "3650d",  # many timestamps are of long ago
    "tombstone": "3651d",
    "final_margin": "1d",  # so that the rows say all that was accepted
}


class Watched:
    """A worker's memory, and what it tells of itself, while it works."""

    def __init__(self, worker):
        self.worker = worker
        self.process = psutil.Process(worker.process.pid)
        self.most = self.first = self.process.memory_info().rss
        self.samples = {}
        self.silence = 0.0

    async def watch(self):
        line = next(line for line in self.worker.lines if '"http server started"' in line)
        url = json.loads(line)["url"] + "/metrics"
        heard = time.monotonic()
        async with aiohttp.ClientSession() as session:
            while True:
                self.most = max(self.most, self.process.memory_info().rss)
                async with session.get(url, headers={"Accept": "text/plain"}) as answer:
                    text = await answer.text()
                self.silence = max(self.silence, time.monotonic() - heard)
                heard = time.monotonic()
                self.samples = {
                    (sample.name, *sorted(sample.labels.items())): sample.value
                    for family in text_string_to_metric_families(text)
                    for sample in family.samples
                }
                await asyncio.sleep(0.2)

    def total(self, name, **labels):
        wanted = set(labels.items())
        return sum(
            value
            for (found, *given), value in self.samples.items()
            if found == name and wanted <= set(given)
        )

    async def until(self, condition, what, seconds):
        """Wait until something holds of the samples, while the worker goes on."""
        end = time.monotonic() + seconds
        while not condition():
            assert self.worker.running, self.worker.tail()
            assert time.monotonic() < end, f"{what}:\n{self.worker.tail(20)}"
            await asyncio.sleep(0.2)


async def test_hostile_records_are_all_accounted_for(brokers, topic_prefix):
    async with System(brokers, topic_prefix, PARTITIONS, create_time=True, **SETTINGS) as system:
        worker = await system.worker()
        await worker.says("restored", 60)
        watched = Watched(worker)
        watching = asyncio.create_task(watched.watch())
        topic = system.topics.events.name
        async with Sender(brokers, topic, PARTITIONS, SEED) as sender:
            try:
                await sender.send(RECORDS)
                total = sum((await ends(brokers, topic)).values())
                await watched.until(
                    lambda: watched.total("audience_events_total") >= total,
                    f"{total} records were not all worked off",
                    60 + RECORDS / 500,
                )
                await watched.until(
                    lambda: watched.total("audience_source_lag_records") == 0, "a stage lags", 60
                )
            finally:
                watching.cancel()
                await asyncio.wait({watching})
        assert worker.running
        accepted, late = await accounted(system, sender, total)
        for outcome, count in (("accepted", accepted), ("late", late)):
            assert watched.total("audience_events_total", outcome=outcome) == count
        assert watched.total("audience_events_total") == total
        assert watched.total("audience_sessions_lost_total") == 0
        assert watched.total("audience_scope_skipped_total") == 0
        grown = (watched.most - watched.first) / 1e6
        print(
            f"{total} records: {accepted} accepted, {late} late; {dict(sender.ways)}; slowest "
            f"value {sender.slowest:.1f} times a plain object; memory +{grown:.0f} MB; longest "
            f"between two scrapes {watched.silence:.1f} s"
        )
        assert grown < MOST_MB, f"{grown:.0f} MB"


async def former_runs(system, rows):
    """The last summaries of runs after which a newer one of the same key has begun."""
    summaries = {}
    async for record in each_of(system.brokers, system.topics.broadcast_summaries.name):
        summaries[record.key] = orjson.loads(record.value)
    for key, row in rows.items():
        platform, _, broadcast = key.decode().partition(":")
        summaries.pop(audience.summary_key(platform, broadcast, row.run).encode(), None)
    assert all(summary["status"] == "final" for summary in summaries.values())
    return list(summaries.values())


async def accounted(system, sender, total):
    """Compare what became of each record with what must; how many were accepted, and were late."""
    refused, reasons = {}, Counter()
    async for record in each_of(system.brokers, system.topics.rejected.name):
        headers = dict(record.headers)
        _, partition, offset = headers["source"].decode().rsplit("/", 2)
        source = (int(partition), int(offset))
        assert source not in refused, f"refused twice: {source}"
        refused[source] = reason = headers["reason"].decode()
        reasons[reason] += int(headers.get("records", b"1"))
        may = sender.expected[source[0]].get(source[1])
        if may is None:
            continue  # of an odd batch
        crc = None if record.value is None else zlib.crc32(record.value)
        assert reason in may[0], (source, reason, may, headers["detail"], record.value)
        assert crc == may[1], (source, headers)
    for partition, offsets in sender.expected.items():
        for offset, (may, _) in offsets.items():
            assert None in may or (partition, offset) in refused, (partition, offset, may)
    rows = {}
    async for record in each_of(system.brokers, system.topics.broadcasts_changelog.name):
        if record.key != POSITION:
            rows[record.key] = record.value
    rows = {key: audience.decode(value) for key, value in rows.items()}
    former = await former_runs(system, rows)
    accepted = sum(row.events for row in rows.values()) + sum(run["events"] for run in former)
    late = sum(row.late for row in rows.values()) + sum(run["late"] for run in former)
    assert late == reasons["late"]
    assert not reasons["error"]
    assert accepted + reasons.total() == total, (accepted, reasons, total)
    assert all(isinstance(row, audience.Row) for row in rows.values())
    heads = {}
    async for record in each_of(system.brokers, system.topics.scopes_changelog.name):
        if record.key != POSITION and b"/" not in record.key:
            heads[record.key] = decode_scope(record.value)
    assert all(isinstance(head, ScopeHead) for head in heads.values())
    assert heads[b"world"].broadcasts == len(rows) + len(former)
    return accepted, late
