"""The service-level objective: events are in the figures soon after they have arrived.

An event is in time when it is durable in the figures within 10 s of its arrival. What may fail of
that is the error budget. How fast it burns is looked at over two pairs of windows, as in Google's
Site Reliability Workbook: the long one says that it matters, the short one that it still goes on.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from agents.alerts.model import Group, Record, make_alert
from agents.alerts.timing import duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from agents.alerts.model import Alert
    from agents.alerts.timing import Timing

#: The bucket of `audience_event_latency_seconds` that counts events in time, in seconds.
IN_TIME: Final = 10.0
#: The share of events that should be in time, over 30 days.
OBJECTIVE: Final = 0.99
#: How many times as fast as would use it up in 30 days the budget may burn: the fast pair takes 2 %
#: of it in an hour, the slow one 5 % in six.
_FAST, _SLOW = 14.4, 6

_LATENCY: Final = "audience_event_latency_seconds"


def group(timing: Timing, runbook: Callable[[str], str]) -> Group:
    """The group of what is recorded for the objective, and its alerts."""
    alert = partial(make_alert, timing, runbook)
    windows = {
        "5m": timing.rate,
        "30m": timing.burn_short,
        "1h": timing.burn_hour,
        "6h": timing.burn_long,
    }
    rules: list[Record | Alert] = [
        *(_ratio(name, duration(seconds)) for name, seconds in windows.items()),
        alert(
            "ErrorBudgetBurnsFast",
            _burns("1h", "5m", _FAST),
            "critical",
            "Events reach the figures of {{ $labels.stage }} late",
            "{{ $value | humanizePercentage }} of the last hour's took over 10 s, and many still "
            "do: at this pace the error budget of 30 days is gone in two.",
            why="Of what is through. While nothing is, FiguresStale and PartitionsUnowned tell.",
        ),
        alert(
            "ErrorBudgetBurns",
            _burns("6h", "30m", _SLOW),
            "warning",
            "Events reach the figures of {{ $labels.stage }} late, again and again",
            "{{ $value | humanizePercentage }} of those of the last 6 hours took over 10 s, and "
            "many still do: at this pace the error budget of 30 days is gone in five.",
        ),
    ]
    return Group("live-audience-objective", rules, timing.minute)


def _ratio(name: str, window: str) -> Record:
    return Record(
        f"job_stage:audience_events_in_time:ratio_rate{name}",
        f"""
        sum by (job, stage) (rate({_LATENCY}_bucket{{le="{IN_TIME}"}}[{window}]))
        / on (job, stage)
        (sum by (job, stage) (rate({_LATENCY}_count[{window}])) > 0)
        """,
        "The share of events that were in the figures within 10 s." if name == "5m" else "",
    )


def _burns(long: str, short: str, factor: float) -> str:
    late = f"{factor * (1 - OBJECTIVE):.6g}"
    ratio = "job_stage:audience_events_in_time:ratio_rate"
    return f"""
        (1 - {ratio}{long}) > {late}
        and
        (1 - {ratio}{short}) > {late}
    """
