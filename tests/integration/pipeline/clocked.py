"""A worker whose clock is a file: it holds the wall clock's and a monotonic clock's seconds.

CLOCK names it.
"""

import asyncio
import os
from pathlib import Path

from agents import logs
from agents.app import create_app
from agents.worker import Worker
from streams.settings import load


class FileClock:
    """Tells what the file holds."""

    def __init__(self, path):
        self._path = path

    def time(self):
        return float(self._path.read_text().split()[0])

    def monotonic(self):
        return float(self._path.read_text().split()[1])


if __name__ == "__main__":
    settings = load().settings
    logs.configure(settings)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    app = create_app(settings, FileClock(Path(os.environ["CLOCK"])))
    Worker(app, loop=loop, loglevel="INFO").execute_from_commandline()
