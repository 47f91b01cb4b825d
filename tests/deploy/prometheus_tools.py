"""promtool and amtool, which the tests need; and rules that are wrong on purpose."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from agents import alerts

DEPLOY = Path(__file__).parents[2] / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
ALERTMANAGER = DEPLOY / "alertmanager"

#: The alerts, and the file in which each is.
ALERTS = {
    rule.name: (rule, file)
    for file, groups in alerts.groups().items()
    for group in groups
    for rule in group.rules
    if isinstance(rule, alerts.Alert)
}
#: Alerts that Prometheus does not know unless it is told of `optional/`.
OPTIONAL = {name for name, (_, file) in ALERTS.items() if file.startswith("optional/")}
#: Alerts that fire whatever happens, so that their absence says something.
ALWAYS = {"Watchdog"}
RECORDS = {
    rule.name: rule
    for groups in alerts.groups().values()
    for group in groups
    for rule in group.rules
    if isinstance(rule, alerts.Record)
}

_PACKAGES = {"promtool": "prometheus", "amtool": "prometheus-alertmanager"}
_COMPARISON = re.compile(r" (>=|<=|==|>|<)(?: (\d+(?:\.\d+)?)\b)?")
_FLIPPED = {">": "<", "<": ">", ">=": "<=", "<=": ">=", "==": "!="}


def told():
    """Alertmanager's configuration with receivers that tell somebody: those of receivers.yml."""
    text = (ALERTMANAGER / "alertmanager.yml").read_text(encoding="utf-8")
    named = (ALERTMANAGER / "receivers.yml").read_text(encoding="utf-8")
    begin, end = text.index("\nreceivers:\n"), text.index("\n# What goes without saying,")
    return text[:begin] + named[named.index("\nreceivers:\n") :] + text[end:]


def run(program, *arguments, stdin=None):
    """Run promtool or amtool; returns exit code and all that it said."""
    path = shutil.which(program)
    if path is None:
        pytest.fail(f"{program} is missing. On Debian and Ubuntu: apt install {_PACKAGES[program]}")
    done = subprocess.run(
        [path, *map(str, arguments)],
        input=stdin,
        # In one, for what went wrong with a file stands on stderr, and its name on stdout.
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def check(program, *arguments, stdin=None):
    """The same, where it must say that all is well; returns what it said."""
    code, said = run(program, *arguments, stdin=stdin)
    assert code == 0, said
    return said


def mutants(alert):
    """The alert with one thing wrong, and what: each comparison, threshold, exception and wait."""
    for found in _COMPARISON.finditer(alert.expr):
        sign, threshold = found.groups()
        yield _with(alert, found.span(1), _FLIPPED[sign])
        if threshold is None:
            continue
        # Nothing times two is nothing.
        others = (float(threshold) * 2, float(threshold) / 2) if float(threshold) else (2.0,)
        for other in others:
            yield _with(alert, found.span(2), f"{other:g}")
    for found in re.finditer(r"\bunless\b", alert.expr):
        yield _with(alert, found.span(), "and")
    yield f"for: {alert.before:g} s twice", replace(alert, before=alert.before * 2 or 60.0)
    if alert.name in ALWAYS:
        return  # what always fires never goes on firing
    yield f"keep_firing_for: {alert.after:g} s twice", replace(alert, after=alert.after * 2)


def _with(alert, span, text):
    start, end = span
    expr = alert.expr[:start] + text + alert.expr[end:]
    line = alert.expr.count("\n", 0, start)
    return f"{alert.expr[start:end]} -> {text} in: {expr.splitlines()[line]}", replace(
        alert, expr=expr
    )


def write_with(alert, folder):
    """Write the rule files with this alert in the place of the right one, and what it needs."""
    needed, queue = set(), [alert.expr]
    while queue:
        expr = queue.pop()
        new = {name for name in RECORDS if name in expr} - needed
        needed |= new
        queue.extend(RECORDS[name].expr for name in new)
    folder.mkdir(parents=True)
    for file, groups in alerts.groups().items():
        kept = [
            replace(
                group,
                rules=[
                    alert if rule.name == alert.name else rule
                    for rule in group.rules
                    if rule.name == alert.name or rule.name in needed
                ],
            )
            for group in groups
        ]
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(alerts.document(kept, ""), encoding="utf-8")
