"""Starts, hurts and ends workers of `words.py`, and says what should have come out."""

import asyncio
import json
import random
import sys
from collections import Counter
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.partitioner import murmur2
from processes import Process

PARTITIONS = 4


class Words:
    """Topics, workers and expectations of one test."""

    def __init__(self, brokers, prefix, seed=1, **options):
        self.brokers = brokers
        self.random = random.Random(seed)
        self.source = f"{prefix}words"
        self.changelog = f"{prefix}words-changelog"
        self.output = f"{prefix}counts"
        self.options = {
            "brokers": brokers,
            "source": self.source,
            "changelog": self.changelog,
            "output": self.output,
            "group": f"{prefix}group",
            **options,
        }
        self.expected = Counter()
        self.workers = []

    async def __aenter__(self):
        self.admin = AIOKafkaAdminClient(bootstrap_servers=self.brokers)
        await self.admin.start()
        await self.create(self.source)
        await self.create(self.changelog, {"cleanup.policy": "compact"})
        await self.create(self.output)
        return self

    async def __aexit__(self, *error):
        for worker in self.workers:
            if worker.running:
                await worker.kill()
        await self.admin.close()

    async def create(self, topic, config=None, partitions=PARTITIONS):
        answer = await self.admin.create_topics(
            [NewTopic(topic, partitions, 1, topic_configs=config or {})]
        )
        assert answer.topic_errors[0][1] == 0, answer
        await asyncio.sleep(0.1)

    async def delete(self, topic):
        await self.admin.delete_topics([topic])
        await asyncio.sleep(0.5)

    async def worker(self, **options):
        worker = await Process(
            sys.executable,
            str(Path(__file__).with_name("words.py")),
            env={"WORDS": json.dumps({**self.options, **options})},
            forked=True,
        ).start()
        self.workers.append(worker)
        return worker

    async def write(self, count, vocabulary=300):
        """Write so many random words; each counts once, whatever happens later."""
        producer = AIOKafkaProducer(bootstrap_servers=self.brokers, linger_ms=5)
        await producer.start()
        try:
            sent = []
            for _ in range(count):
                word = b"word-%d" % self.random.randrange(vocabulary)
                self.expected[word] += 1
                sent.append(
                    await producer.send(
                        self.source, word, partition=(murmur2(word) & 0x7FFFFFFF) % PARTITIONS
                    )
                )
            await asyncio.gather(*sent)
        finally:
            await producer.stop()

    async def read(self, topic, isolation="read_committed"):
        """Return all records of a topic up to its end."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.brokers, isolation_level=isolation, enable_auto_commit=False
        )
        await consumer.start()
        try:
            parts = [TopicPartition(topic, number) for number in range(PARTITIONS)]
            consumer.assign(parts)
            begins = await consumer.beginning_offsets(parts)
            ends = await consumer.end_offsets(parts)
            for part in parts:
                consumer.seek(part, begins[part])
            records = []
            for part in parts:
                while await consumer.position(part) < ends[part]:
                    for chunk in (await consumer.getmany(part, timeout_ms=500)).values():
                        records.extend(chunk)
            return records
        finally:
            await consumer.stop()

    async def counts(self):
        """Return the rows as the changelog holds them."""
        rows = {}
        for record in await self.read(self.changelog):
            if not record.key.startswith(b"\x00"):
                rows[record.key] = int(record.value)
        return rows

    async def finished(self, seconds=60):
        """Wait until as many words are counted as were written, then compare key by key."""
        wanted = sum(self.expected.values())
        async with asyncio.timeout(seconds):
            while sum((await self.counts()).values()) < wanted:
                if not any(worker.running for worker in self.workers):
                    break
                await asyncio.sleep(0.5)
        assert await self.counts() == dict(self.expected)
        # What was sent on is as exact: a word's counts only ever grow.
        last = {}
        for record in await self.read(self.output):
            assert int(record.value) > last.get(record.key, 0), record
            last[record.key] = int(record.value)
        assert last == dict(self.expected)
