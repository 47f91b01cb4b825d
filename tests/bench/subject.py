"""The worker that is looked at: a real one, started, listened to, asked over HTTP, and killed."""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
from rounds import ROOT, Stage

_ASK_EVERY = 0.05
_LIMIT = 600.0


@dataclass(frozen=True)
class Start:
    """How long a worker took to start; all in seconds from the start of its process.

    Attributes:
        answering: until its HTTP answered.
        restoring: until the group had given it its partitions, as far as can be told from outside:
            until its first partition was restored, less what that took.
        restored: until its last partition was restored.
        ready: until `/readyz` said 200.
        slowest: the longest time that a partition took to restore.
        rows: restored in all.
    """

    answering: float
    restoring: float
    restored: float
    ready: float
    slowest: float
    rows: int


class Subject:
    """A worker's process.

    Args:
        stage: where its events are.
        group: names its state.
        log: gets the lines that it logs.
        program: what Python is to run.
    """

    def __init__(
        self,
        stage: Stage,
        group: str,
        log: Path,
        program: Sequence[str] = ("-m", "agents.cli", "worker"),
    ) -> None:
        self._program = program
        self._stage = stage
        self._group = group
        self._log = log
        self._restored: dict[int, tuple[float, float, int]] = {}
        self._url = ""
        self._heard = asyncio.Event()
        self.began = 0.0

    async def start(self) -> None:
        """Start it and return when its HTTP answers."""
        self.began = time.time()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *self._program,
            cwd=ROOT,
            env=self._stage.environment(self._group),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            limit=2**24,
        )
        self._captured_logs = asyncio.create_task(self._listen())
        await self.until(lambda: bool(self._url))
        self.answering = time.time() - self.began
        self.http = aiohttp.ClientSession(self._url)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def ready(self) -> Start:
        """Wait until it is ready, and say how long that took."""
        while await self.status("/readyz") != 200:
            self.check()
            await asyncio.sleep(_ASK_EVERY)
        ready = time.time() - self.began
        await self.until(lambda: len(self._restored) == self._stage.partitions)
        told = self._restored.values()
        return Start(
            answering=self.answering,
            restoring=min(at - seconds for at, seconds, _ in told) - self.began,
            restored=max(at for at, _, _ in told) - self.began,
            ready=ready,
            slowest=max(seconds for _, seconds, _ in told),
            rows=sum(rows for _, _, rows in told),
        )

    async def first_restored(self) -> float:
        """Wait until records can be taken, and say when that was (seconds since 1970)."""
        await self.until(lambda: bool(self._restored))
        return min(at for at, _, _ in self._restored.values())

    async def status(self, path: str) -> int:
        """Ask for a path and give the status of the answer."""
        async with self.http.get(path) as answer:
            await answer.read()
            return answer.status

    async def document(self, path: str) -> dict[str, Any] | None:
        """Ask for a path and give its JSON; None where there is none."""
        async with self.http.get(path) as answer:
            found = await answer.json(content_type=None)
            return found if answer.status == 200 else None

    async def until(self, told: Callable[[], bool]) -> None:
        """Wait until what it logged tells something."""
        async with asyncio.timeout(_LIMIT):
            while not told():
                self.check()
                self._heard.clear()
                await self._heard.wait()

    def check(self) -> None:
        """Raise RuntimeError if it has ended."""
        if self._process.returncode is not None or self._captured_logs.done():
            raise RuntimeError("the worker has ended early:\n" + self._log.read_text()[-4000:])

    async def kill(self) -> None:
        """End it with SIGKILL."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._captured_logs
        if self._url:
            await self.http.close()

    async def _listen(self) -> None:
        with self._log.open("a") as log:
            async for line in self._process.stderr:
                log.write(line.decode(errors="replace"))
                log.flush()
                if line.startswith(b"{"):
                    self._hear(json.loads(line))
        self._heard.set()

    def _hear(self, said: dict[str, Any]) -> None:
        if said.get("event") == "restored":
            at = datetime.fromisoformat(said["timestamp"]).timestamp()
            self._restored[said["partition"]] = (at, said["seconds"], said["rows"])
        elif said.get("event") == "http server started":
            self._url = said["url"]
        self._heard.set()
