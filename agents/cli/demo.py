"""`live-audience demo`: the whole system on this machine."""

from __future__ import annotations

import click

from agents.cli.settings import loaded, set_option


@click.command("demo")
@click.option("--once", is_flag=True, help="Exit when all events are in the figures.")
@set_option
@click.pass_context
def command(ctx: click.Context, *, once: bool) -> None:
    r"""Run the whole system on this machine, with a broker of its own.

    It shows the museums' broadcasts of 2020 and a real trace. What it keeps is in AUDIENCE_DATA.

    \b
    Examples:
      live-audience demo
      live-audience demo --once
    """
    settings = loaded(ctx).settings
    # Imported here: it brings all of Faust along, which `--help` needs not wait for.
    from agents.demo import run  # noqa: PLC0415 - see above

    run(settings, once=once)
