"""How fast a worker is, beside a bare loop that keeps nothing: `python tests/bench/pace.py`.

README.md, beside this file, tells what is measured and how to read it.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))  # run as a script, from anywhere
sys.path.append(str(Path(__file__).parent))  # the other files of the benchmark, in a test too

import hotspots
import report
import rounds
import workload as events
from meters import load
from rich.console import Console

from agents.broker import Broker
from agents.cli.progress import Steps
from streams.settings import Settings
from streams.topics import Topics

_BUSY = 1.0


@dataclass(frozen=True)
class Where:
    """The broker in use, and whose process it is; None for one that is not ours."""

    brokers: str
    pid: int | None


def parser() -> argparse.ArgumentParser:
    """The command line."""
    options = in_rounds(
        "pace.py",
        "Runs a bare aiokafka loop and the real worker over the same events in turns, and says "
        "how fast each was. Starts an Apache Kafka of its own.",
    )
    options.add_argument(
        "--profile",
        type=Path,
        metavar="FILE",
        help="instead of rounds, run the worker once under py-spy; FILE gets its stacks",
    )
    return options


def in_rounds(program: str, description: str) -> argparse.ArgumentParser:
    """The options of what is run over workloads, round by round."""
    defaults = Settings.model_fields
    options = argparse.ArgumentParser(
        prog=program,
        description=description,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = options.add_argument
    add("--events", type=int, default=400_000, help="events of a workload")
    add("--rounds", type=int, default=5, help="rounds that count, each of both contestants")
    add("--warm-up", type=int, default=1, help="rounds before them that do not count")
    add("--partitions", type=int, default=4, help="partitions of the events")
    add(
        "--broadcasts",
        choices=("both", *events.WORKLOADS),
        default="both",
        help="2,000 broadcasts, every event another one, or both in turn",
    )
    add(
        "--batch",
        type=int,
        default=defaults["batch_records"].default,
        help="most records of a batch, AUDIENCE_BATCH_RECORDS",
    )
    add("--brokers", help="a broker that runs already, instead of one of its own")
    add(
        "--full-compiler",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="let its own broker compile as one in production does",
    )
    add("--json", action="store_true", help="print the figures as JSON")
    return options


@contextlib.contextmanager
def broker(options: argparse.Namespace, steps: Steps) -> Iterator[Where]:
    """Start a broker if none is given."""
    if options.brokers:
        yield Where(options.brokers, None)
        return
    with (
        tempfile.TemporaryDirectory(prefix="pace-", ignore_cleanup_errors=True) as folder,
        Broker(
            Path(folder), heap="1g", full_compiler=options.full_compiler, progress=steps.show
        ) as ours,
    ):
        yield Where(ours.bootstrap, ours.pid)


@contextlib.asynccontextmanager
async def filled(
    options: argparse.Namespace, where: Where, workload: str, steps: Steps
) -> AsyncIterator[tuple[rounds.Stage, str, float]]:
    """Make a workload's topics and fill them; yields the stage, the topic, bytes an event."""
    stage = rounds.Stage(
        brokers=where.brokers,
        broker_pid=where.pid,
        prefix=f"pace-{os.getpid()}-{workload}.",
        partitions=options.partitions,
        events=options.events,
        batch=options.batch,
        fetch_bytes=Settings.model_fields["fetch_bytes"].default,
    )
    settings = stage.settings("fill")
    topics = Topics.of(settings)
    await rounds.create_topics(settings)
    steps.show(f"writing {options.events:,} events ({workload})", 0, 0)
    size = await events.fill(
        where.brokers, topics.events.name, options.partitions, workload, options.events
    )
    try:
        yield stage, topics.events.name, size
    finally:
        await rounds.delete(where.brokers, list(topics))


async def measure(
    options: argparse.Namespace, where: Where, workload: str, steps: Steps, console: Console
) -> dict[str, Any]:
    """Run a workload's rounds, and print its table."""
    async with filled(options, where, workload, steps) as (stage, topic, size):
        pairs: list[report.Pair] = []
        busy = load()
        for number in range(options.warm_up + options.rounds):
            counts = number >= options.warm_up
            group = f"round-{number}"
            name = f"round {number + 1 - options.warm_up}" if counts else "warm-up"
            steps.show(f"{workload}: {name}: bare loop", 0, 0)
            bare = await rounds.bare(stage, topic)
            steps.show(f"{workload}: {name}: worker", 0, 0)
            worker = await rounds.worker(stage, group)
            if not number:
                await check(stage, group)
            await rounds.forget(stage, group)
            if counts:
                pairs.append((bare, worker))
    facts = {
        "events": stage.events,
        "bytes": round(size, 1),
        "partitions": stage.partitions,
        "batch": stage.batch,
        "load_before": round(busy, 2),
    }
    if not options.json:
        title = (
            f"{_NAMES[workload]}: {stage.events:,} events of {size:.0f} bytes, "
            f"{stage.partitions} partitions, batches of up to {stage.batch:,}, {len(pairs)} rounds"
        )
        report.show(console, title, workload, pairs)
    return report.document(workload, pairs, **facts)


_NAMES = {"2000": "2,000 broadcasts", "distinct": "every event another broadcast"}


async def check(stage: rounds.Stage, group: str) -> None:
    """Make sure that a pace is not that of a worker which left something out."""
    found = await rounds.counted(stage, group)
    if found != stage.events:
        raise RuntimeError(f"the rows hold {found:,} events of {stage.events:,}")


async def profile(
    options: argparse.Namespace, where: Where, workload: str, steps: Steps, console: Console
) -> dict[str, Any]:
    """Run the worker once under the profiler."""
    stacks: Path = options.profile
    if options.broadcasts == "both":
        stacks = stacks.with_name(f"{stacks.stem}-{workload}{stacks.suffix}")
    async with filled(options, where, workload, steps) as (stage, _, _):
        steps.show(f"{workload}: worker under py-spy", 0, 0)
        outcome = await rounds.worker(stage, "profiled", hotspots.observer(stacks))
        await rounds.forget(stage, "profiled")
    found = hotspots.read(stacks.read_text())
    if not options.json:
        hotspots.show(console, f"{_NAMES[workload]} ({stacks})", found)
    return {
        "workload": workload,
        "events_per_second_while_profiled": round(outcome.events_per_second),
        "samples": found.samples,
        "shares": {
            name: round(count / max(1, found.samples), 4)
            for name, count in found.kinds.most_common()
        },
    }


def main(arguments: list[str] | None = None) -> None:
    """Run what the command line asks for."""
    # However it is told to end, what it has started ends with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = parser().parse_args(arguments)
    console = Console()
    if load() > _BUSY and not options.json:
        console.print(
            f"This machine is busy (load {load():.1f}): the figures are rough, the ratio less so.\n"
        )
    chosen = events.WORKLOADS if options.broadcasts == "both" else (options.broadcasts,)
    task = profile if options.profile else measure
    with Steps() as steps, broker(options, steps) as where:
        documents = [
            asyncio.run(task(options, where, workload, steps, console)) for workload in chosen
        ]
    if options.json:
        console.print_json(rounds.dumped(documents))


if __name__ == "__main__":
    main()
