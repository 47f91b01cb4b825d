"""`live-audience worker`: one worker of the pipeline."""

from __future__ import annotations

import click

from agents.cli.help import Command
from agents.cli.settings import loaded, set_option


@click.command(
    "worker",
    cls=Command,
    examples=[
        "live-audience worker",
        "live-audience worker --set AUDIENCE_HTTP_PORT=0 --set AUDIENCE_LOG_LEVEL=debug",
    ],
)
@set_option
@click.pass_context
def command(ctx: click.Context) -> None:
    """Run one worker of the pipeline, until Ctrl-C or SIGTERM.

    Start more of them, here or elsewhere, to share the partitions; each on a host of its own needs
    no other setting, several on one need AUDIENCE_HTTP_PORT each (0 takes a free port).
    """
    settings = loaded(ctx).settings
    # Imported here: it brings all of Faust along, which `--help` needs not wait for.
    from agents.worker import run  # noqa: PLC0415 - see above

    run(settings)
