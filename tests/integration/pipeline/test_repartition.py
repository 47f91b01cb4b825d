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

from agents.state import access
from agents.state.operation import StateError
from agents.state.repartitioning import repartition
from agents.topics.admin import check_topics
from streams.errors import LiveAudienceError
from streams.settings import Settings
from streams.topics import Topics

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]

OLD, NEW = 4, 12


def resent(records, partitions):
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
    return [records[a:b] for a, b in zip([0, *cuts], [*cuts, len(records)], strict=True)]


def command(system, *arguments):
    given = {**system.given, "partitions": str(NEW)}
    env = {f"AUDIENCE_{name.upper()}": value for name, value in given.items()}
    program = (sys.executable, "-m", "agents.cli", "state", *arguments)
    return Process(*program, env=env, measured=False, forked=True)


def grown(system):
    """The system's own view of it from now on."""
    system.given["partitions"] = str(NEW)
    system.settings = Settings(**system.given)
    system.topics = Topics.of(system.settings)


async def test_killed_at_every_step_with_producers_running(brokers, topic_prefix):
    first, unread, late, early, rest = parts(20_000, (0.35, 0.5, 0.55, 0.65))
    early, rest = resent(early, NEW), resent(rest, NEW)
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

        running = await retried(system, "0s")
        await running.says("adding partitions to", 120)
        await running.kill()
        worker = await system.worker(partitions=str(NEW))
        assert await worker.ended(60) != 0
        assert re.search("state repartition|partitions", worker.lines[-1])

        running = await retried(system, "4s")
        await running.says("applying what lies in the old partitions of", 120)
        await system.send(late)
        await system.send(early)
        await running.says("moving rows of the broadcasts", 120)
        await running.kill()

        grown(system)
        allowed = 0
        while not await done_before_the_end(system, allowed):
            allowed += 1
        assert allowed > 3
        assert [f for f in await check_topics(system.settings) if f.severity == "error"] == []
        await system.worker()
        await system.worker()
        await system.send(rest)
        await system.done(sum(map(len, (first, unread, late, early, rest))))
        await system.compare(oracle)
        await compare_scopes(system, oracle)


async def test_in_one_go_and_what_is_refused(brokers, topic_prefix):
    """3 to 5: rows move up and down."""
    log = hard_log(3, 3_000, 3)
    half = log[: len(log) // 2]
    oracle = Oracle().take(half)
    async with System(brokers, topic_prefix, 3, **KEPT) as system:
        worker = await system.worker()
        await system.send(half)
        await system.done(len(half))
        assert await worker.stop() == 0, worker.tail()

        def asked(**changes):
            return repartition(Settings(**{**system.given, **changes}), 0.0, lambda *_: None)

        with pytest.raises(StateError, match="AUDIENCE_PARTITIONER=any"):
            await asked(partitions="5", partitioner="any")
        with pytest.raises(StateError, match="Kafka takes none away"):
            await asked(partitions="2")
        with pytest.raises(LiveAudienceError, match="belong to the group"):
            await asked(partitions="5", group="another", instance="")
        moved = await asked(partitions="5")
        assert (moved.before, moved.resumed) == (3, False)
        assert min(moved.rows.values()) > 5
        again = await asked(partitions="5")
        assert (again.before, again.rows) == (5, {})
        await system.compare_rows(oracle)

        old = await system.worker()
        assert await old.ended(60) == 1
        assert "set AUDIENCE_PARTITIONS=5" in "\n".join(old.lines)
        system.given["partitions"] = "5"
        system.settings = Settings(**system.given)
        await system.worker()
        rest = [r for r in resent(log[len(half) :], 5) if r.reason != "misrouted"]
        await system.send(rest)
        await system.done(len(log) - len(log[len(half) :]) + len(rest))
        oracle.take(rest)
        await system.compare(oracle)


class Broken(Exception):
    pass


async def done_before_the_end(system, allowed):
    """Run it in this process, and break it off after so many transactions."""
    transact, left = access.Writer.transact, allowed

    async def breaking(self, records):
        nonlocal left
        if left == 0:
            raise Broken
        left -= 1
        await transact(self, records)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(access.Writer, "transact", breaking)
        try:
            moved = await repartition(system.settings, 0.0, lambda *_: None)
        except Broken:
            return False
    assert moved.resumed
    return True


async def retried(system, settle):
    """Start it; a worker that was killed is in the group until its session is over."""
    for _ in range(60):
        running = await command(system, "repartition", "--settle", settle).start()
        told = re.compile("looking at|partitions")
        # What a process says is no event.
        while running.running and not told.search(running.tail()):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        if "are at work" not in running.tail():
            return running
        await running.ended()
        await asyncio.sleep(0.5)
    pytest.fail(running.tail())
