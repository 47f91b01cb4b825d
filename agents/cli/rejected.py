"""`live-audience rejected`: which records were refused, and why."""

from __future__ import annotations

import asyncio
import heapq
import sys
from collections import defaultdict
from typing import TYPE_CHECKING, Final

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agents import kafka
from agents.cli.help import Command
from agents.cli.printing import printable
from agents.cli.progress import Steps
from agents.cli.refused import Choice, Count, Refused
from agents.cli.settings import with_settings
from agents.cli.times import TimeOrAgo
from agents.topics.admin import partitions_of
from agents.topics.reading import offsets_at, read_on
from streams import rfc3339
from streams.rejections import Reason
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from streams.settings import Settings

_PIPE_WIDTH: Final = 200
_SHOWN: Final = 20


@click.command(
    "rejected",
    cls=Command,
    examples=[
        "live-audience rejected",
        "live-audience rejected --since 2026-11-22T19:00Z --until 2026-11-22T20:00Z",
        "live-audience rejected --since 1d --reason invalid --platform kuaishou --last 5",
        "live-audience rejected --since 7d --count",
        "live-audience rejected --since 1d --jsonl > refused.jsonl",
    ],
)
@click.option(
    "--since",
    type=TimeOrAgo(),
    default="1h",
    show_default=True,
    metavar="TIME",
    help="Only what came then or later: a time, or a duration before now.",
)
@click.option("--until", type=TimeOrAgo(), metavar="TIME", help="Only what came before then.")
@click.option(
    "--reason",
    "reasons",
    type=click.Choice([each.value for each in Reason]),
    multiple=True,
    help="Only of this reason; may be given again.",
)
@click.option(
    "--platform", "platforms", metavar="NAME", multiple=True, help="Only of this; again for more."
)
@click.option(
    "--last",
    type=click.IntRange(0),
    default=_SHOWN,
    show_default=True,
    metavar="N",
    help="How many of the newest are shown one by one.",
)
@click.option("--count", is_flag=True, help="Only how many there are.")
@click.option("--jsonl", is_flag=True, help="All of them as JSON, one a line, with their values.")
@with_settings
def command(
    settings: Settings,
    since: int,
    until: int | None,
    reasons: tuple[str, ...],
    platforms: tuple[str, ...],
    last: int,
    count: bool,
    jsonl: bool,
) -> None:
    """Print how many records were refused, by reason and platform, and the newest of them.

    Reading begins where Kafka's index has the first record of that time, so a short time is quick
    however much is kept. The time is the record's own Kafka timestamp.

    `live-audience replay --rejected` sends them again.
    """
    if until is not None and until <= since:
        raise click.UsageError("--until must be later than --since")
    if count and jsonl:
        raise click.UsageError("--count and --jsonl are two ways to print: give one of them")
    choice = Choice(since, until, reasons, platforms)
    if jsonl:
        asyncio.run(_each(settings, choice, _print_line))
        return
    counts: defaultdict[tuple[str, str], Count] = defaultdict(Count)
    newest = _Newest(0 if count else last)

    def take(refused: Refused) -> None:
        counts[refused.reason, refused.platform].add(refused)
        newest.add(refused)

    asyncio.run(_each(settings, choice, take))
    if not counts:
        click.echo(f"None was refused since {rfc3339.text(since)}, as far as was asked for.")
        return
    _print(_count_table(counts))
    if shown := newest.in_order():
        _print(_record_table(shown))


class _Newest:
    """The newest records of all that were added, whatever their order.

    Args:
        most: How many are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._heap: list[tuple[int, int, Refused]] = []
        self._added = 0

    def add(self, refused: Refused) -> None:
        self._added += 1  # of equal times the one that was added first is the older one
        heapq.heappush(self._heap, (refused.at, self._added, refused))
        if len(self._heap) > self._most:
            heapq.heappop(self._heap)

    def in_order(self) -> list[Refused]:
        """The oldest of them first."""
        return [refused for _, _, refused in sorted(self._heap, key=lambda each: each[:2])]


async def _each(settings: Settings, choice: Choice, take: Callable[[Refused], None]) -> None:
    """Hand over all that are chosen, each partition's in the order in which they were refused."""
    with Steps() as steps:
        read = 0
        async for refused in _read(settings, choice.since):
            read += 1
            steps.show("reading", read, 0, f"{read:,}")
            if choice.takes(refused):
                take(refused)


async def _read(settings: Settings, since: int) -> AsyncIterator[Refused]:
    topic = Topics.of(settings).rejected.name
    partitions = (await partitions_of(settings, [topic]))[topic]
    async with kafka.reader(settings) as consumer:
        begins = await offsets_at(consumer, topic, partitions, since)
        async for record in read_on(settings, consumer, begins):
            yield Refused.of(record)


def _print_line(refused: Refused) -> None:
    document = refused.document() | {"at": rfc3339.text(refused.at)}
    click.echo(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE), nl=False)


def _count_table(counts: dict[tuple[str, str], Count]) -> Table:
    table = Table("reason", "platform")
    table.add_column("records", justify="right")
    for name in ("first", "last", "detail of the last"):
        table.add_column(name)
    for (reason, platform), found in sorted(
        counts.items(), key=lambda item: (-item[1].records, item[0])
    ):
        cells = (
            reason,
            platform,
            f"{found.records:,}",
            _time(found.first),
            _time(found.last),
            found.detail,
        )
        table.add_row(*(Text(printable(cell) or "-") for cell in cells))
    return table


def _record_table(newest: list[Refused]) -> Table:
    table = Table("at", "reason", "key", "source", "detail")
    for refused in newest:
        key = (refused.key or b"").decode(errors="backslashreplace")
        cells = (_time(refused.at), refused.reason, key, refused.source, refused.detail)
        table.add_row(*(Text(printable(cell) or "-") for cell in cells))
    return table


def _print(table: Table) -> None:
    # A pipe has no width; what is cut off in one would be lost.
    Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH).print(table)


def _time(at: int) -> str:
    return rfc3339.text(at)[:19].replace("T", " ")
