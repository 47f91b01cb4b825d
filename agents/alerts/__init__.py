"""The rules for Prometheus: what is recorded, and what fires when.

`deploy/prometheus/rules/` holds what `python -m agents.alerts` writes. With `--scale` it writes
rules whose durations are shorter, for a demo or a test that cannot wait; expressions, thresholds
of people, labels and texts stay as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agents.alerts import audience, gateway, objective, pipeline, recording
from agents.alerts.model import Alert, Group, Record, document
from agents.alerts.timing import AlertDelay, Timing, duration

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "RUNBOOKS",
    "Alert",
    "AlertDelay",
    "Group",
    "Record",
    "Timing",
    "document",
    "duration",
    "groups",
    "rules",
    "write",
]

#: Where the runbooks are, from the root of the repository. Alerts link there; give `--runbooks`
#: the address under which your people read them.
RUNBOOKS: Final = "deploy/runbooks/"

_HEAD: Final = "Made by `python -m agents.alerts`; change agents/alerts/ and run that again."


def groups(scale: float | Timing = 1.0, runbooks: str = RUNBOOKS) -> dict[str, list[Group]]:
    """All groups of rules, by the name of their file.

    Args:
        scale: Factor of all durations, or the durations themselves.
        runbooks: What stands before `<alert>.md` in the links to runbooks.

    Raises:
        ValueError: the scale is not above 0.
    """
    timing = scale if isinstance(scale, Timing) else Timing().scaled(scale)

    def runbook(name: str) -> str:
        return f"{runbooks}{name}.md"

    return {
        "recording.yml": recording.groups(timing),
        "audience-alerts.yml": [audience.group(timing, runbook)],
        "pipeline-alerts.yml": [pipeline.group(timing, runbook)],
        "objective.yml": [objective.group(timing, runbook)],
        "gateway-alerts.yml": [gateway.group(timing, runbook)],
    }


def rules(scale: float | Timing = 1.0, runbooks: str = RUNBOOKS) -> dict[str, str]:
    """The rule files as YAML, by their names; arguments and errors as of `groups`."""
    return {name: document(content, _HEAD) for name, content in groups(scale, runbooks).items()}


def write(folder: Path, scale: float | Timing = 1.0, runbooks: str = RUNBOOKS) -> None:
    """Write the rule files into a folder, which is made if it is not there.

    Arguments and errors as of `groups`; OSError where the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in rules(scale, runbooks).items():
        (folder / name).write_text(text, encoding="utf-8")
