"""Programs that tests start, hurt and end, with what they say."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import psutil
from forking import fork

ROOT = Path(__file__).parents[1]


class Process:
    """One program, with its lines.

    Args:
        command: What to run, and its arguments.
        env: Variables of its environment beside those of the tests.
        measured: Whether coverage is measured in it, where it is.
        forked: Whether it is a Python program that need not import anew what a worker needs.
    """

    def __init__(self, *command, env=None, measured=True, forked=False):
        self.command = command
        self.forked = forked
        self.env = {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}
        if not measured:
            # Measuring coverage makes a worker several times slower.
            for name in [name for name in self.env if name.startswith("COVERAGE_PROCESS")]:
                del self.env[name]
        self.lines = []
        self.process = None

    async def start(self):
        # (Of what is forked nothing is measured: it was loaded before.)
        if self.forked and not any(name.startswith("COVERAGE_PROCESS") for name in self.env):
            interpreter, *arguments = self.command
            assert interpreter == sys.executable
            self.process = await fork(arguments, self.env)
        else:
            self.process = await asyncio.create_subprocess_exec(
                *self.command,
                env=self.env,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                limit=2**24,
            )
        self.reader = asyncio.create_task(self._read())
        return self

    async def _read(self):
        async for line in self.process.stdout:
            self.lines.append(line.decode(errors="replace").rstrip())

    @property
    def running(self):
        return self.process.returncode is None

    def signal(self, number):
        if self.running:
            self.process.send_signal(number)

    async def kill(self):
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGKILL)
        return await self.ended()

    async def stop(self, seconds=20):
        self.signal(signal.SIGTERM)
        return await self.ended(seconds)

    async def ended(self, seconds=20):
        try:
            code = await asyncio.wait_for(self.process.wait(), seconds)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
            await self.reader
            raise AssertionError("it did not end:\n" + self.tail()) from None
        await self.reader
        return code

    def tail(self, count=40):
        return "\n".join(self.lines[-count:])

    async def says(self, text, seconds=30):
        end = time.monotonic() + seconds
        while not any(text in line for line in self.lines):
            assert self.running, self.tail()
            assert time.monotonic() < end, f"it did not say {text!r}:\n{self.tail()}"
            await asyncio.sleep(0.05)


def processes_in(folder):
    """The ids of the processes that run in a folder or below it."""
    found = []
    for process in psutil.process_iter():
        try:
            place = Path(process.cwd()).resolve()
        except (psutil.Error, OSError):
            continue  # it has ended meanwhile, or is another user's
        if place.is_relative_to(folder):
            found.append(process.pid)
    return found
