"""The show in real time: a broadcast falls silent, and the alert about that fires and resolves."""

from __future__ import annotations

import asyncio
import shutil
import time
from contextlib import AsyncExitStack, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from agents.demo.base import PATIENCE, Demo
from agents.demo.museums import museums
from agents.demo.observe import programs
from agents.demo.observe.notifications import follow, receiving
from agents.demo.observe.scenario import Scenario, send, silent_museum
from agents.demo.observe.timeline import SCALE, Timeline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agents.demo.console import DemoConsole
    from agents.demo.observe.programs import Program, Programs
    from agents.demo.worker import WorkerProcess
    from streams.settings import Settings

_LOOK_EVERY: Final = 0.2
_ALERT: Final = "BroadcastSilent"


async def run(
    settings: Settings,
    *,
    once: bool = False,
    brokers: str | None = None,
    keep: bool = False,
    patience: float = PATIENCE,
    screen: DemoConsole | None = None,
    scale: float = SCALE,
) -> int:
    """Show the museums' evening in real time, watched by a Prometheus and an Alertmanager.

    Args, result and errors are those of `Demo` and `Demo.run`, but that with `once` it is done when
    the alert has fired and resolved, and `patience` is also how much later than planned that may
    be; and the scale: the factor of all durations of the rules.

    Raises:
        DemoError: Prometheus or Alertmanager is not installed; it says how to get them.
    """
    found = programs.find()
    show = ObserveDemo(found, Timeline.scaled(scale), patience, screen, once=once)
    return await show.run(settings, once=once, brokers=brokers, keep=keep)


class ObserveDemo(Demo):
    """The museums' evening in real time."""

    # The rules rely on it.
    fixed = {"stale": timedelta(minutes=5)}  # noqa: RUF012 - never changed, as the base says

    def __init__(
        self,
        found: Programs,
        plan: Timeline,
        patience: float,
        screen: DemoConsole | None,
        *,
        once: bool,
    ) -> None:
        super().__init__(patience, screen)
        self._found = found
        self._plan = plan
        self._once = once
        self._notified: list[str] = []
        self._gone = False

    async def play(self, settings: Settings, worker: WorkerProcess) -> None:
        """Start all that watches, send the evening, and tell which alerts fire and resolve.

        It stays until Ctrl-C or, with `once`, until the alert has fired and resolved, or should
        have.
        """
        plan = self._plan
        async with AsyncExitStack() as stack:
            folder = stack.enter_context(_folder(settings))
            receiver = await stack.enter_async_context(receiving(self._on_notification))
            with self.screen.step("starting Alertmanager and Prometheus"):
                manager = await stack.enter_async_context(
                    programs.alertmanager(self._found.alertmanager, folder, plan.timing, receiver)
                )
                prometheus = await stack.enter_async_context(
                    programs.prometheus(
                        self._found.prometheus,
                        folder,
                        plan.timing,
                        urlsplit(worker.url).netloc,
                        urlsplit(manager.url).netloc,
                    )
                )
            alerts_page = await prometheus.alerts_page()
            began = time.time()
            evening = Scenario(plan, began)
            self._print_timeline(worker, alerts_page, manager, began)
            tasks = [
                asyncio.create_task(send(settings, evening, plan.every, self._on_turn)),
                asyncio.create_task(follow(manager.url, self._on_fired, self._on_resolved)),
            ]
            try:
                await self._watch(worker, (prometheus, manager), tasks, began)
            finally:
                for task in tasks:
                    task.cancel()
                # Their errors, if they have any, were looked at above.
                await asyncio.gather(*tasks, return_exceptions=True)

    def closing_lines(self) -> tuple[str, ...]:
        """Return nothing: where all is was told before."""
        return ()

    async def _watch(
        self,
        worker: WorkerProcess,
        watching: tuple[Program, ...],
        tasks: list[asyncio.Task[None]],
        began: float,
    ) -> None:
        deadline = began + self._plan.resolves + self.patience
        while not (self._once and self._done):
            worker.check()
            for program in watching:
                program.check()
            for task in tasks:
                if task.done():
                    task.result()
            if self._done:
                self.code = 0
            elif self._once and time.time() > deadline:
                notified = ", then ".join(self._notified) or "nothing"
                self._say(f"{_ALERT} should have fired and resolved by now; told was: {notified}.")
                return
            await asyncio.sleep(_LOOK_EVERY)
        self.code = 0
        self._say(f"{_ALERT} has fired and resolved {self.screen.right}")

    @property
    def _done(self) -> bool:
        # Alertmanager may notify of the end before it is next asked, and shows it all the same.
        return self._gone and self._notified[:2] == ["firing", "resolved"]

    def _on_turn(self, quiet: bool) -> None:
        name = silent_museum().key.decode()
        if quiet:
            self._say(f"{name} falls silent: no more events, though it has not ended")
        else:
            self._say(f"{name} is there again")

    def _on_fired(self, alert: dict[str, Any]) -> None:
        labels, texts = alert["labels"], alert["annotations"]
        self._say(f"FIRING {labels['alertname']} ({labels['severity']}): {texts['summary']}")
        self._say(f"       {texts['description']} See {texts['runbook_url']}")

    def _on_resolved(self, alert: dict[str, Any]) -> None:
        self._say(f"RESOLVED {alert['labels']['alertname']}: {alert['annotations']['summary']}")
        self._gone = self._gone or _is_awaited(alert["labels"])

    def _on_notification(self, _: str, body: Any) -> None:
        for alert in body["alerts"]:
            labels, status = alert["labels"], alert["status"]
            self._say(f"notification: {labels['alertname']} is {status}")
            if (
                _is_awaited(labels)
                # It tells again what still holds when another of its group is told.
                and self._notified[-1:] != [status]
            ):
                self._notified.append(status)

    def _say(self, what: str) -> None:
        self.screen.print(f"{time.strftime('%H:%M:%S')}  {what}")

    def _print_timeline(
        self, worker: WorkerProcess, alerts_page: str, manager: Program, began: float
    ) -> None:
        plan, write = self._plan, self.screen.print
        write()
        write(f"Prometheus    {alerts_page}")
        # Debian's has no pages of its own, its API is everywhere.
        write(f"Alertmanager  {manager.url} (alerts: {manager.url}/api/v2/alerts)")
        write(f"metrics       {worker.url}/metrics")
        write(f"API           {worker.url}/v1/broadcasts")
        write()
        write(f"{len(museums())} museums' broadcasts of 2020 begin now and go on in real time. The")
        write(f"rules are those of production, {1 / plan.scale:g} times as fast. What will happen:")
        name = silent_museum().key.decode()
        for after, what in (
            (plan.quiet_after, f"{name} falls silent, without having ended"),
            (plan.fires, f"{_ALERT} fires for it"),
            (plan.comes_back, "it is there again"),
            (plan.resolves, "the alert is resolved"),
        ):
            clock = time.strftime("%H:%M:%S", time.localtime(began + after))
            write(f"  in {_minutes(after)}, at {clock}: {what}")
        if not self._once:
            write(f"and so again every {_minutes(plan.quiet_every)}, until Ctrl-C.")
        write()


def _is_awaited(labels: dict[str, str]) -> bool:
    """Whether an alert is the one that the show is about."""
    silent = silent_museum()
    named = (labels["alertname"], labels.get("platform"), labels.get("broadcast"))
    return named == (_ALERT, silent.platform, silent.broadcast)


@contextmanager
def _folder(settings: Settings) -> Iterator[Path]:
    """A folder for what this run's programs keep; gone at its end."""
    folder = settings.data.absolute() / "demo" / "observe" / settings.group
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
