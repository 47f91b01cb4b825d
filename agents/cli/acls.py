"""`live-audience acls`: the rights that a worker or a gateway needs, as commands."""

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
        "live-audience acls --gateway --principal User:gateway",
    ],
)
@click.option(
    "--principal",
    default="User:live-audience",
    show_default=True,
    help="Who it is to the brokers.",
)
@click.option("--gateway", is_flag=True, help="What a gateway needs, not a worker.")
@with_settings
def command(settings: Settings, principal: str, *, gateway: bool) -> None:
    """Print the commands that allow a worker, or a gateway, what it needs in Kafka.

    They are the least that it works with. A worker's have DescribeConfigs too, with which it also
    sees whether the topics are set up as they must be. The names are those of the settings in
    force. Nothing is asked of Kafka and nothing is changed.
    """
    rights = None
    if gateway:
        from agents.gateway.access import gateway_rights  # noqa: PLC0415 - only a gateway needs it

        rights = gateway_rights(settings)
    for line in commands(settings, principal, rights):
        click.echo(line)
