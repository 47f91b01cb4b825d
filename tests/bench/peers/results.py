"""The results file: one line of JSON a run, appended to, so rounds can be collected in pieces."""

import hashlib
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import environments
from meters import load

from agents.broker import kafka_version

Run = dict[str, Any]
QUIET = 0.25
"""Cores that others may use while a run counts as quiet."""


def append(path: Path, work: str, contestant: str, facts: Run, figures: Run) -> Run:
    """Add a run.

    Args:
        path: the results file; made if missing.
        work: what was measured.
        contestant: of whom.
        facts: what it was measured with: two runs with the same work, contestant and facts are
            rounds of one thing.
        figures: what was found.
    """
    run = {
        "work": work,
        "contestant": contestant,
        "facts": facts,
        "figures": figures,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "load": round(load(), 2),
        "machine": _machine(),
        "versions": _versions(),
    }
    with path.open("a") as file:
        file.write(json.dumps(run) + "\n")
    return run


def read(path: Path) -> list[Run]:
    """Read all runs; none where there is no file yet."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line]


def chosen(
    runs: Iterable[Run], work: str, contestant: str | None = None, **facts: Any
) -> list[Run]:
    """Choose the runs of a work and a contestant that have these facts."""
    return [
        run
        for run in runs
        if run["work"] == work
        and contestant in (None, run["contestant"])
        and all(run["facts"].get(name) == value for name, value in facts.items())
    ]


def figure(runs: Sequence[Run], *path: str) -> float | None:
    """Give the median of a figure over rounds; None where no round has it."""
    found = [value for run in runs if (value := _at(run["figures"], path)) is not None]
    return median(found) if found else None


def quiet(runs: Iterable[Run]) -> int:
    """How many of these runs had the machine for themselves."""
    return sum((run["figures"].get("others") or 0) <= QUIET for run in runs)


def in_pairs(
    runs: Iterable[Run], contestant: str, measure: Callable[[Run], float | None]
) -> list[float]:
    """Give a figure as a share of the bare loop's of the same round, round by round."""
    by_round: dict[str, dict[str, Run]] = {}
    for run in runs:
        by_round.setdefault(run["facts"]["round"], {})[run["contestant"]] = run
    shares = []
    for each in by_round.values():
        if "bare" in each and contestant in each:
            mine, bare = measure(each[contestant]), measure(each["bare"])
            if mine is not None and bare:
                shares.append(mine / bare)
    return shares


def _at(figures: Run, path: Sequence[str]) -> Any:
    found: Any = figures
    for name in path:
        found = None if found is None else found.get(name)
    return found


def new_round() -> str:
    """Name a round: what is measured in turn has the same name."""
    return f"{time.time_ns() // 1_000_000:x}"


def _machine() -> Run:
    names = (
        [
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ]
        if Path("/proc/cpuinfo").exists()
        else []
    )
    return {
        "cores": os.cpu_count(),
        "processor": names[0] if names else platform.processor(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def _versions() -> Run:
    root = environments.HERE.parents[2]
    told = subprocess.run(
        ["git", "-C", str(root), "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    return {"ours": told.stdout.strip() or None, "kafka": kafka_version(), "locks": _locks()}


def _locks() -> str:
    found = hashlib.sha256()
    for path in sorted(environments.LOCKS.glob("*.lock")):
        found.update(path.read_bytes())
    return found.hexdigest()[:12]
