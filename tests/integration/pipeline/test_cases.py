"""Every public complaint of `tests/contract/cases/`, through a real worker on a real Kafka."""

import asyncio
import time
from collections import Counter
from dataclasses import replace

import orjson
import pytest
from contract.test_cases import CASES, HOUR, records
from integration.pipeline.clock import Clock, worker_with
from integration.pipeline.system import System
from integration.pipeline.test_scopes import settled

from streams import audience

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]

# Some records are of 1970: Kafka must not delete them for it.
KEPT = {"retention": "30000d", "tombstone": "30001d"}


async def last(system, topic):
    return {r.key.decode(): orjson.loads(r.value) for r in await system.read(topic)}


async def eventually(wrong, seconds=30):
    """Wait until nothing is wrong any more."""
    end = time.monotonic() + seconds
    while found := await wrong():
        assert time.monotonic() < end, found
        await asyncio.sleep(0.2)


def differences(expected, found):
    """What is not as it must be, of figures by key."""
    return {
        key: {name: found.get(key, {}).get(name) for name, value in figures.items()}
        for key, figures in expected.items()
        if any(found.get(key, {}).get(name, "missing") != value for name, value in figures.items())
    }


@pytest.mark.parametrize("name", CASES)
async def test_a_case(name, brokers, topic_prefix, tmp_path):
    case = CASES[name]
    broadcasts = {
        key: {"status": "final", **figures} for key, figures in case["broadcasts"].items()
    }
    log = list(records(case))
    clock = Clock(tmp_path / "clock", max(record.read_at for record in log) / 1000)
    rules = case.get("settings", {})
    # Kafka's own clock is not the test's, so the timestamps are those that it would have given.
    async with System(brokers, topic_prefix, 1, create_time=True, rules=rules, **KEPT) as system:

        async def wrong():
            summaries = await last(system, system.topics.broadcast_summaries)
            scopes = await last(system, system.topics.scope_summaries)
            return differences(broadcasts, summaries) | differences(case.get("scopes", {}), scopes)

        async def rows():
            there = (await system.rows()).values()
            return [row for row in there if not isinstance(row, audience.Tombstone)]

        await system.send([replace(record, partition=0) for record in log])
        async with worker_with(system, clock):
            await system.done(len(log))
            await settled(system)
            scopes = await last(system, system.topics.scope_summaries)
            while_live = case.get("viewers_while_live", {})
            assert {scope: scopes[scope]["viewers"] for scope in while_live} == while_live
            clock.advance(HOUR / 1000)
            await eventually(wrong)
            clock.advance(24 * HOUR / 1000)  # rows go, and say all once more
            await eventually(rows)
            await eventually(wrong)
            published = await last(system, system.topics.broadcast_summaries)
            assert published.keys() == broadcasts.keys()
        rejected = await system.read(system.topics.rejected)
        assert Counter(dict(r.headers)["reason"].decode() for r in rejected) == case["refused"]
