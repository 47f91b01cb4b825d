"""`live-audience correct` on a real Kafka, beside a worker and without one."""

import asyncio
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import orjson
import pytest
from integration.pipeline.system import System
from kafka_tools import create_topic, produce_all
from processes import ROOT, Process

from streams import rfc3339
from streams.audience import Row, Rules, Tombstone, encode
from streams.exact.position import MOVING, POSITION_KEY, Position, encode_position
from streams.routing import partition_for
from streams.viewer_event import ViewerEvent

pytestmark = pytest.mark.kafka

PARTITIONS = 3
DAY = "2020-03-01"


def event(at, broadcast="louvre-1", **fields):
    key = f"fliggy:{broadcast}".encode()
    document = {"platform": "fliggy", "broadcast": broadcast, "at": f"{DAY}T{at}Z", **fields}
    return SimpleNamespace(
        key=key,
        value=orjson.dumps(document),
        partition=partition_for(key, PARTITIONS),
        timestamp=None,
    )


#: One sample is absurd, and the start is told too early.
EVENING = (
    event("12:00:00", kind="started", viewers=3),
    event("12:01:00", viewers=11),
    event("12:02:00", viewers=12, joins=4),
    event("12:03:10", viewers=9_000_000),
    event("12:03:40", viewers=13, joins=5),
    event("12:04:00", viewers=14, views=70),
    event("12:06:00", kind="ended"),
)


@pytest.fixture
async def system(brokers, topic_prefix):
    async with System(brokers, topic_prefix, PARTITIONS) as system:
        yield system


def environment(system):
    given = {f"AUDIENCE_{name.upper()}": value for name, value in system.given.items()}
    return {**os.environ, "PYTHONPATH": str(ROOT), **given}


async def correct(system, *arguments, code=0):
    """What the command says, each space but one taken out, having ended with this code."""
    process = await Process(
        *(sys.executable, "-m", "agents.cli", "correct", *arguments),
        env=environment(system),
        forked=True,
    ).start()
    assert await process.ended(60) == code, process.tail()
    return "\n".join(" ".join(line.split()) for line in process.lines)


async def events_of(system):
    return [orjson.loads(record.value) for record in await system.read(system.topics.events)]


async def summary(system, seconds=30, **wanted):
    """Wait until the last summary of the one broadcast says this; returns it."""
    async with asyncio.timeout(seconds):
        while True:
            found = [
                orjson.loads(record.value)
                for record in await system.read(system.topics.broadcast_summaries)
            ]
            if found and wanted.items() <= found[-1].items():
                return found[-1]
            await asyncio.sleep(0.2)


async def test_a_minute_and_a_start_are_put_right(system):
    await system.send(EVENING)
    await system.worker()
    before = await summary(system, status="ended", peak=9_000_000)

    said = await correct(
        system, "fliggy", "louvre-1", "--minute", f"{DAY}T12:03Z", "--viewers", "13"
    )
    for line in (
        "fliggy:louvre-1, 2020-03-01T12:03:00Z, revision 1; open until",
        "has an event of 2020-03-01T12:18:00Z or later",
        "viewers 13 the same",
        "high 9,000,000 13",
        "joins 5 the same",
        "peak 9,000,000 14",
        "peak_at 2020-03-01T12:03:00Z 2020-03-01T12:04:00Z",
        "and it is in the figures.",
    ):
        assert line in said, said
    after = await summary(system, peak=14)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"peak", "peak_at", "events"}

    said = await correct(system, "fliggy", "louvre-1", "--started", f"{DAY}T13:01:30+01:00")
    assert "started_at 2020-03-01T12:00:00Z 2020-03-01T12:01:30Z" in said, said
    last = await summary(system, started_at="2020-03-01T12:01:30Z")
    # The audience of 12:01:00 was told before the start now.
    assert (last["waiting_peak"], last["minutes_live"], last["minutes_observed"]) == (11, 6, 3)

    # That minute restated is of the span; what is so already is not sent again.
    minute = ("fliggy", "louvre-1", "--minute", f"{DAY} 12:01Z", "--viewers", "10", "--joins", "7")
    assert "is in the figures" in await correct(system, *minute)
    assert "It is so already: there is nothing to send." in await correct(system, *minute)
    last = await summary(system, minutes_observed=4)
    assert (last["first_minute"], last["joins"], last["waiting_peak"]) == (10, 16, 3)
    assert len(await events_of(system)) == len(EVENING) + 3
    assert not await system.read(system.topics.rejected)


