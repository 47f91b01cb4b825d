"""The museums' show: the demo's records, and what came out of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from agents.demo import tables
from agents.demo.base import PATIENCE, Demo
from agents.demo.compare import compare
from agents.demo.errors import DemoError
from agents.demo.input import accepted, events, refused, right
from agents.demo.results import reading
from agents.demo.sending import send

if TYPE_CHECKING:
    from agents.demo.console import DemoConsole
    from agents.demo.results import Results
    from agents.demo.worker import WorkerProcess
    from streams.settings import Settings


async def run(
    settings: Settings,
    *,
    once: bool = False,
    brokers: str | None = None,
    keep: bool = False,
    patience: float = PATIENCE,
    screen: DemoConsole | None = None,
) -> int:
    """Show the whole system on this machine on the museums' broadcasts and a real trace.

    Args, result and errors are those of `Demo` and `Demo.run`.
    """
    return await MuseumsDemo(patience, screen).run(settings, once=once, brokers=brokers, keep=keep)


class MuseumsDemo(Demo):
    """The museums' broadcasts of 2020 and a real trace."""

    async def play(self, settings: Settings, worker: WorkerProcess) -> None:
        """Send the records, wait for the summaries, and print them beside what was published."""
        async with reading(settings) as results:
            await self._send(settings)
            await self._wait(results, worker)
        self._print_results(results)

    def closing_lines(self) -> tuple[str, ...]:
        """Return what becomes of the figures while it stays up, line by line."""
        return (
            "Its broadcasts are over, so a quarter of an hour from now they become final and",
            "leave the metrics and the API; their summaries stay.",
        )

    async def _send(self, settings: Settings) -> None:
        total = sum(accepted().values()) + sum(refused().values())
        with self.screen.step(
            f"sending {total:,} records of {len(right())} broadcasts"
        ) as on_progress:
            await send(settings, events(), lambda done: on_progress(done, total))

    async def _wait(self, results: Results, worker: WorkerProcess) -> None:
        """Wait until all that was sent is in the figures."""
        broadcasts = len(right())
        try:
            with self.screen.step(
                f"waiting for the summaries of {broadcasts} broadcasts"
            ) as on_progress:
                async with asyncio.timeout(self.patience):
                    while not results.complete:
                        worker.check()
                        await results.read()
                        on_progress(results.ended, broadcasts)
        except TimeoutError:
            self._print_results(results)
            missing = "".join(f"\n  {line}" for line in results.missing())
            raise DemoError(
                f"After {self.patience:.0f} s not all that was sent is in the figures:{missing}\n"
                f"{worker.last_log_lines()}"
            ) from None

    def _print_results(self, results: Results) -> None:
        """Print what came out, and judge it."""
        comparisons = compare(results.broadcasts)
        write = self.screen.print
        write()
        write(tables.figures(results.broadcasts, self.screen))
        write(tables.published(comparisons, self.screen))
        write("All else of the museums is made up to fit (agents/demo/data/README.md says what);")
        write("the trace of sgdq-2018 is real.")
        write()
        write(tables.refusals(results, self.screen))
        counted = sum(summary.events for summary in results.broadcasts.values())
        kept = sum(results.refused.values())
        sent = sum(accepted().values()) + sum(refused().values())
        mark = self.screen.right if counted + kept == sent else self.screen.wrong
        write(f"{sent:,} records sent = {counted:,} in the figures + {kept:,} refused {mark}")
        wrong = [comparison for comparison in comparisons if not comparison.same]
        if wrong:
            write(f"{len(wrong)} of {len(comparisons)} published figures did not come out.")
        else:
            write(f"All {len(comparisons)} published figures came out.")
        self.code = int(bool(wrong) or not results.complete)
