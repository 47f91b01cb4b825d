"""`live-audience config`: the settings in force."""

from __future__ import annotations

import sys
from typing import Final

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agents.cli.help import Command
from agents.cli.settings import loaded, set_option
from streams import compiled
from streams.settings import Loaded, Settings
from streams.settings.allowed import allowed
from streams.settings.display import env_name, shown
from streams.settings.loading import DEFAULT, is_secret

# Columns of a terminal that has room for what is allowed, too; --env tells it everywhere.
_WIDE: Final = 140


@click.command(
    "config",
    cls=Command,
    examples=[
        "live-audience config",
        "live-audience --set AUDIENCE_LATENESS_BY_PLATFORM=ivs=2h,kick=5m config",
        "live-audience config --env > .env",
    ],
)
@set_option
@click.option("--json", "form", flag_value="json", help="As JSON: each with value and origin.")
@click.option("--env", "form", flag_value="env", help="As lines for a .env file.")
@click.pass_context
def command(ctx: click.Context, form: str | None) -> None:
    """Print the settings in force, where each is from, and what it may be.

    Secrets are hidden. AUDIENCE_COMPILED also tells whether the arithmetic is compiled here, and
    why it is not. With wrong settings it says which and ends with 2.
    """
    found = loaded(ctx)
    if form == "json":
        click.echo(_json(found))
    elif form == "env":
        click.echo(_env(found))
    elif sys.stdout.isatty():
        console = Console()
        console.print(_table(found, wide=console.width >= _WIDE))
    else:
        for field in Settings.model_fields:
            value, origin = shown(found.settings, field), found.origins[field]
            click.echo(f"{env_name(field)}={value} ({origin}{_in_force(field)})")


def _in_force(field: str) -> str:
    """What comes of a setting that asks for what may not be there; else nothing."""
    return f"; {compiled.status().text}" if field == "compiled" else ""


def _json(found: Loaded) -> str:
    values = {
        env_name(field): {"value": shown(found.settings, field), "from": found.origins[field]}
        for field in Settings.model_fields
    }
    values[compiled.SETTING]["in_force"] = compiled.status().build
    return orjson.dumps(values, option=orjson.OPT_INDENT_2).decode()


def _env(found: Loaded) -> str:
    lines = []
    for field, info in Settings.model_fields.items():
        value = shown(found.settings, field)
        # What is hidden here must not end up as the value of a setting.
        mark = "# " if is_secret(field) and value else ""
        lines.extend(
            [
                f"# {info.description}: {allowed(field)}{_in_force(field)}",
                f"{mark}{env_name(field)}={value}",
            ]
        )
    return "\n".join(lines)


def _table(found: Loaded, *, wide: bool) -> Table:
    table = Table()
    table.add_column("setting", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("from")
    table.add_column("what it is", overflow="fold")
    if wide:
        table.add_column("allowed", overflow="fold", style="dim")
    for field, info in Settings.model_fields.items():
        origin = found.origins[field]
        style = "" if origin == DEFAULT else "bold"
        cells = [
            Text(env_name(field), style),
            Text(shown(found.settings, field), style),
            Text(origin, style),
            Text((info.description or "") + _in_force(field)),
        ]
        table.add_row(*cells, *([Text(allowed(field))] if wide else []))
    return table
