"""What a worker asks the cluster for: its own topics alone, and the records nearest to it."""

import ast
import sys
from pathlib import Path

import pytest
from aiokafka.conn import AIOKafkaConnection
from aiokafka.protocol.metadata import MetadataRequest, MetadataRequest_v5
from integration.pipeline.system import System
from integration.pipeline.test_life import events
from kafka_tools import admin_client
from processes import Process

from agents.topics.admin import check_topics, create_topics, partitions_of
from streams.settings import Settings
from streams.topics import Topics

pytestmark = pytest.mark.kafka


async def test_a_worker_asks_for_its_own_topics_and_the_nearest_records(brokers, topic_prefix):
    async with System(brokers, topic_prefix, 4, client_rack="zone-a") as system:
        env = {f"AUDIENCE_{name.upper()}": value for name, value in system.given.items()}
        program = str(Path(__file__).with_name("asking.py"))
        worker = await Process(sys.executable, program, env=env, forked=True).start()
        system.workers.append(worker)
        await worker.says("looking at the topics")
        await system.send(events("started", "ended"))  # of three partitions nothing is written
        await system.done(2)
        for partition in range(4):
            for topic in (system.topics.events, system.topics.scope_deltas):
                # A refresh of each producer, of which most have not written anything.
                await worker.says(f"ledger-{topic.name}-{partition} [")
        await worker.says(f"source-{system.topics.events.name} [")
        assert await worker.stop() == 0, worker.tail()
        fetched = {line for line in worker.lines if line.startswith("fetched by")}
        ours = {line for line in fetched if "-source-" in line or "-restore-" in line}
        assert {line.partition("in rack")[2] for line in ours} == {" zone-a"}
        assert any("-source-" in line for line in ours)
        asked = [line for line in worker.lines if line.startswith("asked for")]
        assert len(asked) > 20
        assert not [line for line in asked if line.endswith(("ALL", "TO MAKE"))]
        names = {topic.name for topic in system.topics}
        for line in asked:
            assert set(ast.literal_eval(line[line.index("[") :])) <= names, line


async def test_looking_at_topics_asks_for_them_alone_and_makes_none(
    brokers, topic_prefix, monkeypatch
):
    asked, send = [], AIOKafkaConnection.send

    def told(self, request, *given, **options):
        if isinstance(request, MetadataRequest):
            asked.append(request.build(MetadataRequest_v5))
        return send(self, request, *given, **options)

    monkeypatch.setattr(AIOKafkaConnection, "send", told)
    settings = Settings(brokers=brokers, topic_prefix=topic_prefix, partitions=2)
    names = {topic.name for topic in Topics.of(settings)}
    assert len(await check_topics(settings)) == len(names)
    async with admin_client(brokers) as client:
        assert not names & set(await client.list_topics())
    asked.clear()
    await create_topics(settings)
    assert await check_topics(settings) == []
    assert await partitions_of(settings, [Topics.of(settings).events.name])
    assert asked
    assert not any(request.allow_auto_topic_creation for request in asked)
    assert None not in [request.topics for request in asked]
    assert set().union(*(request.topics for request in asked)) == names
