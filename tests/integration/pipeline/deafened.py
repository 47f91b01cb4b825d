"""A worker whose fetch tasks of the viewer events can be killed.

SIGUSR1 kills the one that runs; SIGUSR2 begins to kill each one as soon as it is there, or ends
that.
"""

import asyncio
import signal

from agents import logs
from agents.app import create_app
from agents.worker import Worker
from streams.settings import load


def kill(source):
    """Kill the task by which aiokafka fetches, if there is one."""
    fetcher = source._consumer and source._consumer._fetcher
    if fetcher is not None:
        fetcher._fetch_task.cancel()


class Killing:
    """Kills every fetch task of a source while it goes on."""

    def __init__(self, loop, source):
        self._loop, self._source = loop, source
        self._task = None

    def toggle(self):
        if self._task is None:
            self._task = self._loop.create_task(self._run())
        else:
            self._task.cancel()
            self._task = None

    async def _run(self):
        while True:
            kill(self._source)
            await asyncio.sleep(0.001)


if __name__ == "__main__":
    settings = load().settings
    logs.configure(settings)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    app = create_app(settings)
    source = app.sources[0]
    loop.add_signal_handler(signal.SIGUSR1, kill, source)
    loop.add_signal_handler(signal.SIGUSR2, Killing(loop, source).toggle)
    Worker(app, loop=loop, loglevel="INFO").execute_from_commandline()
