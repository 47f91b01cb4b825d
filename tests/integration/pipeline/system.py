"""The whole system on a real Kafka: topics, workers, records in, and all that came out."""

import asyncio
import json
import sys
from collections import Counter

import aiohttp
import orjson
from aiokafka import AIOKafkaProducer
from kafka_tools import admin_client, alter_topic, consume_all
from processes import Process

from agents.topics.admin import create_topics
from streams import audience
from streams.settings import Settings
from streams.topics import Topics


class System:
    """One test's system; ends its workers when it is left."""

    def __init__(self, brokers, prefix, partitions, **settings):
        self.given = {
            "brokers": brokers,
            "topic_prefix": prefix,
            "partitions": str(partitions),
            "lateness_by_platform": "ivs=2h",
            "http_port": "0",
            "session_timeout": "6s",
            "log_format": "json",
            **settings,
        }
        self.settings = Settings(**self.given)
        self.topics = Topics.of(self.settings)
        self.brokers = brokers
        self.workers = []

    async def __aenter__(self):
        await create_topics(self.settings)
        return self

    async def __aexit__(self, *error):
        for worker in self.workers:
            if worker.running:
                await worker.kill()

    async def keep_all(self, topic):
        """Let no record of a topic be compacted away while a test looks on."""
        async with admin_client(self.brokers) as client:
            await alter_topic(
                client, topic.name, {**topic.config, "min.compaction.lag.ms": "3600000"}
            )

    async def worker(self, **settings):
        env = {f"AUDIENCE_{name.upper()}": v for name, v in {**self.given, **settings}.items()}
        worker = Process(sys.executable, "-m", "agents.cli", "worker", env=env, measured=False)
        self.workers.append(await worker.start())
        return worker

    async def send(self, records):
        """Send records in their order, each where and when it says."""
        async with AIOKafkaProducer(
            bootstrap_servers=self.brokers, linger_ms=20, max_request_size=2_000_000
        ) as producer:
            sent = [
                await producer.send(
                    self.topics.events.name,
                    record.value,
                    record.key,
                    partition=record.partition,
                    timestamp_ms=record.timestamp,
                )
                for record in records
            ]
            await asyncio.gather(*sent)

    async def read(self, topic, seconds=120):
        return await consume_all(self.brokers, topic.name, seconds=seconds)

    async def positions(self):
        """How many records are in the figures, by partition."""
        return {
            record.partition: json.loads(record.value)["offset"]
            for record in await self.read(self.topics.broadcasts_changelog)
            if record.key == b"\x00position"
        }

    async def done(self, total, seconds=240):
        """Wait until so many records are in the figures."""
        async with asyncio.timeout(seconds):
            while sum((await self.positions()).values()) < total:
                alive = not self.workers or any(worker.running for worker in self.workers)
                assert alive, "\n".join(worker.tail(10) for worker in self.workers)
                await asyncio.sleep(1)

    async def metric(self, worker, name, wanted, seconds=120):
        """Wait until a worker's metric without labels has a value."""
        line = next(line for line in worker.lines if '"http server started"' in line)
        url = json.loads(line)["url"] + "/metrics"
        async with asyncio.timeout(seconds), aiohttp.ClientSession() as session:
            while True:
                async with session.get(url) as answer:
                    text = await answer.text()
                if f"\n{name} {float(wanted)}\n" in text:
                    return
                await asyncio.sleep(0.5)

    async def rows(self):
        """All rows as the changelog holds them, wherever they lie by now."""
        last = {}
        for record in await self.read(self.topics.broadcasts_changelog):
            if not record.key.startswith(b"\x00"):
                last[record.key, record.partition] = record.value
        rows = {key: None for key, _ in last}
        for (key, _), value in last.items():
            if value is not None:
                assert rows[key] is None, f"in two partitions: {key}"
                rows[key] = audience.decode(value)
        return rows

    async def compare(self, oracle):
        """Compare all that came out with what must, key by key."""
        await self.compare_rejected(oracle)
        await self.compare_rows(oracle)
        await self.compare_summaries(oracle)

    async def compare_rejected(self, oracle):
        found = {}
        for record in await self.read(self.topics.rejected):
            headers = dict(record.headers)
            _, partition, offset = headers["source"].decode().rsplit("/", 2)
            source = (int(partition), int(offset))
            assert source not in found, f"refused twice: {source}"
            found[source] = headers["reason"].decode()
            sent = oracle.records[source]
            assert (record.key, record.value) == (sent.key, sent.value), source
            assert headers["detail"]
        wrong = {
            source: (found.get(source), oracle.rejected.get(source), oracle.records[source])
            for source in found.keys() | oracle.rejected.keys()
            if found.get(source) != oracle.rejected.get(source)
        }
        assert not wrong, f"{len(wrong)} of {len(found)} wrong: {list(wrong.items())[:3]}"
        assert len(set(Counter(found.values()))) == 5, Counter(found.values())

    async def compare_rows(self, oracle):
        rows = await self.rows()
        assert rows.keys() == oracle.twins.keys()
        for key, twin in oracle.twins.items():
            told, wanted = audience.figures(rows[key]), twin.figures()
            for name, value in wanted.items():
                assert getattr(told, name) == value, (key, name)

    async def compare_summaries(self, oracle):
        last = {}
        for record in await self.read(self.topics.broadcast_summaries):
            last[record.key] = orjson.loads(record.value)
        ended = {key for key, twin in oracle.twins.items() if twin.ended_at() is not None}
        assert ended
        for key in ended:
            assert last[key] == oracle.summary(key, "ended"), key
        for key in last.keys() - ended:
            # It went on after its end; that it did so was told, its figures have moved since.
            assert last[key]["status"] == "live", key
            assert any(event.kind == "ended" for event, _, _ in oracle.twins[key].accepted)
