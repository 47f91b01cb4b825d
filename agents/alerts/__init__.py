"""The rules for Prometheus: what is recorded, and what fires when.

`deploy/prometheus/rules/` holds what `python -m agents.alerts` writes. With `--scale` it writes
rules whose durations are shorter, for a demo or a test that cannot wait; expressions, thresholds
of people, labels and texts stay as they are. `Options` say for which systems they are, and what
alerts say besides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agents.alerts import audience, gateway, objective, optional, pipeline, recording
from agents.alerts.inhibition import inhibit_rules
from agents.alerts.model import Alert, Group, Record, document
from agents.alerts.options import Options
from agents.alerts.timing import AlertDelay, Timing, duration

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "Alert",
    "AlertDelay",
    "Group",
    "Options",
    "Record",
    "Timing",
    "document",
    "duration",
    "groups",
    "inhibit_rules",
    "rules",
    "write",
]

_HEAD: Final = "Made by `python -m agents.alerts`; change agents/alerts/ and run that again."


def groups(scale: float | Timing = 1.0, options: Options | None = None) -> dict[str, list[Group]]:
    """All groups of rules, by the path of their file.

    What is in `optional/` is for those who want it: Prometheus is to be told of it.

    Args:
        scale: Factor of all durations, or the durations themselves.
        options: For whom they are; None: for one system.

    Raises:
        ValueError: the scale is not above 0, or the options name an alert that there is not.
    """
    options = options or Options()
    timing = scale if isinstance(scale, Timing) else Timing(silences=options.silences).scaled(scale)
    runbook = options.runbook
    plain = {
        "recording.yml": recording.groups(timing),
        "audience-alerts.yml": [audience.group(timing, runbook)],
        "pipeline-alerts.yml": [pipeline.group(timing, runbook)],
        "objective.yml": [objective.group(timing, runbook)],
        "gateway-alerts.yml": [gateway.group(timing, runbook)],
        "optional/export-alerts.yml": [optional.group(timing, runbook)],
    }
    known = {
        rule.name
        for found in plain.values()
        for group in found
        for rule in group.rules
        if isinstance(rule, Alert)
    }
    if unknown := sorted((options.without | set(options.severities)) - known):
        raise ValueError(f"there is no alert {unknown[0]}; there are {', '.join(sorted(known))}")
    return {name: options.applied(found) for name, found in plain.items()}


def rules(scale: float | Timing = 1.0, options: Options | None = None) -> dict[str, str]:
    """The rule files as YAML, by their paths; arguments and errors as of `groups`."""
    return {name: document(content, _HEAD) for name, content in groups(scale, options).items()}


def write(folder: Path, scale: float | Timing = 1.0, options: Options | None = None) -> None:
    """Write the rule files into a folder, which is made if it is not there.

    Arguments and errors as of `groups`; OSError where the folder cannot be written.
    """
    for name, text in rules(scale, options).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
