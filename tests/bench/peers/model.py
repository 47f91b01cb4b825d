"""A model of what a system of workers needs, fitted to what one machine has shown. Pure.

A worker's CPU time, and the broker's, are taken to be a sum of five things, each in proportion to
how many there are: events, rows that change in a batch, changes of scopes that go from the first
stage to the second, transactions of the first stage, and seconds that pass. How many there are
follows from how the events lie in batches; what each costs is fitted (least squares of the relative
errors, nothing below zero) to runs of different shapes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import results
from results import Run

BATCH = 20_000
"""Most records of a batch, by default."""
THINGS = ("event", "changed row", "scope change", "transaction", "second")
_PLATFORMS_AND_WORLD = 7


@dataclass(frozen=True)
class Shape:
    """How events lie.

    Attributes:
        broadcasts: each has an event in turn; None where none has a second.
        venues: over which they are spread, in turn.
        partitions: of the events.
        batch: records of a batch.
    """

    broadcasts: int | None
    venues: int
    partitions: int
    batch: float

    def per_event(self, seconds: float) -> tuple[float, float, float, float, float]:
        """How many of each of `THINGS` there are for one event, which takes so many seconds."""
        each = self.batch
        keys = each if self.broadcasts is None else self.broadcasts / self.partitions
        # A venue has its turn every so many events, each in this partition by chance.
        turns = each * self.partitions / self.venues
        missed = (1 - 1 / self.partitions) ** turns
        venues = min(each, self.venues * (1 - missed))
        changes = venues + min(each, _PLATFORMS_AND_WORLD)
        return 1.0, min(1.0, keys / each), changes / each, 1 / each, seconds


@dataclass(frozen=True)
class Costs:
    """CPU seconds of one of each of `THINGS`.

    Attributes:
        each: in their order.
        errors: of the fit, run by run, as shares of what was measured.
    """

    each: tuple[float, ...]
    errors: tuple[float, ...]

    def of(self, counts: Sequence[float]) -> float:
        """What so many of each cost."""
        return sum(cost * count for cost, count in zip(self.each, counts, strict=True))


Point = tuple[str, tuple[float, ...], float]
"""What it was, how many of each thing an event has, CPU seconds of an event."""


def points(runs: Sequence[Run], backlog: str, live: str) -> list[Point]:
    """Give what the worker's runs have shown.

    Args:
        runs: all.
        backlog: name of the figure of CPU seconds per million events.
        live: name of the figure of cores.
    """
    found: dict[str, list[tuple[tuple[float, ...], float]]] = {}
    for run in (
        results.chosen(runs, "2000")
        + results.chosen(runs, "distinct")
        + [
            *results.chosen(runs, "broadcasts"),
            *results.chosen(runs, "partitions"),
            *results.chosen(runs, "million"),
        ]
    ):
        if run["contestant"] == "ours" and run["figures"].get(backlog) is not None:
            name, counts = _of_backlog(run)
            found.setdefault(name, []).append((counts, run["figures"][backlog] / 1e6))
    for run in results.chosen(runs, "latency", "ours"):
        if run["figures"].get(live) is not None and run["figures"].get("transactions"):
            rate, partitions = run["facts"]["rate"], run["facts"]["partitions"]
            batch = max(1.0, rate / partitions / run["figures"]["transactions"])
            shape = Shape(2_000, 100, partitions, batch)
            name = f"{rate:,} events/s in real time"
            counts = shape.per_event(1 / rate)
            found.setdefault(name, []).append((counts, run["figures"][live] / rate))
    return [
        (
            name,
            tuple(np.median([c for c, _ in all_], axis=0)),
            float(np.median([y for _, y in all_])),
        )
        for name, all_ in found.items()
    ]


def _of_backlog(run: Run) -> tuple[str, tuple[float, ...]]:
    facts = run["facts"]
    events = facts.get("events") or facts["broadcasts"] * facts["minutes"]
    partitions = facts["partitions"]
    batch = min(BATCH, events / partitions)
    if "workload" in facts:
        broadcasts = None if facts["workload"] == "distinct" else 2_000
        shape = Shape(broadcasts, 8, partitions, batch)
        name = f"backlog, {facts['workload']}, {partitions} partitions"
    else:
        count = facts["broadcasts"]
        shape = Shape(count, max(1, count // 100), partitions, batch)
        name = f"backlog, {count:,} broadcasts, {partitions} partitions"
    seconds = 1 / run["figures"]["events_per_second"]
    return name, shape.per_event(seconds)


def fit(found: Sequence[Point]) -> Costs:
    """Fit the costs; nothing below zero.

    Raises:
        ValueError: there are fewer runs of different shapes than things to fit.
    """
    if len(found) < len(THINGS):
        raise ValueError(f"{len(found)} kinds of runs are too few to fit {len(THINGS)} costs")
    counts = np.array([point[1] for point in found])
    seconds = np.array([point[2] for point in found])
    relative = counts / seconds[:, None]
    used = list(range(len(THINGS)))
    while True:
        costs = np.zeros(len(THINGS))
        costs[used] = np.linalg.lstsq(relative[:, used], np.ones(len(found)), rcond=None)[0]
        if costs.min() >= 0:
            break
        used.remove(int(costs.argmin()))
    errors = counts @ costs / seconds - 1
    return Costs(tuple(map(float, costs)), tuple(map(float, errors)))


@dataclass(frozen=True)
class System:
    """A system to be predicted.

    Attributes:
        workers: with one core each.
        partitions: of the events.
        broadcasts: live.
        venues: over which they are spread.
        transactions: a second and partition, at most: what a calm one makes.
    """

    workers: int
    partitions: int
    broadcasts: int
    venues: int
    transactions: float

    def shape(self, rate: float, transactions: float) -> Shape:
        """How events lie in batches at a rate."""
        batch = min(BATCH, max(1.0, rate / self.partitions / transactions))
        return Shape(self.broadcasts, self.venues, self.partitions, batch)

    def cores(self, costs: Costs, rate: float, transactions: float, processes: int) -> float:
        """The cores that events at a rate need; seconds pass in so many processes."""
        counts = self.shape(rate, transactions).per_event(processes / rate)
        return costs.of(counts) * rate

    def settled(self, costs: Costs, rate: float) -> float:
        """Transactions a second and partition that the workers' cores allow at a rate.

        A worker at its limit makes fewer transactions, of larger batches, until it gets by.
        """
        least = rate / self.partitions / BATCH
        return _greatest(
            lambda each: self.cores(costs, rate, each, self.workers) <= self.workers,
            least,
            max(least, self.transactions),
        )

    def most(self, costs: Costs) -> float:
        """The most events a second that the workers can take, batches as large as they may be."""
        return _greatest(
            lambda rate: (
                self.cores(costs, rate, rate / self.partitions / BATCH, self.workers)
                <= self.workers
            ),
            1.0,
            1e9,
        )


def _greatest(holds: Callable[[float], bool], low: float, high: float) -> float:
    """The greatest number between two for which something holds, that holds for all below it."""
    if holds(high):
        return high
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
