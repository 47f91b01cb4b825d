"""`live-audience broker`: an Apache Kafka on this machine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from agents.cli.help import Command
from agents.cli.progress import Steps
from agents.cli.settings import with_settings

if TYPE_CHECKING:
    from streams.settings import Settings


@click.command(
    "broker",
    cls=Command,
    examples=[
        "live-audience broker",
        "live-audience broker --nodes 3",
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
    "--nodes",
    type=click.IntRange(1, 9),
    default=1,
    show_default=True,
    help="How many nodes; each listens one port higher than the one before.",
)
@click.option(
    "--heap",
    default=None,
    metavar="SIZE",
    help="The most memory for the heap of each node, as Java writes it; by default 512m, or 256m "
    "of several nodes.",
)
@with_settings
def command(settings: Settings, port: int, nodes: int, heap: str | None) -> None:
    """Run an Apache Kafka on this machine, until Ctrl-C.

    For trying things out and for tests: it needs no Java and no Docker, only the extra
    `live-audience[broker]`. Its data is kept in AUDIENCE_DATA. With three nodes, topics may have
    three copies (AUDIENCE_REPLICATION=3), and one node may fail.
    """
    # Imported here: other commands run without the extra that it needs.
    from agents.broker import serve  # noqa: PLC0415 - see above

    with Steps() as steps:
        asyncio.run(
            serve(
                # Each number of nodes has data of its own: a node alone is no node of three.
                settings.data / ("kafka" if nodes == 1 else f"kafka-{nodes}"),
                port,
                heap or ("512m" if nodes == 1 else "256m"),
                nodes,
                progress=steps.show,
                say=steps.print,
            )
        )
