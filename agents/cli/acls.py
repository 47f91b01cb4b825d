"""`live-audience acls`: the rights that a worker needs, as commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from agents.cli.help import Command
from agents.cli.settings import with_settings
from agents.topics.access import commands

if TYPE_CHECKING:
    from streams.settings import Settings


@click.command(
    "acls",
    cls=Command,
    examples=[
        "live-audience acls",
        "live-audience acls --principal User:CN=live-audience > acls.sh",
    ],
)
@click.option(
    "--principal",
    default="User:live-audience",
    show_default=True,
    help="Who a worker is to the brokers.",
)
@with_settings
def command(settings: Settings, principal: str) -> None:
    """Print the commands that allow a worker what it needs in Kafka.

    They are the least that a worker works with, and DescribeConfigs, with which it also sees
    whether the topics are set up as they must be. The names are those of the settings in force.
    Nothing is asked of Kafka and nothing is changed.
    """
    for line in commands(settings, principal):
        click.echo(line)
