"""`live-audience summaries`: what came of the broadcasts, or of the scopes."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import TYPE_CHECKING, Final

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agents import kafka
from agents.cli.help import Command
from agents.cli.printable import printable
from agents.cli.progress import Steps
from agents.cli.settings import with_settings
from agents.topics.admin import partitions_of
from agents.topics.reading import read_to_end
from streams.summaries import (
    BroadcastSummary,
    ScopeSummary,
    decode_broadcast_summary,
    decode_scope_summary,
)
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.settings import Settings

Summary = BroadcastSummary | ScopeSummary

_PIPE_WIDTH: Final = 200
_MINUTES_PER_HOUR: Final = 60


@click.command(
    "summaries",
    cls=Command,
    examples=[
        "live-audience summaries",
        "live-audience summaries --platform fliggy --venue louvre",
        "live-audience summaries --jsonl > summaries.jsonl",
        "live-audience summaries --scopes",
    ],
)
@click.option("--jsonl", is_flag=True, help="As JSON, one summary a line.")
@click.option("--follow", is_flag=True, help="Go on with each new one, as JSONL, until Ctrl-C.")
@click.option("--scopes", is_flag=True, help="Of the scopes instead of the broadcasts.")
@click.option("--platform", metavar="NAME", help="Only of this platform.")
@click.option("--venue", metavar="NAME", help="Only of this venue.")
@with_settings
def command(
    settings: Settings,
    jsonl: bool,
    follow: bool,
    scopes: bool,
    platform: str | None,
    venue: str | None,
) -> None:
    """Print the latest summary of each broadcast, the largest peak first.

    Broadcasts that have not ended yet have none; /v1/broadcasts of the workers shows them.
    """
    if scopes and platform and venue:
        raise click.UsageError("no scope is of a platform and of a venue: give one of them")
    reading = _SummaryReader(settings, scopes, _filter(platform, venue))
    with contextlib.suppress(KeyboardInterrupt) if follow else contextlib.nullcontext():
        asyncio.run(reading.run(jsonl=jsonl, follow=follow))
    if reading.unreadable:
        click.echo(f"{reading.unreadable:,} records were no summaries", err=True)


def _filter(platform: str | None, venue: str | None) -> Callable[[Summary], bool]:
    def wanted(summary: Summary) -> bool:
        if isinstance(summary, BroadcastSummary):
            return platform in (None, summary.platform) and venue in (None, summary.venue)
        if platform is not None:
            return (summary.scope, summary.name) == ("platform", platform)
        return venue is None or (summary.scope, summary.name) == ("venue", venue)

    return wanted


class _SummaryReader:
    """Reads the summaries and prints them."""

    def __init__(self, settings: Settings, scopes: bool, wanted: Callable[[Summary], bool]) -> None:
        topics = Topics.of(settings)
        self._settings = settings
        self._scopes = scopes
        self._topic = (topics.scope_summaries if scopes else topics.broadcast_summaries).name
        self._decode: Callable[[bytes], Summary] = (
            decode_scope_summary if scopes else decode_broadcast_summary
        )
        self._wanted = wanted
        self.unreadable = 0

    async def run(self, *, jsonl: bool, follow: bool) -> None:
        partitions = (await partitions_of(self._settings, [self._topic]))[self._topic]
        latest: dict[bytes, tuple[Summary, bytes]] = {}
        async with kafka.reader(self._settings) as consumer:
            with Steps() as steps:
                records = read_to_end(self._settings, consumer, self._topic, partitions)
                async for record in records:
                    latest.pop(record.key, None)
                    summary = self._summary(record.value)
                    if summary is not None:
                        latest[record.key] = (summary, record.value)
                    steps.show("reading", len(latest), 0, f"{len(latest):,} summaries")
            self._print(latest, jsonl=jsonl or follow)
            while follow:
                record = await consumer.getone()
                if self._summary(record.value) is not None:
                    _print_line(record.value)

    def _summary(self, value: bytes | None) -> Summary | None:
        """The summary, None if it is not wanted, or deleted, or none at all."""
        if value is None:
            return None
        try:
            summary = self._decode(value)
        except msgspec.DecodeError:
            self.unreadable += 1
            return None
        return summary if self._wanted(summary) else None

    def _print(self, latest: dict[bytes, tuple[Summary, bytes]], *, jsonl: bool) -> None:
        ordered = sorted(latest.values(), key=lambda pair: _order(pair[0]))
        if jsonl:
            for _, value in ordered:
                _print_line(value)
        elif ordered:
            table = _scope_table() if self._scopes else _broadcast_table()
            for summary, _ in ordered:
                table.add_row(*(Text(cell) for cell in _cells(summary)))
            # A pipe has no width; what is cut off in one would be lost.
            Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH).print(table)
        else:
            click.echo("There are no summaries (yet): a broadcast has one once it has ended.")


def _print_line(value: bytes) -> None:
    click.echo(value, nl=True)


def _order(summary: Summary) -> tuple[int, str]:
    return -(summary.peak or 0), str(msgspec.structs.astuple(summary)[:2])


def _broadcast_table() -> Table:
    table = Table("broadcast", "title", "venue", "status", "started", "ended")
    for name in ("peak", "average", "viewer-hours", "joins", "views", "coverage"):
        table.add_column(name, justify="right")
    return table


def _scope_table() -> Table:
    table = Table("scope", "name", "minute")
    for name in (
        "viewers",
        "peak",
        "at",
        "peak_sum",
        "viewer-hours",
        "joins",
        "views",
        "broadcasts",
        "live",
    ):
        table.add_column(name, justify="right")
    return table


def _cells(summary: Summary) -> list[str]:
    if isinstance(summary, ScopeSummary):
        return [
            summary.scope,
            summary.name,
            _time(summary.minute),
            _count(summary.viewers),
            _count(summary.peak),
            _time(summary.peak_at),
            _count(summary.peak_sum),
            _count(summary.viewer_minutes / _MINUTES_PER_HOUR),
            _count(summary.joins),
            _count(summary.views),
            _count(summary.broadcasts),
            _count(summary.live),
        ]
    return [
        printable(f"{summary.platform}:{summary.broadcast}"),
        printable(summary.title or ""),
        summary.venue,
        summary.status,
        _time(summary.started_at),
        _time(summary.ended_at),
        _count(summary.peak),
        _count(summary.average),
        _count(summary.viewer_minutes / _MINUTES_PER_HOUR),
        _count(summary.joins),
        _count(summary.views),
        f"{summary.coverage:.0%}",
    ]


def _count(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _time(text: str | None) -> str:
    return "-" if text is None else text[:16].replace("T", " ")
