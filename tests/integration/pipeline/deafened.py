"""A worker of which SIGUSR1 begins to kill the viewer events' fetch tasks, or ends that."""

import asyncio
import signal

import mode

from agents import logs
from agents.app import create_app
from agents.worker import Worker
from streams.settings import load


class Killing(mode.Service):
    """While it is on, each task by which aiokafka fetches for a source dies as it begins."""

    def __init__(self, source):
        self._source = source
        self._is_on = False
        super().__init__()

    async def on_start(self):
        # (Not sooner: mode has handlers of its own.)
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._toggle)

    def _toggle(self):
        self._is_on = not self._is_on

    @mode.Service.task
    async def _kill(self):
        while not self.should_stop:
            await self.sleep(0.02)
            session = self._source._session
            fetcher = session and session.consumer and session.consumer._fetcher
            if self._is_on and fetcher is not None:
                fetcher._fetch_task.cancel()


if __name__ == "__main__":
    settings = load().settings
    logs.configure(settings)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    app = create_app(settings)
    app.services.append(Killing(app.sources[0]))
    Worker(app, loop=loop, loglevel="INFO").execute_from_commandline()
