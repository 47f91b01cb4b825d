"""A system at work, for the pictures: a real Kafka, two workers, a real Prometheus with our rules.

The museums' broadcasts of the demo go on in real time, six times as often, under rules six times as
fast; after a minute one of them falls silent for a while. Among their records are some that are
refused, for a minute many. Half of the way through one of the workers is killed, and started again
a little later.
"""

import asyncio
import contextlib
import json
import random
import time
from datetime import datetime, timedelta
from pathlib import Path

from aiokafka import AIOKafkaProducer
from integration.pipeline.system import System
from pictures.asking import prometheus
from pictures.kafka_lag import exporting

from agents.broker import Broker
from agents.demo.observe.scenario import Scenario
from agents.demo.observe.timeline import SCALE, Timeline
from agents.demo.worker import free_port
from streams.names import Names

PARTITIONS = 8
SCRAPE = 2
JOB = "live-audience"
#: One record in so many is followed by some that are refused; for a while one in so many less.
_MISTAKES, _MANY_MISTAKES = 80, 8
_WRONG_FROM, _WRONG_FOR = 200.0, 60.0  # seconds from the start
_AWAY = 40.0


@contextlib.asynccontextmanager
async def running(folder: Path, minutes, say):
    """Run it for so many minutes; yields what asks its Prometheus, while all is still at work."""
    async with Broker(folder / "kafka") as broker:
        ports = [free_port("127.0.0.1", 0) for _ in range(2)]
        async with System(broker.bootstrap, "", PARTITIONS, rules={}) as system:
            names = Names.of(system.settings)
            groups = [names.broadcasts_group, names.scopes_group]
            for port in ports:
                await system.worker(http_port=str(port))
            async with (
                exporting(broker.bootstrap, groups) as lag,
                prometheus(
                    folder,
                    {JOB: ports, "kafka": [lag]},
                    every=f"{SCRAPE}s",
                    timing=Timeline.scaled(SCALE).timing,
                ) as server,
            ):
                async with asyncio.timeout(120):
                    while len(await server.instant("audience_worker_ready == 1")) < len(ports):  # noqa: ASYNC110 - other processes set no event of ours
                        await asyncio.sleep(1)
                say(f"Prometheus at {server.url}; the evening begins")
                async with asyncio.TaskGroup() as tasks:
                    sending = tasks.create_task(_send(system))
                    await asyncio.sleep(minutes * 60 / 2)
                    say("killing one of the two workers")
                    await system.workers[1].kill()
                    await asyncio.sleep(_AWAY)
                    await system.worker(http_port=str(ports[1]))
                    say("it is started again")
                    await asyncio.sleep(minutes * 60 / 2 - _AWAY)
                    yield server
                    sending.cancel()


async def _send(system):
    """The museums' broadcasts, with mistakes among them, until it is cancelled."""
    plan = Timeline.scaled(SCALE)
    evening = Scenario(plan, time.time())
    rng = random.Random("mistakes")
    topic = system.topics.events.name
    due = began = time.monotonic()
    async with AIOKafkaProducer(bootstrap_servers=system.brokers, linger_ms=5) as producer:
        while not evening.over:
            for key, value, _ in evening.due(time.time()):
                await producer.send(topic, value, key)
                many = 0 <= time.monotonic() - began - _WRONG_FROM < _WRONG_FOR
                if rng.randrange(_MANY_MISTAKES if many else _MISTAKES) == 0:
                    for wrong_key, wrong in _mistakes(key, value):
                        await producer.send(topic, wrong, wrong_key)
            due += plan.every / 4 + rng.random()
            await asyncio.sleep(max(0.0, due - time.monotonic()))


def _mistakes(key, value):
    event = json.loads(value)
    yield key, b"{"
    yield key, json.dumps(event | {"viewers": "many"}).encode()
    yield b"fliggy:another", value
    later = datetime.fromisoformat(event["at"]) + timedelta(hours=1)
    yield key, json.dumps(event | {"at": later.isoformat()}).encode()
