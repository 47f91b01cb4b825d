"""The tables of the demo: what came out, what had been published, what was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich import box
from rich.table import Table
from rich.text import Text

from agents.demo import trace
from agents.demo.input import refused
from agents.demo.mistakes import mistakes
from agents.demo.museums import museums

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agents.demo.compare import Comparison
    from agents.demo.console import DemoConsole
    from agents.demo.results import Results
    from streams.summaries import BroadcastSummary

_NONE: Final = "-"
MINUTES_AN_HOUR: Final = 60
_FIGURES: Final = (
    "first\nminute",
    "peak",
    "at\n(UTC)",
    "average",
    "viewer-\nhours",
    "views",
    "cover-\nage",
)
#: The width of a terminal from which there is room between the figures.
_ROOMY: Final = 96


def figures(summaries: Mapping[bytes, BroadcastSummary], screen: DemoConsole) -> Table:
    """Return the table of the computed figures, a row of two lines for each broadcast."""
    table = table_of("What came out of the pipeline")
    if screen.width < _ROOMY:
        table.padding = (0, 0, 0, 0)
    table.add_column("broadcast\nvenue, platform", overflow="fold")
    for name in _FIGURES:
        # However narrow the terminal is, no figure is cut.
        table.add_column(name, justify="right", no_wrap=True)
    for key in (*(museum.key for museum in museums()), trace.KEY):
        summary = summaries.get(key)
        platform, _, broadcast = key.decode().partition(":")
        if summary is None:
            table.add_row(f"{broadcast}\n?, {platform}", *["?"] * len(_FIGURES))
            continue
        table.add_row(
            f"{broadcast}\n{summary.venue}, {platform}",
            count(summary.first_minute),
            count(summary.peak),
            minute(summary.peak_at).replace(" ", "\n"),
            count(None if summary.average is None else round(summary.average)),
            count(round(summary.viewer_minutes / MINUTES_AN_HOUR)),
            count(summary.views),
            f"{summary.coverage:.1%}",
        )
    return table


def published(comparisons: Sequence[Comparison], screen: DemoConsole) -> Table:
    """Return the table of the published figures beside the computed ones."""
    table = table_of("What was published of them, and what was computed")
    table.add_column("broadcast", overflow="fold")
    table.add_column("platform")
    table.add_column("figure")
    for name in ("published", "computed"):
        table.add_column(name, justify="right")
    table.add_column("")
    for museum in museums():
        mine = [comparison for comparison in comparisons if comparison.museum is museum]
        for comparison in mine:
            mark = (
                Text(screen.right, "green")
                if comparison.same
                else Text(f"{screen.wrong} {comparison.difference}", "bold red")
            )
            table.add_row(
                museum.broadcast,
                museum.platform,
                comparison.figure,
                _shown(comparison.published),
                _shown(comparison.computed),
                mark,
            )
        if not mine:
            table.add_row(museum.broadcast, museum.platform, "none was published", _NONE, "", "")
    return table


def refusals(results: Results, screen: DemoConsole) -> Table:
    """Return the table of the refused records by reason, and what is wrong with those sent."""
    table = table_of("Wrong records: sent on purpose, refused, kept with the reason")
    table.add_column("reason")
    for name in ("sent", "refused"):
        table.add_column(name, justify="right")
    table.add_column("what is wrong with them")
    expected = refused()
    reasons = [*expected, *(reason for reason in results.refused if reason not in expected)]
    for reason in reasons:
        what = ", ".join(mistake.what for mistake in mistakes() if mistake.reason == reason)
        right = expected[reason] == results.refused[reason]
        table.add_row(
            Text(reason, "" if right else "bold red"),
            count(expected[reason]),
            f"{results.refused[reason]:,} {screen.right if right else screen.wrong}",
            what,
        )
    return table


def table_of(title: str) -> Table:
    """Return an empty table as all of the demo's are."""
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))


def count(value: int | None) -> str:
    """Return a number for people; a dash for none."""
    return _NONE if value is None else f"{value:,}"


def minute(text: str | None) -> str:
    """Return a minute without its seconds, which are none: `2018-06-28 03:42`."""
    return _NONE if text is None else text[:16].replace("T", " ")


def _shown(value: int | str | None) -> str:
    return value if isinstance(value, str) else count(value)
