"""Alerts that not everybody wants: those who export only the largest broadcasts on purpose."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from agents.alerts.model import Group, make_alert

if TYPE_CHECKING:
    from collections.abc import Callable

    from agents.alerts.timing import Timing


def group(timing: Timing, runbook: Callable[[str], str]) -> Group:
    """The group of these alerts."""
    alert = partial(make_alert, timing, runbook)
    rules = [
        alert(
            "BroadcastsNotExported",
            """
            sum by (job, instance) (audience_live_broadcasts)
            - on (job, instance)
            (
              count by (job, instance) (
                audience_started_timestamp_seconds
                unless
                audience_ended_timestamp_seconds
              )
              or
              sum by (job, instance) (audience_live_broadcasts) * 0
            )
            > 0
            """,
            "warning",
            "Worker {{ $labels.instance }} leaves broadcasts out of its metrics",
            "Live broadcasts that are in the API and the summaries only, so that no alert watches "
            "them: {{ $value | humanize }}.",
            why="Ended ones take places too, so the live ones that are exported are counted.",
        ),
    ]
    return Group("live-audience-optional", rules, timing.scrape)
