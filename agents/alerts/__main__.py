"""Writes the rule files: `python -m agents.alerts [FOLDER] [--scale 0.1] [--runbooks URL]`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from agents import alerts

_FOLDER: Final = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=_FOLDER)
@click.option(
    "--scale",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="Factor of all durations.",
)
@click.option(
    "--runbooks",
    default=alerts.RUNBOOKS,
    show_default=True,
    help="Where the runbooks are read: what stands before `<alert>.md`.",
)
def main(folder: Path, scale: float, runbooks: str) -> None:
    """Write the rules for Prometheus into FOLDER (by default the repository's own)."""
    alerts.write(folder, scale, runbooks)
    for name in alerts.rules(scale, runbooks):
        click.echo(folder / name)


if __name__ == "__main__":
    main()
