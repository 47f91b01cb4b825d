"""The whole system on a real Kafka: topics, workers, records in, and all that came out."""

import asyncio
import contextlib
import json
import sys
from collections import Counter

import aiohttp
import orjson
from aiokafka import AIOKafkaProducer
from contract.summaries import COUNTS, NOT_PUBLISHED
from integration.pipeline.oracle import RULES, summary_key
from kafka_tools import admin_client, alter_topic, consume_all, following
from processes import Process

from agents.topics.admin import create_topics
from streams import audience
from streams.settings import Settings
from streams.summaries import encode
from streams.topics import Topics


class System:
    """One test's system; ends its workers when it is left.

    Events are taken in by the oracle's rules, or by other environment variables. With
    `create_time` the Kafka timestamps are those of the producer, else the broker's clock, as it is
    by default.
    """

    def __init__(self, brokers, prefix, partitions, *, create_time=False, rules=RULES, **settings):
        self.given = {
            "brokers": brokers,
            "topic_prefix": prefix,
            "partitions": str(partitions),
            **{name.removeprefix("AUDIENCE_").lower(): text for name, text in rules.items()},
            "http_port": "0",
            "session_timeout": "6s",
            "log_format": "json",
            **settings,
        }
        self.settings = Settings(**self.given)
        self.topics = Topics.of(self.settings)
        self.brokers = brokers
        self.workers = []
        self._create_time = create_time

    async def __aenter__(self):
        await create_topics(self.settings)
        if self._create_time:
            events = self.topics.events
            async with admin_client(self.brokers) as client:
                config = {**events.config, "message.timestamp.type": "CreateTime"}
                await alter_topic(client, events.name, config)
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

    async def worker(self, *program, **settings):
        """Start a worker, or another program that is one.

        Every second one is without its compiled modules: a fleet may be mixed.
        """
        if len(self.workers) % 2:
            settings = {"compiled": "no", **settings}
        env = {f"AUDIENCE_{name.upper()}": v for name, v in {**self.given, **settings}.items()}
        command = program or ("-m", "agents.cli", "worker")
        worker = Process(sys.executable, *command, env=env, measured=False, forked=True)
        self.workers.append(await worker.start())
        return worker

    async def send(self, records):
        """Send records in their order, each where and when it says."""
        async with self.sender() as send:
            await send(records)

    @contextlib.asynccontextmanager
    async def sender(self):
        """What sends as `send` does, by one producer: for what is sent again and again."""
        async with AIOKafkaProducer(
            bootstrap_servers=self.brokers, linger_ms=20, max_request_size=2_000_000
        ) as producer:

            async def send(records):
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

            yield send

    async def read(self, topic, seconds=120):
        return await consume_all(self.brokers, topic.name, seconds=seconds)

    async def done(self, total, seconds=240):
        """Wait until so many records are in the figures."""
        positions = {}
        changes = following(self.brokers, self.topics.broadcasts_changelog.name)
        async with asyncio.timeout(seconds), contextlib.aclosing(changes):
            async for records in changes:
                for record in records:
                    if record.key == b"\x00position":
                        positions[record.partition] = json.loads(record.value)["offset"]
                if sum(positions.values()) >= total:
                    return
                alive = not self.workers or any(worker.running for worker in self.workers)
                assert alive, "\n".join(worker.tail(10) for worker in self.workers)

    async def url(self, worker, seconds=60):
        """Where a worker answers, once it does."""
        async with asyncio.timeout(seconds):
            while True:
                for line in worker.lines:
                    if '"http server started"' in line:
                        return json.loads(line)["url"].rstrip("/")
                assert worker.running, worker.tail(20)
                await asyncio.sleep(0.1)

    async def metric(self, worker, name, wanted, seconds=120):
        """Wait until a worker's metric without labels has a value."""
        url = await self.url(worker, seconds) + "/metrics"
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
        assert rows.keys() == oracle.rows.keys()
        for key, run in oracle.rows.items():
            told, wanted = audience.compute_figures(rows[key]), run.figures()
            for name in NOT_PUBLISHED:
                assert getattr(told, name) == wanted[name], (key, name)
            status = "live" if run.ended_at() is None else "ended"
            platform, _, broadcast = key.decode().partition(":")
            summary = encode(audience.summary(platform, broadcast, rows[key], status))
            assert orjson.loads(summary) == oracle.summary(summary_key(key, run), status), key

    async def compare_summaries(self, oracle):
        """Compare the last that was published of each run."""
        last = {}
        for record in await self.read(self.topics.broadcast_summaries):
            last[record.key] = orjson.loads(record.value)
        newest = {summary_key(key, run) for key, run in oracle.rows.items()}
        ended = {key for key, run in oracle.runs.items() if run.ended_at() is not None}
        over = oracle.runs.keys() - newest
        assert ended
        assert ended | over <= last.keys()
        for key, told in last.items():
            if key in over:  # a newer run has begun: what was told last holds all of it
                assert told == oracle.summary(key, "final"), key
            elif key in ended:
                # It goes out again when another figure than its counts changes.
                wanted = oracle.summary(key, "ended")
                for name in COUNTS:
                    assert told.pop(name) <= wanted.pop(name), (key, name)
                assert told == wanted, key
            else:
                # It went on after its end; that it did so was told, its figures have moved since.
                assert told["status"] == "live", key
                assert any(each.event.kind == "ended" for each in oracle.runs[key].told)
