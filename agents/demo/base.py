"""What each show of the demo runs on: a broker, topics, a worker; and its orderly end."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final

from agents.demo import setup
from agents.demo.console import DemoConsole
from agents.demo.stopping import stopping
from agents.demo.worker import running

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agents.demo.worker import WorkerProcess
    from streams.settings import Settings

PATIENCE: Final = 120.0


class Demo(ABC):
    """One run of the demo.

    Args:
        patience: How long to wait for the worker and for the figures, in seconds each.
        screen: Where to say what is being done; None is standard output.

    Attributes:
        code: The exit code so far.
    """

    #: What its figures rest on, beside what those of each show do.
    fixed: Mapping[str, Any] = {}

    def __init__(self, patience: float, screen: DemoConsole | None) -> None:
        self.screen = screen or DemoConsole()
        self.patience = patience
        self.code = 1

    async def run(self, settings: Settings, *, once: bool, brokers: str | None, keep: bool) -> int:
        """Show it, until Ctrl-C or, with `once`, until it is done.

        Args:
            settings: The settings in force; the demo sets what its figures rest on by itself.
            once: Stop when the figures are there.
            brokers: Brokers to use, `host:port` with commas; None starts an Apache Kafka of its
                own, with its data in the settings' data folder.
            keep: Leave the topics of this run at its end; else they are deleted.

        Returns:
            The exit code: 0 if every published figure came out and nothing is missing, 1 if not, or
            if it was stopped before that was known.

        Raises:
            LiveAudienceError: It could not go on; with the worker's last words if it was that.
        """
        with stopping() as stop:
            try:
                await self._run(settings, once=once, brokers=brokers, keep=keep)
            except asyncio.CancelledError:
                if not stop.asked:
                    raise
                self.screen.print("Stopped. Nothing of it is left running.")
        return self.code

    @abstractmethod
    async def play(self, settings: Settings, worker: WorkerProcess) -> None:
        """Send, wait for what comes of it, print that, and set `code`."""

    @abstractmethod
    def closing_lines(self) -> tuple[str, ...]:
        """Return what becomes of the figures while it stays up, line by line."""

    async def _run(
        self, settings: Settings, *, once: bool, brokers: str | None, keep: bool
    ) -> None:
        """Run it; whatever it started is gone when this returns or raises."""
        began = time.monotonic()
        mine = setup.settings_for(settings, brokers, self.fixed)
        mine.data.joinpath("demo").mkdir(parents=True, exist_ok=True)
        async with AsyncExitStack() as stack:
            if brokers is None:
                mine = await stack.enter_async_context(setup.broker(mine, self.screen))
            else:
                self.screen.print(f"Using the brokers {brokers}; all topics are named")
                self.screen.print(f"{mine.topic_prefix}*, the group {mine.group}.")
            await stack.enter_async_context(setup.topics(mine, self.screen, keep=keep))
            worker = await stack.enter_async_context(running(mine, mine.data / "demo"))
            with self.screen.step("starting a worker"):
                await worker.ready(self.patience)
            self.screen.print(f"The live board is at {worker.url}/")
            await self.play(mine, worker)
            self.screen.print(f"All of it took {time.monotonic() - began:.1f} s.")
            if once:
                return
            self._print_addresses(mine, worker)
            await worker.ended()
            worker.check()

    def _print_addresses(self, settings: Settings, worker: WorkerProcess) -> None:
        write = self.screen.print
        write()
        write("It stays up until Ctrl-C.")
        write(f"The board is at {worker.url}/, the figures are at {worker.url}/v1/broadcasts, the")
        write(f"metrics at {worker.url}/metrics.")
        write(f"Kafka answers at {','.join(settings.brokers)}; the summaries are in the topic")
        write(f"{settings.topic_prefix}broadcast-summaries. The worker logs to {worker.log}.")
        for line in self.closing_lines():
            write(line)
