"""One process of a contestant: started, listened to, watched until all is durable, ended."""

import asyncio
import contextlib
import os
import re
import shutil
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contestant import Contestant, Place
from meters import Usage, spent, usage
from probes import group_offsets
from rounds import ROOT

LIMIT = 600.0
LOOK = 0.02


class Running:
    """A contestant's process.

    Args:
        contestant: whose.
        place: where it works.
        number: of several workers of one group, each with a folder of its own.
    """

    def __init__(self, contestant: Contestant, place: Place, number: int = 0) -> None:
        self.contestant = contestant
        self.place = Place(place.stage, place.run, place.folder / f"worker-{number}")
        self.launched = 0.0
        self.heard: dict[str, list[tuple[float, int]]] = {}
        self._changed = asyncio.Event()
        self._log = self.place.folder / "log"

    async def start(self) -> None:
        """Start it; returns at once."""
        self.place.folder.mkdir(parents=True, exist_ok=True)
        self.launched = time.time()
        self.process = await asyncio.create_subprocess_exec(
            *self.contestant.command(self.place),
            cwd=ROOT,
            # Bytecode is written, else each start of a Python program compiles all of it anew.
            env={**self.contestant.environment(self.place), "PYTHONDONTWRITEBYTECODE": ""},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=2**24,
        )
        self._listening = asyncio.create_task(self._listen())

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    async def until(self, *words: str) -> float:
        """Wait until it has said one of these, and say when that was (seconds since 1970)."""
        async with asyncio.timeout(LIMIT):
            while not (found := [self.heard[word][0][0] for word in words if word in self.heard]):
                self.check()
                self._changed.clear()
                await self._changed.wait()
        return min(found)

    async def begun(self) -> float:
        """Wait until it can take its first event, or has."""
        return await self.until("begun", "restored")

    def check(self) -> None:
        """Raise RuntimeError if it has ended."""
        if self.process.returncode is not None or self._listening.done():
            raise RuntimeError(f"{self.contestant.name} has ended early")

    def said(self) -> str:
        """What it wrote last."""
        return self._log.read_text(errors="replace")[-4000:] if self._log.exists() else ""

    async def stop(self) -> None:
        """End it in order, or with SIGKILL if it does not end."""
        if self.process.returncode is None:
            self.process.terminate()
            try:
                await asyncio.wait_for(self.process.wait(), 30)
            except TimeoutError:
                self.process.kill()
        await self.kill()

    async def kill(self) -> None:
        """End it with SIGKILL."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await self._listening

    async def forget(self) -> None:
        """Delete its local state, as on a new machine, and what it has said."""
        await asyncio.to_thread(shutil.rmtree, self.place.state, ignore_errors=True)
        self.heard.clear()

    async def _listen(self) -> None:
        with self._log.open("ab") as log:
            async for line in self.process.stdout:
                log.write(line)
                log.flush()
                if (told := self.contestant.heard(line)) is not None:
                    self.heard.setdefault(told[0], []).append(told[1:])
                    self._changed.set()
        self._changed.set()


@dataclass(frozen=True)
class Look:
    """What was used when: by all workers, by the broker, by this process, by the whole machine."""

    at: float
    workers: tuple[Usage, ...]
    broker: Usage
    own: float
    machine: float | None
    compilers: float

    @classmethod
    def now(cls, workers: Sequence[Running], broker: int | None, at: float | None = None) -> "Look":
        """Look now."""
        return cls(
            time.time() if at is None else at,
            tuple(usage(each.pid) for each in workers),
            usage(broker),
            time.process_time(),
            machine(),
            sum(compiler(each.pid) for each in workers),
        )

    def since(self, before: "Look", events: int) -> dict[str, float | None]:
        """Say what was done between two looks.

        Returns:
            Events a second; CPU seconds per million events of all workers, and of the broker; what
            of the first was Java's compiler, which a process that runs for weeks has behind it; the
            cores that others were using, which tells how quiet the machine was.
        """
        cpu = [spent(a, b) for a, b in zip(before.workers, self.workers, strict=True)]
        broker = spent(before.broker, self.broker)
        seconds = self.at - before.at
        others = None
        if None not in (*cpu, broker, self.machine, before.machine):
            known = sum(cpu) + broker + self.own - before.own
            others = round(max(0.0, self.machine - before.machine - known) / seconds, 3)
        return {
            "events_per_second": round(events / seconds),
            "cpu": None if None in cpu else _round(sum(filter(None, cpu)) / events * 1e6),
            "broker_cpu": None if broker is None else _round(broker / events * 1e6),
            "compiler": _round((self.compilers - before.compilers) / events * 1e6),
            "others": others,
        }

    @property
    def memory(self) -> int | None:
        """The most bytes that the process with most of them ever held."""
        return max((each.memory for each in self.workers if each.memory is not None), default=None)


async def worked_off(
    workers: Sequence[Running], told: Callable[[int, int], None], half: bool = True
) -> dict[str, Any]:
    """Wait until all events are durable, and give pace, CPU and memory.

    The second half tells what is left when caches are filled and Java's compiler is done; a
    contestant without a consumer group says by itself when that begins, or has no such figure.
    """
    first = workers[0]
    stage = first.place.stage
    began = await _first(workers)
    before = Look.now(workers, stage.broker_pid, began)
    middle: Look | None = None
    middle_done = 0
    group = first.contestant.group(first.place)
    if group is None:
        if half and "bytewax" in first.contestant.name:
            middle = Look.now(workers, stage.broker_pid, await first.until("half"))
            middle_done = stage.events // 2
        after = Look.now(workers, stage.broker_pid, await first.until("done"))
    else:
        async with asyncio.timeout(LIMIT), group_offsets(stage.brokers, group) as ask:
            while (done := sum((await ask()).values())) < stage.events:
                if middle is None and done >= stage.events / 2:
                    middle, middle_done = Look.now(workers, stage.broker_pid), done
                for each in workers:
                    each.check()
                told(done, stage.events)
                await asyncio.sleep(LOOK)
        after = Look.now(workers, stage.broker_pid)
    found = after.since(before, stage.events)
    if middle is not None and middle_done < stage.events and after.at > middle.at:
        found["second_half"] = after.since(middle, stage.events - middle_done)
    return {
        **found,
        "seconds": round(after.at - before.at, 3),
        "wall": round(after.at - first.launched, 3),
        "memory": after.memory,
    }


async def _first(workers: Sequence[Running]) -> float:
    """Wait for whoever begins first."""
    waiting: list[Awaitable[float]] = [asyncio.ensure_future(each.begun()) for each in workers]
    try:
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        return min(each.result() for each in done)
    finally:
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


def compiler(pid: int) -> float:
    """CPU seconds of the threads of a process that are Java's compilers; 0 without (Linux only)."""
    ticks = 0
    for task in Path(f"/proc/{pid}/task").glob("*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            _, name, rest = re.split(r"[()]", task.read_text(), maxsplit=2)
            if name.startswith(("C1 Compiler", "C2 Compiler")):
                ticks += sum(map(int, rest.split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _round(value: float) -> float:
    return round(value, 4)


def machine() -> float | None:
    """CPU seconds that all processes of this machine have used (Linux only)."""
    if sys.platform != "linux":
        return None
    told = list(map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]))
    user, nice, system, _, _, irq, softirq = told[:7]
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")
