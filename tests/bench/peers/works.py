"""What is measured: each work gives the figures of one run of one contestant, or of all in turn."""

import asyncio
import contextlib
import dataclasses
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import checking
import fleet as fleets
import rounds
import workload as events
from contestant import Contestant, Kept, Place
from rounds import Stage
from running import Running, worked_off

from streams.settings import Settings
from streams.topics import Topics

Show = Callable[[str, int, int], None]


@dataclass
class Bench:
    """Where all of it happens.

    Attributes:
        brokers: the broker's address.
        broker_pid: its process; None if it is not ours.
        folder: for logs and local state.
        show: tells how far it is.
        tag: makes names of topics and groups new.
    """

    brokers: str
    broker_pid: int | None
    folder: Path
    show: Show
    tag: str
    _runs: Iterator[int] = field(default_factory=lambda: iter(range(10**6)))

    def stage(self, what: str, partitions: int, count: int) -> Stage:
        """Give a stage whose topic of events has a name of its own."""
        defaults = Settings.model_fields
        return Stage(
            brokers=self.brokers,
            broker_pid=self.broker_pid,
            # Never a name again: a topic that was just deleted is still known here and there.
            prefix=f"peers-{self.tag}-{next(self._runs)}-{what}.",
            partitions=partitions,
            events=count,
            batch=defaults["batch_records"].default,
            fetch_bytes=defaults["fetch_bytes"].default,
        )

    def place(self, stage: Stage, contestant: Contestant) -> Place:
        """Give a place with a state of its own, from nothing."""
        run = f"run-{self.tag}-{next(self._runs)}-{contestant.name}"
        return Place(stage, run, self.folder / run)


@dataclass
class Filled:
    """A topic with its events; `restore` adds some to it."""

    stage: Stage
    topic: str
    _truth: dict[bytes, Kept] | None = None

    async def truth(self) -> dict[bytes, Kept]:
        """What is true of them, which takes a while when it is asked for the first time."""
        if self._truth is None:
            stage = self.stage
            self._truth = await checking.truth(stage.brokers, self.topic, stage.partitions)
        return self._truth


@contextlib.asynccontextmanager
async def topic(stage: Stage) -> AsyncIterator[str]:
    """Make a topic of events; it is deleted in the end."""
    settings = stage.settings("fill")
    topics = Topics.of(settings)
    await rounds.create_topics(settings)
    try:
        yield topics.events.name
    finally:
        await rounds.delete(stage.brokers, list(topics))


@contextlib.asynccontextmanager
async def workload(bench: Bench, name: str, partitions: int, count: int) -> AsyncIterator[Filled]:
    """Fill a topic with one of the workloads of `workload.py`."""
    stage = bench.stage(f"{name}-{partitions}-{count}", partitions, count)
    async with topic(stage) as events_topic:
        bench.show(f"writing {count:,} events ({name})", 0, 0)
        await events.fill(bench.brokers, events_topic, partitions, name, count)
        yield Filled(stage, events_topic)


@contextlib.asynccontextmanager
async def fleet(
    bench: Bench, broadcasts: int, minutes: int, partitions: int
) -> AsyncIterator[Filled]:
    """Fill a topic with so many minutes of so many broadcasts, one event a minute each."""
    count = broadcasts * minutes
    stage = bench.stage(f"fleet-{broadcasts}-{minutes}", partitions, count)
    async with topic(stage) as events_topic:
        bench.show(f"writing {count:,} events of {broadcasts:,} broadcasts", 0, 0)
        many = fleets.Fleet(broadcasts, max(1, broadcasts // 100), partitions)
        await fleets.fill(many, bench.brokers, events_topic, minutes, lambda *_: None)
        yield Filled(stage, events_topic)


@contextlib.asynccontextmanager
async def at_work(
    bench: Bench, contestant: Contestant, place: Place, workers: int = 1
) -> AsyncIterator[list[Running]]:
    """Start a contestant's workers; they are ended, and what they left is deleted."""
    await contestant.topics(place)
    running = [Running(contestant, place, number) for number in range(workers)]
    try:
        for each in running:
            await each.start()
        yield running
    except BaseException:
        for each in running:
            print(f"what {contestant.name} said last:\n{each.said()}", file=sys.stderr)
        raise
    finally:
        await asyncio.gather(*(each.stop() for each in running if each.launched))
        await forget(bench, contestant, place)


async def forget(bench: Bench, contestant: Contestant, place: Place) -> None:
    """Delete what a run has left: compaction of it would weigh on the next one."""
    left = contestant.made_topics(place)
    if left:
        names = [_Named(name) for name in left]
        await rounds.delete(bench.brokers, names)


@dataclass(frozen=True)
class _Named:
    name: str


async def backlog(
    bench: Bench, contestant: Contestant, filled: Filled, *, check: bool, workers: int = 1
) -> dict[str, Any]:
    """Let a contestant work off what is there; look at its figures if told to."""
    place = bench.place(filled.stage, contestant)
    async with at_work(bench, contestant, place, workers) as running:
        found = await worked_off(
            running, lambda done, of: bench.show(f"{contestant.name}: backlog", done, of)
        )
        if check:
            bench.show(f"{contestant.name}: looking at its figures", 0, 0)
            await checking.check(contestant, running[0].place, await filled.truth())
    return found


async def restore(bench: Bench, contestant: Contestant, filled: Filled) -> dict[str, Any]:
    """Work off, kill with SIGKILL, start on a new machine, and wait until it is at work again.

    "Back" is when events that were sent after the kill are durable, one of each partition. The
    session of the killed member is in it. Bytewax has but its local files; it keeps them.
    """
    place = bench.place(filled.stage, contestant)
    async with at_work(bench, contestant, place) as [running]:
        found = await worked_off(
            [running], lambda done, of: bench.show(f"{contestant.name}: backlog", done, of)
        )
        if contestant.durable:
            count = checking.counted(await checking.rows(contestant, running.place))
            if count != filled.stage.events:
                raise RuntimeError(f"{contestant.name}: kept {count:,} of {filled.stage.events:,}")
        await running.kill()
        if contestant.changelog(place) is not None:
            await running.forget()
        else:
            running.heard.clear()
        more = await one_each(bench, filled.stage, place.topic)
        filled.stage = dataclasses.replace(filled.stage, events=filled.stage.events + more)
        again = Running(contestant, Place(filled.stage, place.run, place.folder))
        bench.show(f"{contestant.name}: restoring", 0, 0)
        await again.start()
        try:
            back = await worked_off([again], lambda *_: None, half=False)
            restored = again.heard.get("restored", [])
            ready = max((at for at, _ in restored), default=await again.begun()) - again.launched
            rows = sum(number for _, number in restored)
        finally:
            await again.stop()
    return {
        **found,
        "back": back["wall"],
        "ready": round(ready, 3),
        "rows_restored": rows or None,
        "memory_restored": back["memory"],
    }


async def one_each(bench: Bench, stage: Stage, events_topic: str) -> int:
    """Send one event to each partition; give how many that are."""
    few = fleets.Fleet(64, 1, stage.partitions)
    chosen = {partition: number for number, partition in enumerate(few.partitions)}
    async with fleets.producer(bench.brokers) as client:
        filling = fleets.Filling(few, client, events_topic)
        for number in chosen.values():
            await filling.add(number, int(time.time() * 1000))
        await filling.flush()
    return len(chosen)
