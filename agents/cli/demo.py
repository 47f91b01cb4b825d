"""`live-audience demo`: the whole system on this machine."""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING

import click

from agents.cli.help import Command
from agents.cli.settings import with_settings

if TYPE_CHECKING:
    from streams.settings import Settings

#: The package of each show that is no other.
_SHOWS = {
    "season": "agents.demo.season",
    "observe": "agents.demo.observe",
    "gateway": "agents.demo.gateway",
}


@click.command(
    "demo",
    cls=Command,
    examples=[
        "live-audience demo",
        "live-audience demo --once",
        "live-audience demo --season --once",
        "live-audience demo --observe",
        "live-audience demo --gateway --once",
        "live-audience demo --brokers localhost:9092 --keep",
    ],
)
@click.option("--once", is_flag=True, help="Exit when the figures are there.")
@click.option(
    "--season",
    is_flag=True,
    help="Replay a whole season instead: 36,000 broadcasts, 520 million views, in minutes.",
)
@click.option(
    "--observe",
    is_flag=True,
    help="Show an evening in real time instead, watched by Prometheus and Alertmanager: an alert "
    "fires, and resolves.",
)
@click.option(
    "--gateway",
    is_flag=True,
    help="Show the gateway instead: signed webhooks, and a real stream that is watched where nginx "
    "with its RTMP module and ffmpeg are installed.",
)
@click.option("--brokers", metavar="LIST", help="Use these brokers instead of one of its own.")
@click.option("--keep", is_flag=True, help="Leave the topics of this run at its end.")
@with_settings
def command(
    settings: Settings,
    *,
    once: bool,
    season: bool,
    observe: bool,
    gateway: bool,
    brokers: str | None,
    keep: bool,
) -> None:
    """Run the whole system on this machine, with a broker of its own, until Ctrl-C.

    It shows the museums' broadcasts of 2020 and a real trace, or with --season all of Fliggy's
    2020, as fast as this machine takes it, or with --observe an evening of theirs in real time, in
    which the Louvre falls silent for a while, or with --gateway webhooks on their way in. What it
    keeps is in AUDIENCE_DATA. Ends with 1 if a published figure did not come out, the alert did not
    fire and resolve, or a figure of the gateway's is not the truth.
    """
    chosen = [
        name
        for name, given in (("season", season), ("observe", observe), ("gateway", gateway))
        if given
    ]
    if len(chosen) > 1:
        named = " and ".join(f"--{name}" for name in chosen)
        raise click.UsageError(f"{named} are shows of their own; give one of them")
    # Imported here: it brings all of Faust along, which `--help` needs not wait for.
    module = importlib.import_module(_SHOWS[chosen[0]] if chosen else "agents.demo")
    code = asyncio.run(module.run(settings, once=once, brokers=brokers, keep=keep))
    click.get_current_context().exit(code)
