"""A leader dies while a log is worked through: nothing is lost, and nothing counts twice."""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer
from integration.pipeline.hard_log import hard_log
from integration.pipeline.oracle import Oracle
from integration.pipeline.system import System
from kafka_tools import admin_client

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]
PARTITIONS = 3
RECORDS = 6_000
LOGIN = "leaders"


async def send(running, log, seconds):
    """Send in order and wait for all copies, in about so many seconds."""
    topic = running.topics.events.name
    size = len(log) // 20 + 1
    async with AIOKafkaProducer(
        bootstrap_servers=running.brokers,
        enable_idempotence=True,  # a leader that dies makes it send again
        max_request_size=2_000_000,
    ) as producer:
        for start in range(0, len(log), size):
            sent = [
                await producer.send(
                    topic,
                    record.value,
                    record.key,
                    partition=record.partition,
                    timestamp_ms=record.timestamp,
                )
                for record in log[start : start + size]
            ]
            await asyncio.gather(*sent)
            await asyncio.sleep(seconds / 20)


async def leader(brokers, topic, partition):
    """Which node leads a partition, and how many copies are in step."""
    async with admin_client(brokers) as client:
        (described,) = await client.describe_topics([topic])
    (found,) = [each for each in described["partitions"] if each["partition"] == partition]
    return found["leader"], len(found["isr"])


async def test_a_leader_dies_in_mid_flow_and_comes_back(secured, topic_prefix):
    log = hard_log(20200927, RECORDS, PARTITIONS)
    oracle = Oracle().take(log)
    await secured.user(LOGIN, "leaders-canary")
    kinds = ("topic", "group", "transactional_id")
    await secured.allow(LOGIN, [(kind, topic_prefix, "prefixed", "ALL") for kind in kinds])
    async with System(
        secured.cluster.bootstrap, topic_prefix, PARTITIONS, replication="3", batch_records="200"
    ) as running:
        assert running.topics.events.config["min.insync.replicas"] == "2"
        first = await running.worker(**secured.login(LOGIN))
        second = await running.worker(**secured.login(LOGIN))
        for worker in (first, second):
            await worker.says("restored", 60)
        sending = asyncio.create_task(send(running, log, 10))
        changelog = running.topics.broadcasts_changelog.name
        await asyncio.sleep(2)
        number, _ = await leader(running.brokers, changelog, 0)
        node = secured.cluster.nodes[number - 1]
        await asyncio.to_thread(node.kill)
        await asyncio.sleep(3)
        await asyncio.to_thread(node.start)
        await sending
        await running.done(len(log), 120)
        await running.compare(oracle)
        for worker in (first, second):
            assert await worker.stop() == 0
        # All copies are there again, for whoever hurts a node next.
        async with asyncio.timeout(60):
            while (await leader(running.brokers, changelog, 0))[1] < 3:  # noqa: ASYNC110 - Kafka's
                await asyncio.sleep(0.2)
