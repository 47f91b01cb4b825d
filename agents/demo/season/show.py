"""The season's show: 1.5 million records in, the leaderboard out."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from agents.demo.base import PATIENCE, Demo
from agents.demo.compare import compare
from agents.demo.errors import DemoError
from agents.demo.season import tables
from agents.demo.season.feed import SeasonSender, following
from agents.demo.season.generator import Season
from agents.demo.season.results import WORLD, reading
from agents.demo.season.totals import totals
from agents.demo.tables import published as published_figures

if TYPE_CHECKING:
    from agents.demo.console import DemoConsole, ProgressCallback
    from agents.demo.season.feed import Progress
    from agents.demo.season.results import Results
    from agents.demo.worker import WorkerProcess
    from streams.settings import Settings

#: Longer than the season: then it doesn't matter how far apart the partitions are read.
_HISTORY: Final = timedelta(days=400)
_MAX_LISTED: Final = 10
_MIB: Final = 1024 * 1024


async def run(
    settings: Settings,
    *,
    once: bool = False,
    brokers: str | None = None,
    keep: bool = False,
    patience: float = PATIENCE,
    screen: DemoConsole | None = None,
    season: Season | None = None,
) -> int:
    """Replay a season through the whole system on this machine, and print the leaderboard.

    Args, result and errors are those of `Demo` and `Demo.run`, but that `patience` is for how long
    nothing at all may happen; and the season: None is the published one.
    """
    show = SeasonDemo(season or Season(), patience, screen)
    return await show.run(settings, once=once, brokers=brokers, keep=keep)


class Pace(NamedTuple):
    """How fast it went.

    Attributes:
        seconds: From the first record sent until the last one was in all figures.
        sent: Records.
        memory: The most memory that the worker had, in bytes; None if this system won't say.
    """

    seconds: float
    sent: int
    memory: int | None


class SeasonDemo(Demo):
    """A season of broadcasts."""

    # Its one and a half million minutes would make it half as slow again.
    fixed = {"scope_history": _HISTORY, "minutes": "off"}  # noqa: RUF012 - never changed, see the base

    def __init__(self, season: Season, patience: float, screen: DemoConsole | None) -> None:
        super().__init__(patience, screen)
        self._season = season

    async def play(self, settings: Settings, worker: WorkerProcess) -> None:
        """Send the season, wait until all of it is in the figures, and print these."""
        feed = SeasonSender(self._season)
        count = len(self._season.broadcasts)
        async with reading(settings, count) as results, following(settings) as progress:
            began = time.monotonic()
            with self.screen.step(f"replaying {count:,} broadcasts") as on_progress:
                sending = asyncio.create_task(feed.run(settings))
                try:
                    await self._wait(feed, sending, results, progress, worker, on_progress)
                finally:
                    sending.cancel()
                    # Its error, if it has one, was looked at above.
                    await asyncio.gather(sending, return_exceptions=True)
            seconds = time.monotonic() - began
        self._print_results(results, Pace(seconds, feed.sent, worker.peak_memory()))

    async def _wait(
        self,
        feed: SeasonSender,
        sending: asyncio.Task[None],
        results: Results,
        progress: Progress,
        worker: WorkerProcess,
        on_progress: ProgressCallback,
    ) -> None:
        """Wait until all that is sent is in the figures, and tell how far that is."""
        count = len(self._season.broadcasts)
        happened: tuple[int, ...] = ()
        happened_at = time.monotonic()
        while True:
            worker.check()
            if sending.done():
                sending.result()
            seen = results.seen
            await results.read()
            await progress.look()
            behind = max(0, feed.sent - progress.read)
            detail = f"{feed.date}, {progress.pace:,.0f}/s, {behind:,} behind"
            on_progress(results.ended, count, detail)
            # To add everything up takes a moment, so not before it is quiet.
            quiet = feed.all_sent and results.seen == seen
            if quiet and next(results.missing(feed.sent), None) is None:
                return
            so_far = (feed.sent, results.seen, progress.read)
            if so_far != happened:
                happened, happened_at = so_far, time.monotonic()
            elif time.monotonic() - happened_at > self.patience:
                examples = list(islice(results.missing(feed.sent), _MAX_LISTED))
                missing = "".join(f"\n  {line}" for line in examples)
                raise DemoError(
                    f"Nothing has happened for {self.patience:.0f} s, and not all that was sent is "
                    f"in the figures:{missing}\n{worker.last_log_lines()}"
                )

    def closing_lines(self) -> tuple[str, ...]:
        """Return what becomes of the figures while it stays up, line by line."""
        return (
            "Those of the scopes are at /v1/scopes and stay. The broadcasts are over, so a quarter",
            "of an hour from now they become final and leave the metrics and the API.",
        )

    def _print_results(self, results: Results, pace: Pace) -> None:
        """Print what came out, and judge it."""
        write = self.screen.print
        published = compare(results.broadcasts)
        whole = totals(results.scopes[WORLD], self._season)
        write()
        for table in (
            tables.world(results.scopes[WORLD], whole, self.screen),
            tables.broadcasts(results.broadcasts.values()),
            tables.scopes("venue", "Venues", results.scopes.values()),
            tables.scopes("platform", "Platforms", results.scopes.values()),
            published_figures(published, self.screen),
        ):
            write(table)
        write("All else is made up to fit (agents/demo/season/generator/README.md says how).")
        write()
        kept = sum(results.refused.values())
        mark = self.screen.wrong if kept else self.screen.right
        write(
            f"{pace.sent:,} records in {pace.seconds:.1f} s: {pace.sent / pace.seconds:,.0f} a "
            f"second; {kept:,} refused, {results.refused['late']:,} of them late {mark}"
        )
        mark = self.screen.right
        write(f"All {len(results.scopes):,} scopes add up to what their broadcasts say {mark}")
        if pace.memory is not None:
            write(f"The worker had {pace.memory / _MIB:,.0f} MiB of memory at most.")
        came_out = [total.same for total in whole] + [figure.same for figure in published]
        wrong = came_out.count(False)
        if wrong:
            write(f"{wrong} of {len(came_out)} published figures did not come out.")
        else:
            write(f"All {len(came_out)} published figures came out.")
        self.code = int(bool(wrong or kept))