async def test_what_cannot_be_restated_is_refused_with_words(system):
    await system.send([*EVENING[:5], event("12:20:00", viewers=5)])
    await system.worker()
    await system.done(6)
    viewers = ("--viewers", "1")

    said = await correct(
        system, "fliggy", "louvre-1", "--minute", f"{DAY}T12:03Z", *viewers, code=1
    )
    assert "the minute 2020-03-01T12:03:00Z of fliggy:louvre-1 is sealed since" in said
    assert "since 2020-03-01T12:18:00Z" in said
    assert "those from 2020-03-01T12:06:00Z to 2020-03-01T12:20:00Z" in said
    said = await correct(system, "fliggy", "louvre-1", "--started", f"{DAY}T12:05:59Z", code=1)
    assert "since 2020-03-01T12:20:00Z" in said

    said = await correct(
        system, "fliggy", "louvre-1", "--minute", f"{DAY}T12:21Z", *viewers, code=1
    )
    assert "has come to the minute 2020-03-01T12:20:00Z" in said
    said = await correct(
        system, "twitch", "louvre-1", "--minute", f"{DAY}T12:10Z", *viewers, code=1
    )
    assert "nothing is known of twitch:louvre-1" in said
    assert f"AUDIENCE_TOPIC_PREFIX={system.settings.topic_prefix}" in said

    said = await correct(
        system, "fliggy", "louvre-1", "--minute", f"{DAY}T12:10Z", *viewers, "--dry-run"
    )
    assert "viewers - 1" in said
    assert "Nothing was sent (--dry-run)." in said
    assert len(await events_of(system)) == 6, "nothing of all that was sent"


async def test_it_needs_no_worker(system):
    minute = ("fliggy", "louvre-1", "--minute", f"{DAY}T12:02Z", "--views", "9")
    said = await correct(system, *minute, code=1)
    assert "no worker of AUDIENCE_GROUP=live-audience" in said
    await system.send(EVENING)
    worker = await system.worker()
    await system.done(len(EVENING))
    assert await worker.stop() == 0
    await system.send([event("12:05:00", viewers=15)])

    said = await correct(system, *minute)
    assert "1 records of its partition are not in these figures yet" in said
    assert "No worker has read it yet; it counts once one has." in said
    sent = (await events_of(system))[-1]
    assert sent == {
        "platform": "fliggy",
        "broadcast": "louvre-1",
        "at": "2020-03-01T12:02:00Z",
        "kind": "sample",
        "viewers": 12,
        "joins": 4,
        "views": 9,
        "revision": 1,
    }
    await system.worker()
    await system.done(len(EVENING) + 2)
    cell = (await system.rows())[b"fliggy:louvre-1"].cells
    (corrected,) = [each for each in cell.values() if each.revision]
    assert (corrected.audience, corrected.joins, corrected.views) == (12, 4, 9)


async def test_a_terminal_is_asked(system):
    await system.send(EVENING)
    await system.worker()
    await system.done(len(EVENING))
    command = (sys.executable, "-m", "agents.cli", "correct", "fliggy", "louvre-1")
    minute = ("--minute", f"{DAY}T12:02Z", "--viewers", "1")
    for answer, more, code, sent in (
        (b"n\n", (), 1, 0),
        (b"y\n", (), 0, 1),
        (b"", ("--yes",), 0, 1),
    ):
        ours, theirs = os.openpty()
        os.write(ours, answer)
        process = await asyncio.to_thread(
            subprocess.run,
            [*command, *minute, *more],
            check=False,
            env=environment(system),
            stdin=theirs,
            stdout=subprocess.PIPE,
            timeout=60,
        )
        for descriptor in (ours, theirs):
            os.close(descriptor)
        assert process.returncode == code, process.stdout
        assert (b"Send it?" in process.stdout) == bool(answer), process.stdout
        assert len(await events_of(system)) == len(EVENING) + sent


