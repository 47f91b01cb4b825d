"""The show: a broker, a worker, the demo's records, and what came out of them."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from agents.demo import stage, tables
from agents.demo.compare import compare
from agents.demo.errors import DemoError
from agents.demo.input import accepted, events, refused, right
from agents.demo.results import reading
from agents.demo.screen import Screen
from agents.demo.sending import send
from agents.demo.stopping import stopping
from agents.demo.worker import running

if TYPE_CHECKING:
    from agents.demo.results import Results
    from agents.demo.worker import Worker
    from streams.settings import Settings

_PATIENCE: Final = 120.0


async def run(
    settings: Settings,
    *,
    once: bool = False,
    brokers: str | None = None,
    keep: bool = False,
    patience: float = _PATIENCE,
    screen: Screen | None = None,
) -> int:
    """Show the whole system on this machine, until Ctrl-C or, with `once`, until it is done.

    Args:
        settings: The settings in force; the demo sets what its figures rest on by itself.
        once: Stop when the figures are there.
        brokers: Brokers to use, `host:port` with commas; None starts an Apache Kafka of its own,
            with its data in the settings' data folder.
        keep: Leave the topics of this run at its end; else they are deleted.
        patience: How long to wait for the worker and for the figures, in seconds each.
        screen: Where to say what is being done; None is standard output.

    Returns:
        The exit code: 0 if every published figure came out and nothing is missing, 1 if not, or if
        it was stopped before that was known.

    Raises:
        LiveAudienceError: The demo could not go on; with the worker's last words if it was that.
    """
    show = _Show(screen or Screen(), patience)
    with stopping() as stop:
        try:
            await show.run(settings, once=once, brokers=brokers, keep=keep)
        except asyncio.CancelledError:
            if not stop.asked:
                raise
            show.screen.say("Stopped. Nothing of it is left running.")
    return show.code


class _Show:
    """One run of the demo.

    Attributes:
        screen: Where it says what is being done.
        code: The exit code so far.
    """

    def __init__(self, screen: Screen, patience: float) -> None:
        self.screen = screen
        self.code = 1
        self._patience = patience
        self._began = time.monotonic()

    async def run(self, settings: Settings, *, once: bool, brokers: str | None, keep: bool) -> None:
        """Run it; whatever it started is gone when this returns or raises."""
        mine = stage.settings_for(settings, brokers)
        mine.data.joinpath("demo").mkdir(parents=True, exist_ok=True)
        async with AsyncExitStack() as stack:
            if brokers is None:
                mine = await stack.enter_async_context(stage.broker(mine, self.screen))
            else:
                self.screen.say(f"Using the brokers {brokers}; all topics are named")
                self.screen.say(f"{mine.topic_prefix}*, the group {mine.group}.")
            await stack.enter_async_context(stage.topics(mine, self.screen, keep=keep))
            worker = await stack.enter_async_context(running(mine, mine.data / "demo"))
            results = await stack.enter_async_context(reading(mine))
            with self.screen.step("starting a worker"):
                await worker.ready(self._patience)
            await self._send(mine)
            await self._wait(results, worker)
            self._tell(results)
            self.screen.say(f"All of it took {time.monotonic() - self._began:.1f} s.")
            if once:
                return
            self._tell_where(mine, worker)
            await worker.ended()
            worker.check()

    async def _send(self, settings: Settings) -> None:
        total = sum(accepted().values()) + sum(refused().values())
        with self.screen.step(f"sending {total:,} records of {len(right())} broadcasts") as tell:
            await send(settings, events(), lambda done: tell(done, total))

    async def _wait(self, results: Results, worker: Worker) -> None:
        """Wait until all that was sent is in the figures."""
        broadcasts = len(right())
        try:
            with self.screen.step(f"waiting for the summaries of {broadcasts} broadcasts") as tell:
                async with asyncio.timeout(self._patience):
                    while not results.complete:
                        worker.check()
                        await results.read()
                        tell(results.ended, broadcasts)
        except TimeoutError:
            self._tell(results)
            missing = "".join(f"\n  {line}" for line in results.missing())
            raise DemoError(
                f"After {self._patience:.0f} s not all that was sent is in the figures:{missing}\n"
                f"{worker.last_words()}"
            ) from None

    def _tell(self, results: Results) -> None:
        """Print what came out, and judge it."""
        comparisons = compare(results.broadcasts)
        say = self.screen.say
        say()
        say(tables.figures(results.broadcasts, self.screen))
        say(tables.published(comparisons, self.screen))
        say("All else of the museums is made up to fit (agents/demo/data/README.md says what);")
        say("the trace of sgdq-2018 is real.")
        say()
        say(tables.refusals(results, self.screen))
        counted = sum(summary.events for summary in results.broadcasts.values())
        kept = sum(results.refused.values())
        sent = sum(accepted().values()) + sum(refused().values())
        mark = self.screen.right if counted + kept == sent else self.screen.wrong
        say(f"{sent:,} records sent = {counted:,} in the figures + {kept:,} refused {mark}")
        wrong = [comparison for comparison in comparisons if not comparison.same]
        if wrong:
            say(f"{len(wrong)} of {len(comparisons)} published figures did not come out.")
        else:
            say(f"All {len(comparisons)} published figures came out.")
        self.code = int(bool(wrong) or not results.complete)

    def _tell_where(self, settings: Settings, worker: Worker) -> None:
        say = self.screen.say
        say()
        say("It stays up until Ctrl-C.")
        say(f"The figures are at {worker.url}/v1/broadcasts, the metrics at {worker.url}/metrics.")
        say(f"Kafka answers at {','.join(settings.brokers)}; the summaries are in the topic")
        say(f"{settings.topic_prefix}broadcast-summaries. The worker logs to {worker.log}.")
        say("Its broadcasts are over, so a quarter of an hour from now they become final and")
        say("leave the metrics and the API; their summaries stay.")
