"""For whom rules are written: which systems they look at, and what their alerts say besides."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, get_args

from agents.alerts.model import Alert, Group, Record, Severity
from agents.alerts.scoping import scoped

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LABEL: Final = re.compile(r"[a-zA-Z_]\w*")
_MATCHER: Final = re.compile(r'\s*([a-zA-Z_]\w*)\s*(?:=~|!~|!=|=)\s*"(?:[^"\\]|\\.)*"\s*')
#: Labels of the figures themselves, which tell no systems apart.
_TAKEN: Final = frozenset(
    {"platform", "broadcast", "venue", "programme", "scope", "name", "partition", "topic", "reason"}
    | {
        "instance",
        "stage",
        "outcome",
        "window",
        "le",
        "alertname",
        "alertstate",
        "severity",
        "system",
    }
)
_OURS: Final = frozenset({"alertname", "severity", "system"})
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """For whom rules are written. All have defaults that fit one system.

    Attributes:
        selector: Matchers of the workers, as in `{...}`. The default takes `live-audience` and, as
            Prometheus Operator names jobs, `namespace/live-audience`.
        gateway_selector: The same of the gateways.
        keep: Labels that tell systems apart: each aggregation, and so each alert, keeps them.
        labels: More labels of all alerts.
        annotations: More annotations of all alerts.
        severities: Other severities, by the alert's name.
        without: Names of alerts to leave out.
        silences: From how many seconds on a broadcast of a platform is silent, where that is not
            the usual time: for platforms that tell everything late.
        runbooks: What stands before `<alert>.md` in the links to runbooks.
        dashboards: Grafana's address, before `/d/...`; empty for no links to dashboards.

    Raises:
        ValueError: one of them cannot be so; it says why.
    """

    selector: str = 'job=~"(.+/)?live-audience"'
    gateway_selector: str = 'job=~"(.+/)?live-audience-gateway"'
    keep: tuple[str, ...] = ("cluster", "namespace", "job")
    labels: Mapping[str, str] = field(default_factory=lambda: _NONE)
    annotations: Mapping[str, str] = field(default_factory=lambda: _NONE)
    severities: Mapping[str, Severity] = field(default_factory=lambda: MappingProxyType({}))
    without: frozenset[str] = frozenset()
    silences: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    runbooks: str = "deploy/runbooks/"
    dashboards: str = ""

    def __post_init__(self) -> None:
        """Look at what was given."""
        _check_labels("the labels to keep", self.keep)
        if taken := sorted(_TAKEN & set(self.keep)):
            raise ValueError(f"{taken[0]} tells no systems apart, so it is no label to keep")
        for selector in (self.selector, self.gateway_selector):
            if lacking := sorted(_matched(selector) - set(self.keep)):
                raise ValueError(
                    f"the selector {selector!r} asks for {lacking[0]}, which is not kept: what is "
                    f"recorded would not have it. Add {lacking[0]} to the labels to keep."
                )
        _check_labels("labels", self.labels)
        _check_labels("annotations", self.annotations)
        if ours := sorted(_OURS & set(self.labels)):
            raise ValueError(f"the label {ours[0]} is ours, it cannot be given")
        for name, severity in self.severities.items():
            if severity not in get_args(Severity):
                choice = ", ".join(get_args(Severity))
                raise ValueError(f"{name} cannot be {severity}; a severity is one of {choice}")
        for platform, seconds in self.silences.items():
            if seconds <= 0:
                raise ValueError(
                    f"{platform} cannot be silent after {seconds:g} s; more than 0 can"
                )

    def runbook(self, name: str) -> str:
        """The address of an alert's page."""
        return f"{self.runbooks}{name}.md"

    def applied(self, groups: Iterable[Group]) -> list[Group]:
        """Rules as they are written for these options.

        Args:
            groups: Rules that are written as if there were one system.

        Raises:
            ValueError: as of `scoped`.
        """
        return [
            replace(
                group, rules=[self._applied(rule) for rule in group.rules if self._wanted(rule)]
            )
            for group in groups
        ]

    def _wanted(self, rule: Record | Alert) -> bool:
        return rule.name not in self.without

    def _applied(self, rule: Record | Alert) -> Record | Alert:
        expr = scoped(rule.expr, self.keep, self.selector, self.gateway_selector)
        if isinstance(rule, Record):
            return replace(rule, expr=expr)
        annotations = dict(self.annotations)
        if self.dashboards:
            annotations = {"dashboard_url": self._dashboard(rule), **annotations}
        return replace(
            rule,
            expr=expr,
            severity=self.severities.get(rule.name, rule.severity),
            labels=(*rule.labels, *self.labels.items()),
            annotations=(*rule.annotations, *annotations.items()),
        )

    def _dashboard(self, alert: Alert) -> str:
        """The board that shows what an alert is about, its variables filled."""
        texts = alert.summary + alert.expr
        about: tuple[str, ...] = ()
        if "$labels.broadcast" in texts:
            board, about = "broadcast", ("platform", "broadcast")
        elif "audience_scope_viewers" in texts or "programme" in texts:
            board = "live"
        else:
            board = "pipeline"
        variables = "&".join(
            f"var-{name}={{{{ $labels.{name} | urlquery }}}}" for name in (*self.keep, *about)
        )
        return f"{self.dashboards.rstrip('/')}/d/live-audience-{board}?{variables}"


def _check_labels(what: str, names: Iterable[str]) -> None:
    names = list(names)
    for name in names:
        if not _LABEL.fullmatch(name) or name.startswith("__"):
            raise ValueError(f"{what}: {name!r} is no name of a label")
    if len(set(names)) < len(names):
        raise ValueError(f"{what}: one is named twice")


def _matched(selector: str) -> set[str]:
    """The labels that a selector asks for."""
    found: set[str] = set()
    rest = selector
    while rest.strip():
        matcher = _MATCHER.match(rest)
        if matcher is None or (matcher.end() < len(rest) and rest[matcher.end()] != ","):
            raise ValueError(
                f'the selector {selector!r} cannot be read; write e.g. job="live-audience", '
                'namespace="prod"'
            )
        found.add(matcher[1])
        rest = rest[matcher.end() + 1 :]
    return found
