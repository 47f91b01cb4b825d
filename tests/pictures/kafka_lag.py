"""Kafka's own account of consumer lag, in the words of kafka-exporter (which no registry serves).

    kafka_consumergroup_lag{consumergroup, topic, partition}

The end of the partition, whatever lies in front of it, less the group's committed offset: what
kafka-exporter tells, and what KEDA's Kafka scaler goes by.
"""

import contextlib

from aiohttp import web
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import GroupCoordinatorNotAvailableError
from kafka_tools import admin_client
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from agents.demo.worker import free_port

_LABELS = ("consumergroup", "topic", "partition")


@contextlib.asynccontextmanager
async def exporting(brokers, groups):
    """Tell of the lag of some groups over HTTP; yields the port."""
    async with admin_client(brokers) as admin, AIOKafkaConsumer(bootstrap_servers=brokers) as ends:

        async def metrics(_request):
            return web.Response(body=generate_latest(await _lag(admin, ends, groups)))

        app = web.Application()
        app.router.add_get("/metrics", metrics)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        port = free_port("127.0.0.1", 0)
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            yield port
        finally:
            await runner.cleanup()


async def _lag(admin, ends, groups):
    registry = CollectorRegistry()
    gauge = Gauge(
        "kafka_consumergroup_lag",
        "Current Approximate Lag of a ConsumerGroup at Topic/Partition",
        _LABELS,
        registry=registry,
    )
    for group in groups:
        try:
            committed = await admin.list_consumer_group_offsets(group)
        except GroupCoordinatorNotAvailableError:
            continue  # the first group of a new cluster: its coordinator is being made
        newest = await ends.end_offsets(list(committed)) if committed else {}
        for partition, position in committed.items():
            labels = (group, partition.topic, partition.partition)
            gauge.labels(*labels).set(max(0, newest[partition] - position.offset))
    return registry
