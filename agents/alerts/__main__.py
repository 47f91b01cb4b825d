"""Writes the rule files: `python -m agents.alerts [FOLDER]`, with options for whom they are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import click

from agents import alerts
from agents.alerts.inhibition import document

if TYPE_CHECKING:
    from agents.alerts.model import Severity

_FOLDER: Final = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules"
_USUAL: Final = alerts.Options()
_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3_600.0}


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
    "--selector",
    default=_USUAL.selector,
    show_default=True,
    help="Matchers of the workers' metrics; of labels that are kept.",
)
@click.option(
    "--gateway-selector",
    default=_USUAL.gateway_selector,
    show_default=True,
    help="Matchers of the gateways' metrics.",
)
@click.option(
    "--keep",
    default=",".join(_USUAL.keep),
    show_default=True,
    help="Labels that tell systems apart: kept in every aggregation.",
)
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="For all alerts.")
@click.option(
    "--annotation", "annotations", multiple=True, metavar="NAME=VALUE", help="For all alerts."
)
@click.option(
    "--severity",
    "severities",
    multiple=True,
    metavar="ALERT=SEVERITY",
    help="critical, warning, info or none, for one alert.",
)
@click.option("--without", multiple=True, metavar="ALERT", help="Leave one alert out.")
@click.option(
    "--silence",
    "silences",
    multiple=True,
    metavar="PLATFORM=TIME",
    help="From when on a platform's broadcast is silent, e.g. youtube=10m.",
)
@click.option(
    "--runbooks",
    default=_USUAL.runbooks,
    show_default=True,
    help="Where the runbooks are read: what stands before `<alert>.md`.",
)
@click.option(
    "--dashboards",
    default="",
    metavar="URL",
    help="Grafana's address, for links to dashboards.",
)
@click.option(
    "--inhibit-rules",
    is_flag=True,
    help="Write nothing; print Alertmanager's inhibit_rules that fit.",
)
def main(
    folder: Path,
    scale: float,
    selector: str,
    gateway_selector: str,
    keep: str,
    labels: tuple[str, ...],
    annotations: tuple[str, ...],
    severities: tuple[str, ...],
    without: tuple[str, ...],
    silences: tuple[str, ...],
    runbooks: str,
    dashboards: str,
    inhibit_rules: bool,
) -> None:
    """Write the rules for Prometheus into FOLDER (by default the repository's own)."""
    try:
        options = alerts.Options(
            selector=selector,
            gateway_selector=gateway_selector,
            keep=tuple(each.strip() for each in keep.split(",") if each.strip()),
            labels=_pairs(labels),
            annotations=_pairs(annotations),
            # Options look at what they are.
            severities=cast("dict[str, Severity]", _pairs(severities)),
            without=frozenset(without),
            silences={name: _seconds(text) for name, text in _pairs(silences).items()},
            runbooks=runbooks,
            dashboards=dashboards,
        )
        if inhibit_rules:
            click.echo(document(options), nl=False)
            return
        alerts.write(folder, scale, options)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    for name in alerts.rules(scale, options):
        click.echo(folder / name)


def _pairs(given: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for each in given:
        name, sign, value = each.partition("=")
        if not sign or not name:
            raise ValueError(f"{each!r} is not NAME=VALUE")
        found[name] = value
    return found


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if found is None:
        raise ValueError(f"{text!r} is no time; write e.g. 90s, 10m or 1h")
    return float(found[1]) * _UNITS[found[2]]


if __name__ == "__main__":
    main()
