"""The share of a worker's CPU time that scopes cost: `python tests/bench/scopes_share.py`.

README.md, beside this file, tells what is measured and how to read it.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))  # run as a script, from anywhere
sys.path.append(str(Path(__file__).parent))  # the other files of the benchmark, in a test too

import orjson
import pace
import probes
import rounds
import workload as events
from meters import spent, usage
from rich.console import Console
from rich.table import Table
from subject import Subject

from agents.cli.progress import Steps

_LOOK = 0.05
_PATIENCE = 600.0
_LAUNCHED = {
    "with": ("-m", "agents.cli", "worker"),
    "without": (str(Path(__file__).with_name("without_scopes.py")), "worker"),
}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    return pace.in_rounds(
        "scopes_share.py",
        "Runs the worker with scopes and without them over the same events in turns, until all "
        "that is due is in the figures, and compares their CPU times. Starts an Apache Kafka of "
        "its own.",
    )


async def measure(
    options: argparse.Namespace, where: pace.Where, workload: str, steps: Steps
) -> dict[str, Any]:
    """Run a workload's rounds."""
    joins = sum(orjson.loads(e.value)["joins"] for e in events.records(workload, options.events))
    found: list[dict[str, float]] = []
    async with pace.filled(options, where, workload, steps) as (stage, _, _):
        for number in range(options.warm_up + options.rounds):
            cpu = {}
            for name in _LAUNCHED:
                steps.show(f"{workload}: round {number + 1 - options.warm_up}, {name} scopes", 0, 0)
                group = f"{name}-{number}"
                cpu[name] = await run(stage, group, name, joins)
                await rounds.forget(stage, group)
            if number >= options.warm_up:
                found.append(cpu)
    shares = [1 - cpu["without"] / cpu["with"] for cpu in found]
    return {
        "workload": workload,
        "events": options.events,
        "rounds": [{name: round(value, 3) for name, value in cpu.items()} for cpu in found],
        "cpu_per_million_with": round(median(cpu["with"] for cpu in found), 3),
        "cpu_per_million_without": round(median(cpu["without"] for cpu in found), 3),
        "share": {
            "min": round(min(shares), 3),
            "median": round(median(shares), 3),
            "max": round(max(shares), 3),
        },
    }


async def run(stage: rounds.Stage, group: str, name: str, joins: int) -> float:
    """Run one worker until all is done, and give its CPU seconds per million events.

    Args:
        stage: the workload.
        group: names the worker's state.
        name: with or without scopes.
        joins: of all events: once the world shows them, the scopes are done, too.
    """
    await rounds.create_topics(stage.settings(group))
    with tempfile.TemporaryDirectory(prefix="scopes-share-") as folder:
        worker = Subject(stage, group, Path(folder) / "worker.log", _LAUNCHED[name])
        try:
            await worker.start()
            await worker.first_restored()
            before = usage(worker.pid)
            async with asyncio.timeout(_PATIENCE):
                async with probes.committed(stage, group) as ask:
                    while await ask() < stage.events:
                        worker.check()
                        await asyncio.sleep(_LOOK)
                while name == "with":
                    world = await worker.document("/v1/scopes/world")
                    if world is not None and world["joins"] >= joins:
                        if world["joins"] > joins:
                            raise RuntimeError(f"the world shows {world}, {joins} joins were sent")
                        break
                    worker.check()
                    await asyncio.sleep(_LOOK)
            cpu = spent(before, usage(worker.pid))
        finally:
            await worker.kill()
    if cpu is None:
        raise SystemExit("CPU times of processes are told on Linux only")
    return cpu / stage.events * 1e6


def main(arguments: list[str] | None = None) -> None:
    """Run what the command line asks for."""
    options = parser().parse_args(arguments)
    chosen = events.WORKLOADS if options.broadcasts == "both" else (options.broadcasts,)
    with Steps() as steps, pace.broker(options, steps) as where:
        documents = [asyncio.run(measure(options, where, workload, steps)) for workload in chosen]
    console = Console()
    if options.json:
        console.print_json(rounds.dumped(documents))
        return
    table = Table(title=f"{options.events:,} events, {options.rounds} rounds", title_justify="left")
    for name in ("", "CPU s per million, with", "without", "share of scopes", "from", "to"):
        table.add_column(name, justify="right")
    for found in documents:
        share = found["share"]
        table.add_row(
            found["workload"],
            f"{found['cpu_per_million_with']:.1f}",
            f"{found['cpu_per_million_without']:.1f}",
            *(f"{share[name]:.0%}" for name in ("median", "min", "max")),
        )
    console.print(table)


if __name__ == "__main__":
    main()
