"""Scopes on a real Kafka, through kills and rebalances: every last summary equals the oracle's."""

import asyncio
import contextlib
import signal
import time
from collections import defaultdict
from itertools import pairwise

import orjson
import pytest
from integration.pipeline.hard_log import hard_log
from integration.pipeline.oracle import Oracle
from integration.pipeline.system import System
from kafka_tools import following

from streams.audience.scope import ScopeHead
from streams.audience.scope_codec import decode_scope

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]

PARTITIONS = 8
RECORDS = 60_000
POSITION = b"\x00position"
# The events are of one day that is long past, or will be: Kafka must not delete them for it.
KEPT = {"retention": "3650d", "tombstone": "3651d"}


@pytest.fixture(scope="module")
def log():
    return hard_log(20200223, RECORDS, PARTITIONS)


@pytest.fixture(scope="module")
def oracle(log):
    return Oracle().take(log)


async def heads(system):
    """The scopes' heads by name, and how many sums are in them by partition."""
    last, positions = {}, {}
    for record in await system.read(system.topics.scopes_changelog):
        _take_head(record, last, positions)
    rows = {name: decode_scope(value) for (name, _), value in last.items() if value is not None}
    assert all(isinstance(head, ScopeHead) for head in rows.values())
    return rows, positions


def _take_head(record, last, positions):
    if record.key == POSITION:
        positions[record.partition] = orjson.loads(record.value)["offset"]
    elif b"/" not in record.key:
        last[record.key.decode(), record.partition] = record.value


async def settled(system, seconds=240):
    """Wait until all sums are in the scopes, and what is due is published."""
    sums = {r.partition: r.offset + 1 for r in await system.read(system.topics.scope_deltas)}
    heads, positions = {}, {}
    changes = following(system.brokers, system.topics.scopes_changelog.name)
    end = time.monotonic() + seconds
    async with contextlib.aclosing(changes):
        async for records in changes:
            for record in records:
                _take_head(record, heads, positions)
            # A position may be past the markers of transactions behind the last record.
            waiting = {
                n: (positions.get(n), to) for n, to in sums.items() if positions.get(n, 0) < to
            }
            rows = [] if waiting else [decode_scope(head) for head in heads.values() if head]
            if not waiting and not any(head.publish_pending for head in rows):
                return
            said = "\n".join(worker.tail(10) for worker in system.workers)
            assert any(worker.running for worker in system.workers), said
            assert time.monotonic() < end, f"{waiting} {len(rows)}\n{said}"


async def published(system):
    told = defaultdict(list)
    for record in await system.read(system.topics.scope_summaries):
        told[record.key.decode()].append((record.timestamp, orjson.loads(record.value)))
    return told


async def compare(system, oracle):
    """Compare the last summary of each scope, and see how often each was published."""
    await settled(system)
    told, expected = await published(system), oracle.scopes()
    assert told.keys() == expected.keys()
    assert len(told) > 10
    for name, summary in expected.items():
        assert told[name][-1][1] == summary, name
    for name, summaries in told.items():
        for (one, first), (other, second) in pairwise(summaries):
            assert other - one >= 1_000, name
            assert first != second, name


async def test_three_workers_killed_and_joined_in_mid_flow(brokers, topic_prefix, log, oracle):
    async with System(brokers, topic_prefix, PARTITIONS, **KEPT, batch_records="300") as system:
        workers = [await system.worker() for _ in range(3)]
        for worker in workers:
            await worker.says("restored", 120)
        sending = asyncio.create_task(system.send(log))
        await asyncio.sleep(2)
        await workers[0].kill()
        workers.append(await system.worker())
        await workers[3].says("restored", 120)
        await asyncio.sleep(1)
        await workers[1].kill()
        await workers[2].kill()
        await system.worker()
        await system.worker()
        await sending
        await system.done(len(log))
        await system.compare(oracle)
        await compare(system, oracle)


async def test_what_is_due_survives_a_kill(brokers, topic_prefix, log, oracle):
    async with System(brokers, topic_prefix, PARTITIONS, **KEPT, batch_records="500") as system:
        worker = await system.worker()
        await worker.says("restored", 120)
        await system.send(log)
        async with asyncio.timeout(60):
            while True:
                # It stands still while it is looked at: a quick one would publish meanwhile.
                worker.signal(signal.SIGSTOP)
                rows, _ = await heads(system)
                if any(head.publish_pending for head in rows.values()):
                    break
                worker.signal(signal.SIGCONT)
                await asyncio.sleep(0.05)
        await worker.kill()
        rows, _ = await heads(system)
        assert any(head.publish_pending for head in rows.values())
        await system.worker()
        await system.done(len(log))
        await compare(system, oracle)


async def test_partitions_read_days_apart(brokers, topic_prefix):
    log = hard_log(20200224, 20_000, PARTITIONS, hours=7 * 24)
    log.sort(key=lambda record: record.partition)  # each partition to its end, then the next one
    oracle = Oracle().take(log)
    async with System(brokers, topic_prefix, PARTITIONS, **KEPT) as system:
        await system.worker()
        sent = 0
        for partition in range(PARTITIONS):
            records = [record for record in log if record.partition == partition]
            await system.send(records)
            sent += len(records)
            await system.done(sent)
        await compare(system, oracle)
