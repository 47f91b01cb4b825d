"""What a rule file is made of, and how it is written."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from agents.alerts.timing import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agents.alerts.timing import Timing

Severity = Literal["critical", "warning", "info", "none"]

_WIDTH = 100


@dataclass(frozen=True, slots=True)
class Record:
    """A recording rule.

    Attributes:
        name: `level:metric:operations`, the newest operation first.
        expr: Its expression.
        why: What the expression does not say by itself.
    """

    name: str
    expr: str
    why: str = ""

    def lines(self) -> Iterator[str]:
        """Its YAML."""
        yield from _comment(self.why)
        yield f"- record: {self.name}"
        yield from _expression(self.expr)


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert rule.

    Attributes:
        name: In CamelCase; its page is `<name>.md`.
        expr: Its expression.
        severity: critical: act now; warning: today; info: good to know; none: for machines only.
        summary: One line with its labels, for the subject of a message.
        description: What is the matter, with the value formatted.
        before: It must hold for so long until it fires, in seconds.
        after: It goes on firing for so long, in seconds.
        runbook_url: Where its page is.
        labels: Further labels, perhaps templates; an empty one is no label.
        why: What the expression does not say by itself.
        annotations: Further annotations, perhaps templates.
    """

    name: str
    expr: str
    severity: Severity
    summary: str
    description: str
    before: float
    after: float
    runbook_url: str
    labels: tuple[tuple[str, str], ...] = ()
    why: str = ""
    annotations: tuple[tuple[str, str], ...] = ()

    def lines(self) -> Iterator[str]:
        """Its YAML."""
        yield from _comment(self.why)
        yield f"- alert: {self.name}"
        yield from _expression(self.expr)
        yield f"  for: {duration(self.before)}"
        if self.after:
            yield f"  keep_firing_for: {duration(self.after)}"
        yield "  labels:"
        yield f"    severity: {self.severity}"
        # By it an Alertmanager that serves others too knows what is ours.
        yield "    system: live-audience"
        for name, value in self.labels:
            yield f"    {name}: {_quoted(value)}"
        yield "  annotations:"
        yield f"    summary: {_quoted(self.summary)}"
        yield f"    description: {_quoted(self.description)}"
        yield f"    runbook_url: {_quoted(self.runbook_url)}"
        for name, value in self.annotations:
            yield f"    {name}: {_quoted(value)}"


def make_alert(
    timing: Timing,
    runbook: Callable[[str], str],
    name: str,
    expr: str,
    severity: Severity,
    summary: str,
    description: str,
    *,
    labels: tuple[tuple[str, str], ...] = (),
    why: str = "",
) -> Alert:
    """An alert that waits as the timing says of its name, with its page.

    Args:
        timing: How long alerts wait.
        runbook: Gives the address of an alert's page.
        name: As in `Alert`, like the others.
        expr: See there.
        severity: See there.
        summary: See there.
        description: See there.
        labels: See there.
        why: See there.
    """
    hold = timing.holds[name]
    return Alert(name, expr, severity, summary, description, *hold, runbook(name), labels, why)


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated together, one after the other.

    Attributes:
        name: Its name.
        rules: In their order; a later one sees what an earlier one has recorded.
        interval: Between two evaluations, in seconds.
    """

    name: str
    rules: Sequence[Record | Alert]
    interval: float

    def lines(self) -> Iterator[str]:
        """Its YAML."""
        yield f"- name: {self.name}"
        yield f"  interval: {duration(self.interval)}"
        yield "  rules:"
        for rule in self.rules:
            for line in rule.lines():
                yield f"    {line}" if line else ""


def document(groups: Sequence[Group], head: str) -> str:
    """Write a rule file."""
    lines = [*_comment(head), "groups:"]
    for group in groups:
        lines.extend(f"  {line}" if line else "" for line in group.lines())
    return "\n".join(lines) + "\n"


def _comment(text: str) -> Iterator[str]:
    for line in textwrap.wrap(text, _WIDTH - 10):
        yield f"# {line}"


def _expression(expr: str) -> Iterator[str]:
    yield "  expr: |-"
    for line in textwrap.dedent(expr).strip().splitlines():
        yield f"    {line}".rstrip()


def _quoted(value: str) -> str:
    """A string as YAML, of which JSON is a part."""
    return json.dumps(value, ensure_ascii=False)
