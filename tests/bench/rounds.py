"""One round of each contestant: started, timed while it works, looked at, and ended."""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from meters import Usage, spent, usage

from agents.topics.admin import create_topics
from streams import audience
from streams.names import Names
from streams.settings import Settings
from streams.topics import Topic, Topics

ROOT = Path(__file__).parents[2]
_POLL = 0.02
_LIMIT = 900.0
_PYTHON_IS_UP = 0.5


@dataclass(frozen=True)
class Stage:
    """Where a workload lies, and how it is read.

    Attributes:
        brokers: the broker's address.
        broker_pid: its process; None if it is not ours to look at.
        prefix: of the topics of this workload.
        partitions: of its events.
        events: how many there are.
        batch: most records of a batch.
        fetch_bytes: most bytes fetched of a partition at a time.
    """

    brokers: str
    broker_pid: int | None
    prefix: str
    partitions: int
    events: int
    batch: int
    fetch_bytes: int

    def settings(self, group: str) -> Settings:
        """The worker's settings; each group has a state of its own, on the same events."""
        return Settings(
            brokers=self.brokers,
            topic_prefix=self.prefix,
            output_prefix=f"{self.prefix}{group}.",
            group=group,
            partitions=self.partitions,
            batch_records=self.batch,
            fetch_bytes=self.fetch_bytes,
            http_port=0,
            log_format="json",
        )

    def environment(self, group: str) -> dict[str, str]:
        """The same for a worker's process; no other setting reaches it."""
        ours = self.settings(group)
        names = (
            *("topic_prefix", "output_prefix", "group", "partitions"),
            *("batch_records", "fetch_bytes", "http_port"),
        )
        given = {f"AUDIENCE_{name.upper()}": str(getattr(ours, name)) for name in names}
        given |= {"AUDIENCE_BROKERS": self.brokers, "AUDIENCE_LOG_FORMAT": "json"}
        others = {k: v for k, v in os.environ.items() if not k.startswith("AUDIENCE_")}
        return {**others, **given, "PYTHONPATH": str(ROOT)}


@dataclass(frozen=True)
class BatchResult:
    """What one round came to.

    Attributes:
        events_per_second: from when the first record could be taken until all were done (the
            worker: durable).
        wall: seconds from the start of the process, imports and all, until the same moment.
        cpu: CPU seconds per million events, of the process while it worked.
        broker_cpu: the broker's in the same time.
        memory: the most bytes that the process ever held in memory.
    """

    events_per_second: float
    wall: float
    cpu: float | None
    broker_cpu: float | None
    memory: int | None


class _Timed:
    """Looks at a contestant and at the broker when it begins and when it is done."""

    def __init__(self, stage: Stage, pid: int) -> None:
        self._stage = stage
        self._pid = pid
        self._launched = time.time()
        self._begun: float | None = None
        self._before: tuple[Usage, Usage] | None = None

    def begins(self, at: float) -> None:
        self._begun = at
        self._before = self._look()

    def done(self, at: float) -> BatchResult:
        assert self._begun is not None
        assert self._before is not None
        process, broker = self._look()
        millions = self._stage.events / 1e6
        cpu, broker_cpu = spent(self._before[0], process), spent(self._before[1], broker)
        return BatchResult(
            events_per_second=self._stage.events / (at - self._begun),
            wall=at - self._launched,
            cpu=None if cpu is None else cpu / millions,
            broker_cpu=None if broker_cpu is None else broker_cpu / millions,
            memory=process.memory,
        )

    def _look(self) -> tuple[Usage, Usage]:
        return usage(self._pid), usage(self._stage.broker_pid)


