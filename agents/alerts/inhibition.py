"""What goes without saying while something else fires: `inhibit_rules` of Alertmanager.

All of them are of one system alone: what fires of one never mutes another's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from agents.alerts.options import Options

_SYSTEM: Final = 'system="live-audience"'


@dataclass(frozen=True, slots=True)
class _Inhibition:
    """While `source` fires, `target` (a pattern) of the same system is muted.

    `equal` are further labels that both must have in common; `why` is for people.
    """

    source: str
    target: str
    equal: tuple[str, ...]
    why: str


# None lasts as long as a worker is down: that its partitions are between two workers is in the
# expressions of the alerts themselves, partition by partition.
_INHIBITIONS: Final = (
    _Inhibition(
        "NoWorkerReady",
        "WorkerDown|RestoreTooLong|FiguresStale|LagGrowing|PartitionsUnowned|EventsStopped"
        "|PlatformSilent|Broadcast.*|SimulcastLegMissing|SpikeImplausible",
        (),
        "Without a worker nothing else is known.",
    ),
    _Inhibition(
        "FiguresStale",
        "LagGrowing|ErrorBudgetBurns.*",
        ("stage",),
        "That it lags and burns its budget is said by that.",
    ),
    _Inhibition(
        "ErrorBudgetBurnsFast",
        "ErrorBudgetBurns",
        ("stage",),
        "That it burns is said by that it burns fast.",
    ),
    _Inhibition("EventsFailing", "EventsFailed", (), "Each is one of many."),
    _Inhibition(
        "EventsStopped",
        "PlatformSilent|BroadcastSilent",
        (),
        "Where nothing comes, nothing comes of any platform or broadcast.",
    ),
    _Inhibition(
        "PlatformSilent",
        "BroadcastSilent|SimulcastLegMissing",
        ("platform",),
        "Where nothing of a platform comes, nothing of its broadcasts does.",
    ),
    _Inhibition(
        "BroadcastSilent",
        "BroadcastCoverageLow",
        ("platform", "broadcast", "venue"),
        "A broadcast that is silent has holes,",
    ),
    _Inhibition(
        "BroadcastSilent",
        "SimulcastLegMissing",
        ("platform", "venue"),
        "and is the leg that is missing.",
    ),
)


def inhibit_rules(options: Options) -> list[dict[str, Any]]:
    """The rules, as Alertmanager's configuration has them."""
    return [
        {
            "source_matchers": [_SYSTEM, f'alertname="{each.source}"'],
            "target_matchers": [_SYSTEM, f'alertname=~"{each.target}"'],
            "equal": [*options.keep, *each.equal],
        }
        for each in _INHIBITIONS
    ]


def document(options: Options) -> str:
    """The same as YAML, to be put into a configuration."""
    lines = ["inhibit_rules:"]
    for each, rule in zip(_INHIBITIONS, inhibit_rules(options), strict=True):
        lines.append(f"  # {each.why}")
        lines.append(f"  - source_matchers: [{', '.join(rule['source_matchers'])}]")
        lines.append("    target_matchers:")
        lines.extend(f"      - {matcher}" for matcher in rule["target_matchers"])
        lines.append(f"    equal: [{', '.join(rule['equal'])}]")
    return "\n".join(lines) + "\n"
