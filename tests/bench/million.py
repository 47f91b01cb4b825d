"""A million live broadcasts on one worker: `python tests/bench/million.py`.

README.md, beside this file, tells what is measured and how to read it.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))  # run as a script, from anywhere
sys.path.append(str(Path(__file__).parent))  # the other files of the benchmark, in a test too

import fleet as fleets
import probes
import rounds
from meters import load, spent, usage
from rich.console import Console
from rounds import Stage
from subject import Subject
from table import show

from agents.broker import Broker
from agents.cli.progress import Steps
from streams.settings import Settings
from streams.topics import Topics

_GROUP = "million"
_PATIENCE = 900.0
_LOOK = 0.05


def parser() -> argparse.ArgumentParser:
    """The command line."""
    options = argparse.ArgumentParser(
        prog="million.py",
        description="One worker with very many live broadcasts, one event a minute each: pace, "
        "memory, restore after kill -9, scrapes, and the time from produce to metric. Starts an "
        "Apache Kafka of its own.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = options.add_argument
    add("--broadcasts", type=int, default=1_000_000, help="live at a time")
    add("--venues", type=int, default=10_000, help="over which they are spread")
    add("--minutes", type=int, default=3, help="minutes of the backlog, one event a broadcast each")
    add("--partitions", type=int, default=4, help="partitions of the events")
    add("--seconds-real-time", type=float, default=60, help="how long events come as they are due")
    add("--brokers", help="a broker that runs already, instead of one of its own")
    add("--json", action="store_true", help="print the figures as JSON")
    return options


class Run:
    """One run: what it measures, step by step.

    Args:
        options: of the command line.
        stage: where the events are.
        steps: shows how far it is.
        folder: for the worker's log.
    """

    def __init__(
        self, options: argparse.Namespace, stage: Stage, steps: Steps, folder: Path
    ) -> None:
        self._options = options
        self._stage = stage
        self._steps = steps
        self._log = folder / "worker.log"
        self._topics = Topics.of(stage.settings(_GROUP))
        self._joins = 0
        self._needed = options.broadcasts / 60  # events a second in real time

    async def measure(self) -> dict[str, Any]:
        """Do all of it, and give the figures."""
        options = self._options
        found: dict[str, Any] = {
            "broadcasts": options.broadcasts,
            "venues": options.venues,
            "minutes": options.minutes,
            "partitions": options.partitions,
            "load_before": round(load(), 2),
        }
        await rounds.create_topics(self._stage.settings(_GROUP))
        worker = Subject(self._stage, _GROUP, self._log)
        try:
            await self._fill(found)
            await worker.start()
            found["backlog"] = await self._backlog(worker)
            found["scrape"] = await probes.scrapes(worker, self._show)
            found["memory"] = usage(worker.pid).memory
            await worker.kill()
            worker = Subject(self._stage, _GROUP, self._log)
            self._show("killed; starting again")
            await worker.start()
            restore = asdict(await worker.ready())
            found["restore"] = {name: round(value, 3) for name, value in restore.items()}
            found["real_time"] = await self._real_time(worker)
            found["memory_after_restore"] = usage(worker.pid).memory
        except BaseException:
            print("as far as it came:", json.dumps(found), file=sys.stderr)
            raise
        finally:
            if worker.began:
                await worker.kill()
            await rounds.delete(self._stage.brokers, self._topics)
        return found

    def _show(self, what: str, done: int = 0, of: int = 0) -> None:
        self._steps.show(what, done, of)

    async def _fill(self, found: dict[str, Any]) -> None:
        options = self._options
        count = options.broadcasts * options.minutes
        self._show(f"making {options.broadcasts:,} broadcasts")
        fleet = fleets.Fleet(options.broadcasts, options.venues, options.partitions)
        filling = await fleets.fill(
            fleet,
            self._stage.brokers,
            self._topics.events.name,
            options.minutes,
            lambda done, of: self._show(f"writing {count:,} events", done, of),
        )
        self._joins = filling.joins
        found["events"] = count
        found["bytes"] = round(filling.bytes / count, 1)

    async def _backlog(self, worker: Subject) -> dict[str, Any]:
        """Wait until what was there at the start is in the figures, of the scopes too."""
        stage, total = self._stage, self._stage.events
        began = await worker.first_restored()
        before, broker = usage(worker.pid), usage(stage.broker_pid)
        async with probes.committed(stage, _GROUP) as ask:
            while (done := await ask()) < total:
                worker.check()
                self._show("backlog", done, total)
                await asyncio.sleep(_LOOK)
        wall = time.time() - began
        after, broker_after = usage(worker.pid), usage(stage.broker_pid)
        scopes = await self._scopes_done(worker) - began
        pace = total / wall
        cpu, broker_cpu = spent(before, after), spent(broker, broker_after)
        return {
            "events_per_second": round(pace),
            "seconds": round(wall, 2),
            "times_real_time": round(pace / self._needed, 2),
            "seconds_with_scopes": round(scopes, 2),
            "times_real_time_with_scopes": round(total / scopes / self._needed, 2),
            "cpu_per_million": None if cpu is None else round(cpu / total * 1e6, 2),
            "broker_cpu_per_million": None
            if broker_cpu is None
            else round(broker_cpu / total * 1e6, 2),
        }

    async def _scopes_done(self, worker: Subject) -> float:
        """Wait until the world has all that was sent, and say when that was seen."""

        async def joins() -> int:
            world = await worker.document("/v1/scopes/world")
            return world["joins"] if world else 0

        await self._until(worker, joins, lambda found: found >= self._joins, "scopes")
        world = await worker.document("/v1/scopes/world")
        now = time.time()
        if world is None or world["joins"] != self._joins:
            raise RuntimeError(f"the world shows {world}, where {self._joins:,} joins were sent")
        return now

    async def _until(
        self,
        worker: Subject,
        ask: Callable[[], Awaitable[int]],
        enough: Callable[[int], bool],
        what: str,
    ) -> None:
        async with asyncio.timeout(_PATIENCE):
            while not enough(found := await ask()):
                worker.check()
                self._show(what, found, self._joins)
                await asyncio.sleep(_LOOK)

    async def _real_time(self, worker: Subject) -> dict[str, Any]:
        """Let the events come as they are due, and measure from produce to metric."""
        options, stage = self._options, self._stage
        topic = self._topics.events.name
        self._show("starting the sender")
        sender = await asyncio.create_subprocess_exec(
            sys.executable,
            str(Path(__file__).with_name("fleet.py")),
            *(stage.brokers, topic, str(stage.partitions), str(options.broadcasts)),
            *(str(options.venues), str(options.seconds_real_time)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert sender.stdin is not None
        assert sender.stdout is not None
        try:
            await sender.stdout.readline()  # it is ready
            before, broker = usage(worker.pid), usage(stage.broker_pid)
            began = time.time()
            sender.stdin.write(b"go\n")

            async def all_sent() -> tuple[bytes, float]:
                # The probe waits for what is behind; the sender's end is not its end.
                return await sender.stdout.readline(), time.time()

            (line, ended), probe, scraped = await asyncio.gather(
                all_sent(),
                probes.latency(worker, stage, topic, options.seconds_real_time, self._show),
                probes.scrapes_now_and_then(worker, options.seconds_real_time),
            )
            after, broker_after = usage(worker.pid), usage(stage.broker_pid)
            watched = time.time() - began
            if not line:
                raise RuntimeError("the sender has failed; what it said stands above")
            sent = json.loads(line)
            await sender.wait()
        finally:
            if sender.returncode is None:
                sender.kill()
                await sender.wait()
        self._joins += sent["joins"]
        scopes = await self._scopes_done(worker) - ended
        cpu, broker_cpu = spent(before, after), spent(broker, broker_after)
        return {
            "seconds": options.seconds_real_time,
            "seconds_watched": round(watched, 2),
            "events": sent["sent"],
            "events_per_second": round(sent["sent"] / sent["seconds"]),
            "longest_send": round(sent["latest"], 3),
            "produce_to_metric": probe,
            "scrape": scraped,
            "scopes_behind_at_end": round(scopes, 2),
            "cpu": None if cpu is None else round(cpu, 2),
            "broker_cpu": None if broker_cpu is None else round(broker_cpu, 2),
        }


def main(arguments: list[str] | None = None) -> None:
    """Run what the command line asks for."""
    # However it is told to end, what it has started ends with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = parser().parse_args(arguments)
    with (
        Steps() as steps,
        tempfile.TemporaryDirectory(prefix="million-", ignore_cleanup_errors=True) as folder,
    ):
        if options.brokers:
            found = _run(options, options.brokers, None, steps, Path(folder))
        else:
            with Broker(
                Path(folder) / "broker", heap="1g", full_compiler=True, progress=steps.show
            ) as ours:
                found = _run(options, ours.bootstrap, ours.pid, steps, Path(folder))
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        show(Console(), found)


def _run(
    options: argparse.Namespace, brokers: str, pid: int | None, steps: Steps, folder: Path
) -> dict[str, Any]:
    defaults = Settings.model_fields
    stage = Stage(
        brokers=brokers,
        broker_pid=pid,
        prefix=f"million-{os.getpid()}.",
        partitions=options.partitions,
        events=options.broadcasts * options.minutes,
        batch=defaults["batch_records"].default,
        fetch_bytes=defaults["fetch_bytes"].default,
    )
    return asyncio.run(Run(options, stage, steps, folder).measure())


if __name__ == "__main__":
    main()