async def bare(stage: Stage, topic: str) -> BatchResult:
    """Run the bare loop over a topic."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("bare.py")),
        stage.brokers,
        topic,
        *map(str, (stage.partitions, stage.events, stage.batch, stage.fetch_bytes)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    timed = _Timed(stage, process.pid)
    try:
        async with asyncio.timeout(_LIMIT):
            timed.begins(_first_number(await process.stdout.readline()))
            outcome = timed.done(_first_number(await process.stdout.readline()))
            process.stdin.close()
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return outcome


def _first_number(line: bytes) -> float:
    if not line:
        raise RuntimeError("the bare loop has ended early; what it said stands above")
    return float(line.split()[0])


async def worker(
    stage: Stage, group: str, observer: Callable[[int], Sequence[str]] | None = None
) -> BatchResult:
    """Run the real worker over a workload, with a state of its own from nothing.

    Args:
        stage: the workload.
        group: names the state.
        observer: gives the command of a program that looks on and ends with the worker, whose
            process id it is given.
    """
    settings = stage.settings(group)
    await create_topics(settings)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "agents.cli", "worker"),
        env=stage.environment(group),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        limit=2**24,
    )
    timed = _Timed(stage, process.pid)
    lines: list[str] = []
    begun = asyncio.Event()
    observing = None
    if observer is not None:
        await asyncio.sleep(_PYTHON_IS_UP)
        observing = await asyncio.create_subprocess_exec(
            *observer(process.pid), stdout=asyncio.subprocess.DEVNULL
        )
    listening = asyncio.create_task(_listen(process, timed, begun, lines))
    try:
        async with _or_its_end(process, lines), asyncio.timeout(_LIMIT):
            await begun.wait()
            outcome = timed.done(await _durable(stage, settings))
        process.terminate()
        await asyncio.wait_for(process.wait(), 30)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await listening
        if observing is not None:
            await asyncio.wait_for(observing.wait(), 120)
    return outcome


async def _listen(process: Any, timed: _Timed, begun: asyncio.Event, lines: list[str]) -> None:
    """Read what the worker logs; the first partition that is restored may begin at once."""
    async for line in process.stderr:
        lines.append(line.decode(errors="replace"))
        if not begun.is_set() and b'"restored"' in line:
            timed.begins(datetime.fromisoformat(json.loads(line)["timestamp"]).timestamp())
            begun.set()


@contextlib.asynccontextmanager
async def _or_its_end(process: Any, lines: list[str]) -> AsyncIterator[None]:
    """Give up on what is done meanwhile when the worker ends."""
    waiting = asyncio.current_task()
    assert waiting is not None
    ended = asyncio.create_task(process.wait())
    ended.add_done_callback(lambda task: task.cancelled() or waiting.cancel())
    try:
        yield
    except asyncio.CancelledError:
        if process.returncode is None:
            raise
        waiting.uncancel()
        errors = [line for line in lines if '"level":"info"' not in line] or lines[-20:]
        raise RuntimeError("the worker has ended early:\n" + "".join(errors)) from None
    finally:
        ended.cancel()


async def _durable(stage: Stage, settings: Settings) -> float:
    """Wait until all events are committed, and say when that was seen.

    The group's offsets are committed in the same transactions as the rows; to ask for them costs
    the broker next to nothing.
    """
    group = Names.of(settings).broadcasts_group
    client = AIOKafkaAdminClient(bootstrap_servers=stage.brokers)
    await client.start()
    try:
        coordinator = await client.find_coordinator(group)
        while True:
            offsets = await client.list_consumer_group_offsets(group, coordinator)
            now = time.time()
            if sum(each.offset for each in offsets.values()) >= stage.events:
                return now
            await asyncio.sleep(_POLL)
    finally:
        await client.close()


async def counted(stage: Stage, group: str) -> int:
    """Add up how many events are in the rows that Kafka holds for a group."""
    topic = Topics.of(stage.settings(group)).broadcasts_changelog.name
    latest: dict[bytes, bytes | None] = {}
    async with AIOKafkaConsumer(
        bootstrap_servers=stage.brokers,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=stage.fetch_bytes,
    ) as consumer:
        waiting = {TopicPartition(topic, number) for number in range(stage.partitions)}
        consumer.assign(list(waiting))
        await consumer.seek_to_beginning(*waiting)
        ends = await consumer.end_offsets(list(waiting))
        while waiting:
            for records in (await consumer.getmany(*waiting, timeout_ms=200)).values():
                latest.update((record.key, record.value) for record in records)
            waiting = {tp for tp in waiting if await consumer.position(tp) < ends[tp]}
    rows = (audience.decode(v) for k, v in latest.items() if v is not None and k[:1] != b"\x00")
    return sum(row.events for row in rows if isinstance(row, audience.Row))


async def forget(stage: Stage, group: str) -> None:
    """Delete what a round has left: compaction of it would weigh on the next one."""
    topics = Topics.of(stage.settings(group))
    await delete(stage.brokers, [topic for topic in topics if topic != topics.events])


async def delete(brokers: str, topics: Iterable[Topic]) -> None:
    """Delete topics; those that are gone already are no matter."""
    client = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await client.start()
    try:
        await client.delete_topics([topic.name for topic in topics])
    finally:
        await client.close()


def as_json(outcome: BatchResult) -> dict[str, Any]:
    """The figures by name, rounded to what was measured."""
    return {
        name: value if value is None or isinstance(value, int) else round(value, 4)
        for name, value in vars(outcome).items()
    }


def dumped(document: Any) -> str:
    """A document as JSON text."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
