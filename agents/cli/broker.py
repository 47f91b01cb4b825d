"""`live-audience broker`: an Apache Kafka on this machine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from agents.cli.helping import Command
from agents.cli.progress import Steps
from agents.cli.settings import with_settings

if TYPE_CHECKING:
    from streams.settings import Settings


@click.command(
    "broker",
    cls=Command,
    examples=[
        "live-audience broker",
        "live-audience broker --port 0 --set AUDIENCE_DATA=/tmp/audience",
    ],
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=9092,
    show_default=True,
    help="Where clients connect on 127.0.0.1; 0 takes a free one.",
)
@click.option(
    "--heap",
    default="512m",
    show_default=True,
    metavar="SIZE",
    help="The most memory for its heap, as Java writes it.",
)
@with_settings
def command(settings: Settings, port: int, heap: str) -> None:
    """Run an Apache Kafka on this machine, until Ctrl-C.

    For trying things out and for tests: it needs no Java and no Docker, only the extra
    `live-audience[broker]`. Its data is kept in AUDIENCE_DATA.
    """
    # Imported here: other commands run without the extra that it needs.
    from agents.broker import serve  # noqa: PLC0415 - see above

    with Steps() as steps:
        asyncio.run(serve(settings.data / "kafka", port, heap, progress=steps.show, say=steps.say))
