"""The tables of docs/scaling.md: the model fitted to the results, and what it says of more.

Called by `compare.py report`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import model
import results
from model import Costs, Point, System
from results import Run
from tables import markdown, number

BROKERS, BROKER_CORES = 3, 4
COPIES = 3
PARTITIONS, WORKERS = 64, 16
VENUES = 10_000
SIZES = (100_000, 1_000_000, 5_000_000, 10_000_000)
_CALM = 1_000
_SECONDS_A_MINUTE = 60
_MIB = 1024 * 1024


def page(runs: Sequence[Run]) -> str:
    """The tables; raises ValueError where there are too few results for a fit."""
    workers = model.points(runs, "cpu", "cores")
    brokers = model.points(runs, "broker_cpu", "broker_cores")
    ours, theirs = model.fit(workers), model.fit(brokers)
    calm = results.figure(results.chosen(runs, "latency", "ours", rate=_CALM), "transactions")
    if not calm:
        raise ValueError(f"the latency of ours at {_CALM:,} events/s was not measured")
    system = System(WORKERS, PARTITIONS, 0, VENUES, calm)
    parts = [
        "### What each costs\n" + _costs(ours, theirs),
        "### How well that fits\n" + _errors(workers, ours, brokers, theirs),
        f"### {PARTITIONS} partitions on {WORKERS} workers of one core\n"
        + _predicted(system, ours, theirs, runs),
        "### What is full first\n" + _first(system, ours, theirs),
    ]
    return "\n\n".join(parts)


def _costs(ours: Costs, theirs: Costs) -> str:
    rows = []
    for name, mine, broker in zip(model.THINGS, ours.each, theirs.each, strict=True):
        unit, scale = ("ms", 1e3) if name in ("transaction", "second") else ("µs", 1e6)
        rows.append([f"{name}, {unit}", number(mine * scale, 2), number(broker * scale, 2)])
    return markdown(["CPU time of one", "worker", "broker"], rows)


def _errors(workers: Sequence[Point], ours: Costs, brokers: Sequence[Point], theirs: Costs) -> str:
    broker = {
        point[0]: (point[2], error) for point, error in zip(brokers, theirs.errors, strict=True)
    }
    rows = []
    for (name, _, seconds), error in zip(workers, ours.errors, strict=True):
        cells = [name, number(seconds * 1e6, 1), f"{error:+.0%}"]
        there = broker.get(name)
        cells += [number(there[0] * 1e6, 1), f"{there[1]:+.0%}"] if there else ["-", "-"]
        rows.append(cells)
    head = ["run", "worker, µs an event", "model", "broker, µs an event", "model"]
    return markdown(head, rows)


def _predicted(system: System, ours: Costs, theirs: Costs, runs: Sequence[Run]) -> str:
    memory = _memory(runs)
    rows = []
    for broadcasts in SIZES:
        here = replace(system, broadcasts=broadcasts)
        rate = broadcasts / _SECONDS_A_MINUTE
        each = here.settled(ours, rate)
        cores = here.cores(ours, rate, each, here.workers)
        broker = here.cores(theirs, rate, each, BROKERS)
        per_worker = broadcasts / here.workers
        rows.append(
            [
                f"{broadcasts:,}",
                number(rate),
                number(each, 1),
                number(here.shape(rate, each).batch),
                f"{cores:.1f}",
                f"{broker:.1f}",
                number(each * here.partitions),
                "-" if memory is None else number(memory(per_worker), unit=_MIB),
            ]
        )
    head = ["live broadcasts", "events/s", "transactions/s and partition", "events a batch"]
    head += [f"cores of {system.workers} workers", "cores of the brokers, one copy"]
    head += ["changes/s of the world", "MiB a worker"]
    return markdown(head, rows)


def _memory(runs: Sequence[Run]) -> Callable[[float], float] | None:
    """Say how many bytes a worker takes for so many rows; None where that was not measured."""
    many, few = results.chosen(runs, "million", "ours"), results.chosen(runs, "2000", "ours")
    full, empty = results.figure(many, "memory"), results.figure(few, "memory")
    if full is None or empty is None:
        return None
    rows = many[-1]["facts"]["broadcasts"]
    return lambda count: empty + (full - empty) * count / rows


def _first(system: System, ours: Costs, theirs: Costs) -> str:
    """Which limit is met first when a system of ever more broadcasts is looked at."""
    rows = []
    for label, broadcasts, rate in (
        ("the largest of the table, in real time", SIZES[-1], SIZES[-1] / _SECONDS_A_MINUTE),
        ("the most that the workers' cores take of it", SIZES[-1], None),
    ):
        here = replace(system, broadcasts=broadcasts)
        most = rate or here.most(ours)
        each = here.settled(ours, most)
        workers = here.cores(ours, most, each, here.workers) / here.workers
        brokers = here.cores(theirs, most, each, BROKERS) * COPIES / (BROKERS * BROKER_CORES)
        world = each * here.partitions * ours.each[2]
        rows.append([label, number(most), f"{workers:.0%}", f"{brokers:.0%}", f"{world:.0%}"])
    head = [
        "",
        "events/s",
        "workers' cores",
        f"cores of {BROKERS} brokers with {BROKER_CORES} each",
    ]
    head += ["one worker's core, by the world alone"]
    return markdown(head, rows)
