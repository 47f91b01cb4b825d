"""`live-audience state`: takes the state out, puts it in, moves it to more partitions."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agents.cli.help import Command, Group
from agents.cli.progress import Steps
from agents.cli.settings import with_settings
from streams.errors import MisuseError
from streams.settings.durations import parse_duration

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from agents.state.importing import StartAt
    from streams.settings import Settings


class _Duration(click.ParamType):
    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)


@click.group(
    "state",
    cls=Group,
    examples=[
        "live-audience state export state.jsonl",
        "live-audience state import state.jsonl --set AUDIENCE_GROUP=green",
        "live-audience state repartition --set AUDIENCE_PARTITIONS=12",
    ],
)
def command() -> None:
    """Take the state out, put it in, move it to more partitions.

    All workers must have stopped.
    """


@command.command(
    cls=Command,
    examples=[
        "live-audience state export state.jsonl",
        "live-audience state export state.parquet --set AUDIENCE_GROUP=blue",
    ],
)
@click.argument("path", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@with_settings
def export(settings: Settings, path: Path) -> None:
    """Write the state to FILE: rows, positions, scopes.

    FILE ends in .jsonl (JSON Lines) or .parquet (Apache Parquet, with live-audience[parquet]). It
    is there once it is complete, and its end tells counts and a SHA-256 sum, so that a cut or
    changed one is noticed.
    """
    # Imported here: it brings all of Faust along, which `--help` needs not wait for.
    from agents.state.exporting import export_state  # noqa: PLC0415 - see above

    with Steps() as steps:
        counts = asyncio.run(export_state(settings, path, steps.show))
    click.echo(f"{path}: {_format_counts(counts)}")


@command.command(
    "import",
    cls=Command,
    examples=[
        "live-audience state import state.jsonl --set AUDIENCE_GROUP=green",
        "live-audience state import state.parquet --start-at end",
    ],
)
@click.argument(
    "path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--start-at",
    type=click.Choice(["exported", "end"]),
    default="exported",
    show_default=True,
    help="From where the workers read the viewer events: on from where the export was, or, where "
    "the topic is another one, from where it ends now.",
)
@with_settings
def import_(settings: Settings, path: Path, start_at: StartAt) -> None:
    """Put the state of FILE into AUDIENCE_GROUP, which has none yet.

    FILE is read to its end and checked before anything is written. If the import is killed, run it
    again with the same file; workers do not start in between. Make the topics first
    (`live-audience topics create`).
    """
    # Imported here: it brings all of Faust along, which `--help` needs not wait for.
    from agents.state.importing import import_state  # noqa: PLC0415 - see above

    with Steps() as steps:
        counts = asyncio.run(import_state(settings, path, start_at, steps.show))
    click.echo(f"{_format_counts(counts)}: AUDIENCE_GROUP={settings.group} goes on from them")


def _format_counts(counts: Mapping[str, int]) -> str:
    positions = counts["broadcasts-position"] + counts["scopes-position"]
    return (
        f"{counts['broadcasts']:,} rows of broadcasts, {counts['scopes']:,} of scopes, "
        f"{counts['sums']:,} sums on their way, {positions:,} positions"
    )


@command.command(
    cls=Command,
    examples=[
        "live-audience state repartition --set AUDIENCE_PARTITIONS=12",
        "live-audience state repartition --set AUDIENCE_PARTITIONS=12 --settle 0s",
    ],
)
@click.option(
    "--settle",
    type=_Duration(),
    default="5m",
    show_default=True,
    help="How long producers may take to hear of the new partitions (their metadata.max.age.ms or "
    "topic.metadata.refresh.interval.ms); 0s if they have stopped.",
)
@with_settings
def repartition(settings: Settings, settle: timedelta) -> None:
    """Give the topics AUDIENCE_PARTITIONS partitions, and move the state along.

    First it adds the partitions and applies what lies in the old ones, then it moves each row to
    where the partitioner now puts its key. Nothing is lost or counted twice, whenever it is killed:
    run it again, and it goes on where it was; workers do not start in between.

    Producers may go on. A record that one of them puts into an old partition after --settle is
    refused as misrouted; `live-audience replay --rejected --reason misrouted` sends it again.

    Afterwards, set AUDIENCE_PARTITIONS for all workers and start them.
    """
    # Imported here: it brings all of Faust along, which `--help` needs not wait for.
    from agents.state.repartitioning import repartition as run  # noqa: PLC0415 - see above

    if settle.total_seconds() < 0:
        raise MisuseError("--settle: must not be negative")
    with Steps() as steps:
        moved = asyncio.run(run(settings, settle.total_seconds(), steps.show))
    if not moved.rows:
        click.echo(f"The state has AUDIENCE_PARTITIONS={settings.partitions} partitions already.")
        return
    broadcasts, scopes = moved.rows["broadcasts"], moved.rows["scopes"]
    click.echo(
        f"{moved.before} to {settings.partitions} partitions: {moved.applied:,} records applied, "
        f"{broadcasts:,} rows of broadcasts and {scopes:,} of scopes moved"
        + (" (what an earlier call had begun is through)" if moved.resumed else "")
    )
    click.echo(
        f"Now set AUDIENCE_PARTITIONS={settings.partitions} everywhere and start the workers."
    )
