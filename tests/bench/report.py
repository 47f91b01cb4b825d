"""What is made of the rounds' figures: a table for people, and the same as data."""

from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table
from rounds import BatchResult, as_json

TARGETS = {"2000": 0.4, "distinct": 0.3}
"""The least that the worker is to reach, as a share of the bare loop's pace."""

_MIB = 1024 * 1024

_FIGURES: Sequence[tuple[str, Callable[[BatchResult], float | None], str]] = (
    ("events/s", lambda o: o.events_per_second, "{:,.0f}"),
    ("CPU s per million events", lambda o: o.cpu, "{:.2f}"),
    ("the broker's CPU s per million", lambda o: o.broker_cpu, "{:.2f}"),
    ("peak memory, MiB", lambda o: None if o.memory is None else o.memory / _MIB, "{:,.0f}"),
    ("s from process start to done", lambda o: o.wall, "{:.2f}"),
)

Pair = tuple[BatchResult, BatchResult]
"""One round: the bare loop's and the worker's."""


def ratios(pairs: Iterable[Pair]) -> list[float]:
    """The worker's pace as a share of the bare loop's, round by round."""
    return [worker.events_per_second / bare.events_per_second for bare, worker in pairs]


def document(workload: str, pairs: Sequence[Pair], **facts: Any) -> dict[str, Any]:
    """All figures of a workload as data."""
    shares = ratios(pairs)
    return {
        "workload": workload,
        **facts,
        "rounds": [
            {"bare": as_json(bare), "worker": as_json(worker), "ratio": round(share, 4)}
            for (bare, worker), share in zip(pairs, shares, strict=True)
        ],
        "ratio": {
            "min": round(min(shares), 4),
            "median": round(median(shares), 4),
            "max": round(max(shares), 4),
            "target": TARGETS[workload],
        },
    }


def show(console: Console, title: str, workload: str, pairs: Sequence[Pair]) -> None:
    """Print a workload's table."""
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("")
    table.add_column("")
    for name in ("min", "median", "max"):
        table.add_column(name, justify="right")
    for name, figure, form in _FIGURES:
        for who, index in (("bare loop", 0), ("worker", 1)):
            values = [value for pair in pairs if (value := figure(pair[index])) is not None]
            table.add_row(name if not index else "", who, *_spread(values, form))
        table.add_section()
    shares = ratios(pairs)
    table.add_row("worker / bare loop", "pair by pair", *_spread(shares, "{:.2f}"), style="bold")
    console.print(table)
    reached = "reached" if median(shares) >= TARGETS[workload] else "MISSED"
    console.print(f"target {TARGETS[workload]:.1f}: {reached}\n")


def _spread(values: Sequence[float], form: str) -> list[str]:
    if not values:
        return ["-"] * 3
    return [form.format(each) for each in (min(values), median(values), max(values))]
