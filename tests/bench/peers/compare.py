"""The worker beside its peers, on the same events: `python tests/bench/peers/compare.py`.

README.md in the folder above says what is measured; docs/peers.md what came of it.
"""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))  # run as a script, from anywhere
sys.path.insert(1, str(Path(__file__).parents[1]))  # the other files of the benchmark
sys.path.insert(2, str(Path(__file__).parent))

import draw
import environments
import live_works
import results
import works
from contestant import Contestant
from contestants import ALL

from agents.broker import Broker
from agents.cli.progress import Steps

WORKS = (
    "2000",
    "distinct",
    "million",
    "latency",
    "take-over",
    "broadcasts",
    "partitions",
    "workers",
)
RESULTS = Path(__file__).with_name("results.jsonl")
_GROWING = ("bare", "ours", "streams-exact-memory", "streams-exact-rocksdb")
_RATES = (1_000, 20_000)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    options = argparse.ArgumentParser(
        prog="compare.py",
        description="Measures the worker, as it is installed, beside the bare loop, Kafka Streams, "
        "Quix Streams, Bytewax and Faust, on the same events in turns, on an Apache Kafka of its "
        "own. Each run is added to the results file, so that rounds can be collected in pieces.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    commands = options.add_subparsers(dest="command", required=True)
    measure = commands.add_parser(
        "measure",
        help="measure, and add to the results file",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = measure.add_argument
    add("works", nargs="+", choices=WORKS, help="what to measure")
    add("--only", nargs="+", choices=[each.name for each in ALL], help="these contestants alone")
    add("--rounds", type=int, default=1, help="rounds, each of all contestants in turn")
    add("--events", type=int, default=1_000_000, help="events of a backlog")
    add("--broadcasts", type=int, default=1_000_000, help="of `million`, live at a time")
    add("--partitions", type=int, default=4, help="partitions of the events")
    add("--seconds", type=float, default=30, help="how long `latency` looks")
    add(
        "--check",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="hold all figures of the first round to the truth",
    )
    add("--brokers", help="a broker that runs already, instead of one of its own")
    add("--results", type=Path, default=RESULTS, help="the results file")
    report = commands.add_parser("report", help="write docs/peers.md and its picture from the file")
    report.add_argument("--results", type=Path, default=RESULTS, help="the results file")
    commands.add_parser("prepare", help="make all environments, and say which cannot be made")
    commands.add_parser("lock", help="make the lock files anew, after a change of their pins")
    return options


class Session:
    """What one call of the command measures.

    Args:
        options: of the command line.
        contestants: who can run here.
        bench: where.
    """

    def __init__(
        self, options: argparse.Namespace, contestants: Sequence[Contestant], bench: works.Bench
    ) -> None:
        self._options = options
        self._all = contestants
        self._bench = bench

    async def run(self, work: str) -> None:
        """Measure one work."""
        options = self._options
        match work:
            case "2000" | "distinct":
                await self._backlogs(work, work, options.partitions, self._all)
            case "million":
                await self._million()
            case "latency":
                for rate in _RATES:
                    await self._latency(rate)
            case "take-over":
                await self._take_over()
            case "broadcasts":
                sizes = (1_000, 10_000, 100_000, 1_000_000)
                for count in sorted({min(size, options.events) for size in sizes}):
                    await self._fleet(count)
            case "partitions":
                for count in (1, 2, 4, 8):
                    await self._backlogs(work, "2000", count, self._growing())
            case "workers":
                for count in (1, 2, 3):
                    await self._backlogs(work, "2000", 4, self._growing(bare=False), count)

    def _growing(self, *, bare: bool = True) -> list[Contestant]:
        chosen = self._all if self._options.only else [e for e in self._all if e.name in _GROWING]
        return [each for each in chosen if bare or each.durable]

    async def _backlogs(
        self, work: str, workload: str, partitions: int, who: Sequence[Contestant], workers: int = 1
    ) -> None:
        """Let each work off a workload in turn, round by round; few events where one is slow."""
        options, bench = self._options, self._bench
        for share in sorted({each.share for each in who}, reverse=True):
            count = max(1, int(options.events * share))
            facts = {"workload": workload, "events": count, "partitions": partitions}
            facts["workers"] = workers
            async with works.workload(bench, workload, partitions, count) as filled:
                await self._rounds(
                    work, [each for each in who if each.share == share], filled, facts
                )

    async def _fleet(self, broadcasts: int) -> None:
        options = self._options
        minutes = max(1, options.events // broadcasts)
        facts = {"broadcasts": broadcasts, "events": broadcasts * minutes}
        facts |= {"partitions": options.partitions, "workers": 1}
        async with works.fleet(self._bench, broadcasts, minutes, options.partitions) as filled:
            who = [each for each in self._growing() if each.share == 1]
            await self._rounds("broadcasts", who, filled, facts)

    async def _rounds(
        self, work: str, who: Sequence[Contestant], filled: works.Filled, facts: results.Run
    ) -> None:
        options = self._options
        for number in range(options.rounds):
            name = results.new_round()
            for each in who:
                found = await works.backlog(
                    self._bench,
                    each,
                    filled,
                    check=options.check and not number,
                    workers=facts["workers"],
                )
                self._keep(work, each, {**facts, "round": name}, found)

    async def _million(self) -> None:
        options = self._options
        minutes = 3
        async with works.fleet(
            self._bench, options.broadcasts, minutes, options.partitions
        ) as filled:
            for each in self._all:
                if each.share == 1 and each.durable:
                    facts = {"broadcasts": options.broadcasts, "minutes": minutes}
                    facts["partitions"] = options.partitions
                    found = await works.restore(self._bench, each, filled)
                    self._keep("million", each, facts, found)

    async def _latency(self, rate: int) -> None:
        options = self._options
        for _ in range(options.rounds):
            for each in self._all:
                slow = each.share < 1 and rate > min(_RATES)
                if each.changelog(self._bench.place(self._nowhere(), each)) and not slow:
                    found = await live_works.latency(
                        self._bench, each, options.partitions, rate, options.seconds
                    )
                    facts = {"rate": rate, "partitions": options.partitions}
                    self._keep("latency", each, facts, found)

    async def _take_over(self) -> None:
        options = self._options
        for _ in range(options.rounds):
            for each in self._all:
                if each.group(self._bench.place(self._nowhere(), each)):
                    found = await live_works.take_over(
                        self._bench, each, options.partitions, min(_RATES)
                    )
                    facts = {"rate": min(_RATES), "partitions": options.partitions}
                    self._keep("take-over", each, facts, found)

    def _nowhere(self) -> works.Stage:
        return self._bench.stage("nowhere", self._options.partitions, 0)

    def _keep(self, work: str, who: Contestant, facts: results.Run, found: results.Run) -> None:
        results.append(self._options.results, work, who.name, facts, found)
        told = {**{k: v for k, v in facts.items() if k != "round"}, **found}
        print(f"{work}: {who.label}: {told}", flush=True)


def able(names: Sequence[str] | None) -> list[Contestant]:
    """Choose who can run here, and say who cannot, and why."""
    found = []
    for each in ALL:
        if names and each.name not in names:
            continue
        try:
            each.prepare()
        except environments.Unavailable as why:
            print(f"left out: {each.label}: {why}", file=sys.stderr, flush=True)
        else:
            found.append(each)
    return found


async def _measure(options: argparse.Namespace, bench: works.Bench, who: list[Contestant]) -> None:
    session = Session(options, who, bench)
    for work in options.works:
        await session.run(work)


def _run(options: argparse.Namespace) -> None:
    who = able(options.only)
    if not who:
        raise SystemExit("error: none of the chosen contestants can run on this machine")
    with (
        Steps() as steps,
        tempfile.TemporaryDirectory(prefix="peers-", ignore_cleanup_errors=True) as name,
    ):
        folder, tag = Path(name), str(os.getpid())

        def measure(brokers: str, pid: int | None) -> None:
            bench = works.Bench(brokers, pid, folder, steps.show, tag)
            asyncio.run(_measure(options, bench, who))

        if options.brokers:
            measure(options.brokers, None)
        else:
            with Broker(
                folder / "broker", heap="1g", full_compiler=True, progress=steps.show
            ) as ours:
                measure(ours.bootstrap, ours.pid)


def main(arguments: list[str] | None = None) -> None:
    """Do what the command line asks for."""
    # However it is told to end, what it has started ends with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = parser().parse_args(arguments)
    match options.command:
        case "measure":
            _run(options)
        case "report":
            draw.write(results.read(options.results))
        case "lock":
            environments.lock()
        case "prepare":
            print(*(f"ready: {each.label}" for each in able(None)), sep="\n")


if __name__ == "__main__":
    main()
