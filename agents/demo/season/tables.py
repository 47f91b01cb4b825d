"""The leaderboard of a season: the world, its biggest broadcasts, its venues and platforms."""

from __future__ import annotations

from heapq import nlargest
from typing import TYPE_CHECKING, Final

from rich.text import Text

from agents.demo.tables import MINUTES_AN_HOUR, count, minute, table_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.table import Table

    from agents.demo.console import DemoConsole
    from agents.demo.season.totals import Total
    from streams.summaries import BroadcastSummary, ScopeSummary

_SHOWN: Final = 10
_FIGURES: Final = ("broad-\ncasts", "views", "peak", "at (UTC)", "viewer-\nhours")


def world(summary: ScopeSummary, totals: Sequence[Total], screen: DemoConsole) -> Table:
    """Return the figures of the whole season, its totals beside the published ones."""
    table = table_of("The season")
    table.add_column("figure")
    for name in ("published", "computed"):
        table.add_column(name, justify="right")
    table.add_column("")
    for total in totals:
        mark = Text(screen.right, "green") if total.same else Text(screen.wrong, "bold red")
        table.add_row(total.figure, count(total.published), count(total.computed), mark)
    for figure, value in (
        ("most viewers at once", count(summary.peak)),
        ("  in the minute (UTC)", minute(summary.peak_at)),
        ("sum of the broadcasts' own peaks", count(summary.peak_sum)),
        ("viewer-hours", count(round(summary.viewer_minutes / MINUTES_AN_HOUR))),
        ("last minute (UTC)", minute(summary.minute)),
        ("still live", count(summary.live)),
    ):
        table.add_row(figure, "", value, "")
    return table


def broadcasts(summaries: Iterable[BroadcastSummary]) -> Table:
    """Return the table of the biggest broadcasts by their peak."""
    table = table_of("The biggest broadcasts")
    table.add_column("broadcast, platform", overflow="fold")
    for name in ("first\nminute", "peak", "at (UTC)", "viewer-\nhours", "views"):
        table.add_column(name, justify="right", no_wrap=True)
    for summary in nlargest(_SHOWN, summaries, key=lambda summary: summary.peak or 0):
        table.add_row(
            f"{summary.broadcast}, {summary.platform}",
            count(summary.first_minute),
            count(summary.peak),
            minute(summary.peak_at),
            count(round(summary.viewer_minutes / MINUTES_AN_HOUR)),
            count(summary.joins if summary.views is None else summary.views),
        )
    return table


def scopes(kind: str, title: str, summaries: Iterable[ScopeSummary]) -> Table:
    """Return the table of the scopes of a kind that have most views."""
    mine = [summary for summary in summaries if summary.scope == kind]
    largest = nlargest(_SHOWN, mine, key=lambda summary: summary.views)
    rest = f", the first {len(largest)} of {len(mine):,}" if len(mine) > len(largest) else ""
    table = table_of(f"{title} by views{rest}")
    table.add_column(kind, overflow="fold")
    for name in _FIGURES:
        table.add_column(name, justify="right", no_wrap=True)
    for summary in largest:
        table.add_row(
            summary.name,
            count(summary.broadcasts),
            count(summary.views),
            count(summary.peak),
            minute(summary.peak_at),
            count(round(summary.viewer_minutes / MINUTES_AN_HOUR)),
        )
    return table
