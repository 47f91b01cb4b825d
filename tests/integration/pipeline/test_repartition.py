"""4 to 12 partitions in the middle of a hard log: every figure equals the oracle's."""

import asyncio
import re
import sys
from dataclasses import replace

import pytest
from integration.pipeline.hard_log import hard_log, place
from integration.pipeline.oracle import Oracle
from integration.pipeline.system import System
from integration.pipeline.test_scopes import KEPT
from integration.pipeline.test_scopes import compare as compare_scopes
from processes import Process

from agents.admin import check_topics
from agents.state import access
from agents.state.operation import StateError
from agents.state.repartitioning import repartition
from streams.settings import Settings
from streams.topics import Topics

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]

OLD, NEW = 4, 12
STEPS = [
    "adding partitions to",
    "applying what lies in the old partitions of",
    "moving rows of the broadcasts",
    "moving rows of the scopes",
    "writing the positions",
]


def moved(records, partitions):
    """The same records as a producer sends them that knows of so many partitions."""
    out = []
    for record in records:
        if record.key is None or record.reason == "misrouted":
            out.append(record)  # as wrong as before, wherever it lies
        else:
            out.append(replace(record, partition=place(record.key, partitions)))
    return out


def still_misrouted(record):
    return record.key is None or record.partition != place(record.key, NEW)


def parts(count, shares):
    """A hard log, cut into parts; the last ones are sent to the new partitions."""
    records = hard_log(20180624, count, OLD)
    cuts = [int(share * len(records)) for share in shares]
    pieces = [records[a:b] for a, b in zip([0, *cuts], [*cuts, len(records)], strict=True)]
    return pieces


def command(system, *arguments):
    given = {**system.given, "partitions": str(NEW)}
    env = {f"AUDIENCE_{name.upper()}": value for name, value in given.items()}
    return Process(
        sys.executable, "-m", "agents.cli", "state", *arguments, env=env, measured=False
    )


def grown(system):
    """The system's own view of it from now on."""
    system.given["partitions"] = str(NEW)
    system.settings = Settings(**system.given)
    system.topics = Topics.of(system.settings)


async def test_killed_at_every_step_with_producers_running(brokers, topic_prefix):
    first, unread, late, early, rest = parts(30_000, (0.35, 0.5, 0.55, 0.65))
    early, rest = moved(early, NEW), moved(rest, NEW)
    early = [r for r in early if r.reason != "misrouted" or still_misrouted(r)]
    rest = [r for r in rest if r.reason != "misrouted" or still_misrouted(r)]
    oracle = Oracle()
    for part in (first, unread, late, early, rest):
        oracle.take(part)
    async with System(brokers, topic_prefix, OLD, **KEPT, batch_records="500") as system:
        workers = [await system.worker(), await system.worker()]
        await system.send(first)
        await system.done(len(first) // 2)
        refused = await command(system, "repartition", "--settle", "0s").start()
        assert await refused.ended(60) == 1
        assert re.search(r"workers of AUDIENCE_GROUP=\S+ are at work", refused.tail())
        for worker in workers:
            await worker.kill()
        await system.send(unread)  # nobody has read it when the partitions come

        for number, step in enumerate(STEPS):
            settle = "3s" if number == 1 else "0s"
            running = await retried(system, settle)
            await running.says(step, 120)
            if number == 1:
                await system.send(late)
                await system.send(early)
                continue_until = "moving rows of the broadcasts"
                await running.says(continue_until, 120)
            await running.kill()
            worker = await system.worker(partitions=str(NEW))
            assert await worker.ended(60) != 0
            assert re.search("state repartition|differ|partitions", worker.lines[-1])
        running = await retried(system, "0s")
        assert await running.ended(120) == 0, running.tail()
        assert "is through" in running.tail()
        again = await command(system, "repartition", "--settle", "0s").start()
        assert await again.ended(60) == 0, again.tail()
        assert "already" in again.tail()

        grown(system)
        assert [f for f in await check_topics(system.settings) if f.severity == "error"] == []
        await system.worker()
        await system.worker()
        await system.send(rest)
        await system.done(sum(map(len, (first, unread, late, early, rest))))
        await system.compare(oracle)
        await compare_scopes(system, oracle)


async def retried(system, settle):
    """Start it; a worker that was killed is in the group until its session is over."""
    async with asyncio.timeout(60):
        while True:
            running = await command(system, "repartition", "--settle", settle).start()
            while running.running and not re.search("looking at|partitions", running.tail()):
                await asyncio.sleep(0.05)
            if "are at work" not in running.tail():
                return running
            await running.ended()
            await asyncio.sleep(0.5)