async def test_where_only_producers_know_the_partition_it_is_found(brokers, topic_prefix):
    async with System(brokers, topic_prefix, PARTITIONS, partitioner="any") as system:
        await system.send([SimpleNamespace(**{**vars(each), "partition": 2}) for each in EVENING])
        await system.worker()
        await system.done(len(EVENING))
        said = await correct(
            system, "fliggy", "louvre-1", "--minute", f"{DAY}T12:03Z", "--viewers", "13"
        )
        assert "viewer-events/2 as offset 7, and it is in the figures" in said


async def test_a_changelog_that_does_not_fit_is_told(brokers, topic_prefix):
    system = System(brokers, topic_prefix, PARTITIONS)
    await create_topic(brokers, system.topics.broadcasts_changelog.name, 1)
    async with system:
        said = await correct(
            system, "fliggy", "a", "--minute", f"{DAY}T12:03Z", "--viewers", "13", code=1
        )
        assert "the state has 1 partitions and viewer-events 3" in said


async def test_one_that_comes_too_late_is_told(brokers, topic_prefix):
    # It is stopped for some seconds, in which its session must not be lost.
    async with System(brokers, topic_prefix, PARTITIONS, session_timeout="30s") as system:
        await system.send(EVENING[:5])
        worker = await system.worker()
        await system.done(5)
        worker.signal(signal.SIGSTOP)
        await system.send([event("12:30:00", viewers=5)])
        process = await Process(
            *(sys.executable, "-m", "agents.cli", "correct", "fliggy", "louvre-1"),
            *("--minute", f"{DAY}T12:02Z", "--viewers", "1"),
            env=environment(system),
            forked=True,
        ).start()
        await process.says("1 records of its partition are not in these figures yet")
        await process.says("waiting for a worker to read it")
        worker.signal(signal.SIGCONT)
        assert await process.ended(30) == 1, process.tail()
        assert "it was refused as late: the minute was sealed meanwhile" in process.lines[-1]


class TestChangelog:
    """What the changelog may hold in the place of a row."""

    KEY = b"fliggy:louvre-1"
    MINUTE = (*KEY.decode().split(":"), "--minute", f"{DAY}T12:02Z", "--viewers", "1")

    async def says(self, system, value, partitions=PARTITIONS):
        position = encode_position(Position(0, "", partitions))
        records = [(self.KEY, value), (POSITION_KEY, position)]
        await produce_all(
            system.brokers,
            system.topics.broadcasts_changelog.name,
            records,
            partition_for(self.KEY, PARTITIONS),
        )
        said = await correct(system, *self.MINUTE, code=1)
        assert said.splitlines()[-1].startswith("Error: ")
        assert not await events_of(system)
        return said

    async def test_a_tombstone(self, system):
        last = rfc3339.microseconds(f"{DAY}T14:00:00Z") // rfc3339.MINUTE
        said = await self.says(system, encode(Tombstone(last, 1)))
        assert "fliggy:louvre-1 is over and its row is gone" in said
        assert "its last minute was 2020-03-01T14:00:00Z" in said

    async def test_a_row_that_was_deleted(self, system):
        assert "nothing is known of fliggy:louvre-1 in AUDIENCE_GROUP=" in await self.says(
            system, None
        )

    async def test_a_row_of_the_contracts_first_version(self, system):
        said = await self.says(system, b"\x91\xa2r1")
        assert "in format r1, which an older version" in said

    @pytest.mark.parametrize("partitions", [MOVING, 2])
    async def test_a_state_that_is_being_moved(self, system, partitions):
        row = Row.new(ViewerEvent("fliggy", "louvre-1", ""), 1, 1, Rules(15, 2))
        said = await self.says(system, encode(row), partitions)
        assert "an import or a repartition is not through" in said
