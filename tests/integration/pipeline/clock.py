"""A worker by a clock that the test moves."""

import contextlib
import sys
from pathlib import Path

from processes import Process

PROGRAM = str(Path(__file__).with_name("clocked.py"))


class Clock:
    """A clock in a file that workers read: the wall clock's time, and the monotonic one's.

    Args:
        path: The file.
        now: The wall clock's time at first, in seconds.
    """

    def __init__(self, path, now=1_000_000.0):
        self.path = path
        self.now = now
        self.passed = 0.0
        self.advance(0)

    def advance(self, seconds):
        self.passed += seconds
        self.step(seconds)

    def step(self, seconds):
        """Set the wall clock, while no time passes."""
        self.now += seconds
        other = self.path.with_suffix(".new")
        other.write_text(f"{self.now} {self.passed}")
        other.replace(self.path)


@contextlib.asynccontextmanager
async def worker_with(system, clock):
    """A worker by the given clock."""
    env = {f"AUDIENCE_{name.upper()}": value for name, value in system.given.items()}
    env["CLOCK"] = str(clock.path)
    worker = await Process(sys.executable, PROGRAM, env=env, forked=True).start()
    system.workers.append(worker)
    await worker.says('"restored"')
    yield worker
    assert await worker.stop() == 0, worker.tail()
