"""Where a worker's time goes: py-spy's samples of it, put under the names of the work done."""

import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

RATE = 250
"""Samples a second."""

_ANY = ".*"
# From the innermost frame outwards, the first that one of these fits says what the work is for:
# (name, part of the frame's file, its function).
_KINDS = tuple(
    (name, file, re.compile(function))
    for name, file, function in (
        ("decode", "streams/events.py", _ANY),
        ("decode", "streams/rfc3339.py", _ANY),
        *(
            ("row arithmetic", f"streams/audience/{name}.py", _ANY)
            for name in ("row", "accept", "apply", "fold", "minute", "totals", "open_minutes")
        ),
        ("encode and decode rows", "streams/audience/codec.py", _ANY),
        ("encode and decode rows", "streams/exact/partition.py", "_commit"),
        ("check the key's partition", "streams/routing.py", _ANY),
        ("check the key's partition", "streams/murmur2.py", _ANY),
        ("summaries and timers", "agents/pipeline/broadcasts/publishing.py", _ANY),
        (
            "summaries and timers",
            "agents/pipeline/broadcasts/agent.py",
            ".*(on_timer|_age|_finali)",
        ),
        ("validate and apply", "agents/pipeline/broadcasts/agent.py", _ANY),
        ("validate and apply", "agents/pipeline/broadcasts/applying.py", _ANY),
        ("validate and apply", "agents/pipeline/broadcasts/newcomers.py", _ANY),
        ("validate and apply", "agents/pipeline/broadcasts/validation.py", _ANY),
        ("validate and apply", "agents/pipeline/broadcasts/outcome.py", _ANY),
        *(
            ("deltas by scope", f"streams/audience/{name}.py", _ANY)
            for name in ("delta", "plain_delta", "snapshot", "steps")
        ),
        ("deltas by scope", "agents/pipeline/broadcasts/deltas.py", _ANY),
        ("deltas by scope", "scope", _ANY),
        ("rows in memory", "streams/exact/rows.py", _ANY),
        ("after the commit: timers, views, metrics", "agents/pipeline/listeners.py", _ANY),
        (
            "after the commit: timers, views, metrics",
            "agents/pipeline/broadcasts/lifecycle.py",
            _ANY,
        ),
        ("after the commit: timers, views, metrics", "agents/serving/live/", _ANY),
        ("after the commit: timers, views, metrics", "agents/serving/metrics/", _ANY),
        ("produce", "streams/exact/writer.py", _ANY),
        ("produce", "aiokafka/producer/", _ANY),
        ("fetch", "streams/exact/fetch.py", _ANY),
        ("fetch", "aiokafka/consumer/", _ANY),
        ("network and protocol", "aiokafka/", _ANY),
        ("network and protocol", "asyncio/selector_events.py", _ANY),
        ("network and protocol", "selectors.py", _ANY),
        ("starting and importing", "importlib", _ANY),
        ("starting and importing", "agents/worker.py", "check_topics_first|tune_gc"),
        ("Faust and mode", "faust/", _ANY),
        ("Faust and mode", "mode/", _ANY),
        ("event loop", "asyncio/", _ANY),
    )
)
_NOT_THE_WORK = "starting and importing"
_FRAME = re.compile(r"(?P<function>.*) \((?P<file>[^()]*?)(?::\d+)?\)$")


def profiler() -> str | None:
    """The path of py-spy, if it is installed."""
    beside = Path(sys.executable).with_name("py-spy")
    return str(beside) if beside.exists() else shutil.which("py-spy")


def observer(stacks: Path) -> Callable[[int], Sequence[str]]:
    """Give the command that samples a process until it ends, and then writes its stacks."""
    found = profiler()
    if found is None:
        raise SystemExit("error: py-spy is missing, install it: pip install py-spy")
    options = ("--format=raw", f"--rate={RATE}", "--duration=unlimited", "--nonblocking")
    return lambda pid: (found, "record", *options, f"--output={stacks}", f"--pid={pid}")


@dataclass(frozen=True)
class Profile:
    """What the samples say.

    Attributes:
        samples: how many are of the work itself.
        kinds: samples by what the work is for.
        lines: samples by the line of Python code that was being executed.
    """

    samples: int
    kinds: Counter[str]
    lines: Counter[str]


def read(stacks: str) -> Profile:
    """Count collapsed stacks: `outermost;...;innermost count` a line."""
    kinds: Counter[str] = Counter()
    lines: Counter[str] = Counter()
    for line in stacks.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        kind = _kind(frames)
        if kind == _NOT_THE_WORK:
            continue
        kinds[kind] += int(count)
        python = [frame for frame in frames if ".py:" in frame or ".pyx:" in frame]
        lines[_short(python[-1]) if python else frames[-1]] += int(count)
    return Profile(sum(kinds.values()), kinds, lines)


def _kind(frames: list[str]) -> str:
    if not any("run_until_complete" in f or "run_forever" in f for f in frames) or any(
        "check_topics_first" in frame or "<frozen importlib" in frame for frame in frames
    ):
        return _NOT_THE_WORK
    for frame in reversed(frames):
        match = _FRAME.match(frame)
        function, file = (match["function"], match["file"]) if match else (frame, "")
        function = function.rpartition(".")[2]  # of `Class.method`
        for name, part, functions in _KINDS:
            if part in file and functions.fullmatch(function):
                return name
    return "other"


def _short(frame: str) -> str:
    """A frame without the folders that say nothing."""
    return re.sub(r"\((?:.*/)?((?:[^/]+/){0,2}[^/]+)\)$", r"(\1)", frame)


def show(console: Console, title: str, profile: Profile, top: int = 25) -> None:
    """Print the shares."""
    for heading, counts in (("work", profile.kinds), ("line", profile.lines)):
        table = Table(title=f"{title}: by {heading}", title_justify="left", title_style="bold")
        table.add_column(heading, overflow="fold")
        table.add_column("share", justify="right")
        for name, count in counts.most_common(top):
            table.add_row(name, f"{count / max(1, profile.samples):.1%}")
        console.print(table)
    console.print(f"{profile.samples} samples, {RATE} a second\n")
