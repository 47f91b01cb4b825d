"""Writes what was found into docs/peers.md, and draws its picture."""

import re
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import results
import scaling
import tables
from contestants import ALL
from results import Run

mpl.use("Agg")
from matplotlib import pyplot as plt  # the line above has to come first
from matplotlib.axes import Axes

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "peers.md"
SCALING = ROOT / "docs" / "scaling.md"
PICTURE = ROOT / "docs" / "images" / "peers.png"
_WORKS = {"2000": "2,000 broadcasts", "distinct": "every event another broadcast"}
_OURS, _OTHERS, _BROKER = "#c2571a", "#4a6c8c", "#b9c3cc"


def write(runs: Sequence[Run]) -> None:
    """Write the page's tables, and its picture."""
    fill(PAGE, "figures", tables.page(runs))
    fill(PAGE, "less", tables.less())
    picture(runs, PICTURE)
    try:
        fill(SCALING, "model", scaling.page(runs))
    except ValueError as too_few:
        print(f"{SCALING} stays as it is: {too_few}")


def fill(page: Path, name: str, text: str) -> None:
    """Put a text between the two marks of a name in a page."""
    begin, end = f"<!-- {name}: written by a program -->", f"<!-- end of {name} -->"
    old = page.read_text()
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not pattern.search(old):
        raise SystemExit(f"error: {page} has no place for {name}: {begin} … {end}")
    page.write_text(pattern.sub(lambda _: f"{begin}\n{text}\n{end}", old))


def picture(runs: Sequence[Run], path: Path) -> None:
    """Draw CPU and pace of both workloads in the second half of the events, small."""
    works = [work for work in _WORKS if results.chosen(runs, work)]
    if not works:
        return
    figure, axes = plt.subplots(
        2, len(works), figsize=(4.6 * len(works), 5.4), squeeze=False, layout="constrained"
    )
    for column, work in enumerate(works):
        chosen = results.chosen(runs, work)
        _bars(axes[0][column], chosen, "CPU s per million events", ("cpu", "broker_cpu"))
        _bars(axes[1][column], chosen, "thousand events/s", ("events_per_second",), 1e-3)
        axes[0][column].set_title(_WORKS[work], fontsize=10)
    figure.savefig(path, dpi=80, metadata={"Software": None})
    plt.close(figure)


def _second_half(runs: Sequence[Run], name: str) -> float | None:
    """A figure of the second half of the events; of all where that was not told apart."""
    found = results.figure(runs, "second_half", name)
    return results.figure(runs, name) if found is None else found


def _bars(
    axes: Axes, runs: Sequence[Run], label: str, figures: Sequence[str], scale: float = 1
) -> None:
    """Draw a bar for each contestant but Faust, which would make all others invisible."""
    names, values = [], []
    for each in reversed(ALL):
        mine = [run for run in runs if run["contestant"] == each.name]
        most = max((run["facts"]["events"] for run in mine), default=0)
        mine = [run for run in mine if run["facts"]["events"] == most]
        found = [_second_half(mine, name) for name in figures]
        if mine and each.share == 1 and found[0] is not None:
            names.append(each.label)
            values.append([(value or 0) * scale for value in found])
    places = range(len(names))
    ours = [_OURS if name == "live-audience" else _OTHERS for name in names]
    firsts = [value[0] for value in values]
    axes.barh(places, firsts, color=ours)
    if len(figures) > 1:
        axes.barh(places, [value[1] for value in values], left=firsts, color=_BROKER)
    axes.set_yticks(places, names, fontsize=7)
    axes.tick_params(axis="x", labelsize=7)
    axes.set_xlabel(label + (" (grey: the broker's)" if len(figures) > 1 else ""), fontsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
