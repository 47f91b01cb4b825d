"""Alerts about broadcasts and their audience.

`audience_viewers` is away when the newest record that tells viewers is 5 minutes old, after the
end, and while a partition is between two workers. So nothing here takes an absent series for an
audience of 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agents.alerts.model import Group, make_alert
from agents.alerts.recording import BROADCAST
from agents.alerts.timing import duration, number

if TYPE_CHECKING:
    from collections.abc import Callable

    from agents.alerts.model import Alert, Severity
    from agents.alerts.timing import Timing

#: Below so many viewers, halves and doubles mean nothing.
_MIN_VIEWERS: Final = 1000
_DROP, _SURGE, _FIRST, _COVERED = 0.5, 2, 0.3, 0.9
#: A peak that is so many times what two successive minutes have reached is hardly true.
_SPIKE: Final = 10

_NAME: Final = "{{ $labels.platform }}:{{ $labels.broadcast }} ({{ $labels.venue }})"


def group(timing: Timing, runbook: Callable[[str], str]) -> Group:
    """The group of these alerts."""

    def alert(
        name: str,
        expr: str,
        summary: str,
        description: str,
        *,
        severity: Severity = "warning",
        labels: tuple[tuple[str, str], ...] = (),
        why: str,
    ) -> Alert:
        return make_alert(
            timing, runbook, name, expr, severity, summary, description, labels=labels, why=why
        )

    gap = duration(timing.gap)
    started = f"time() - max by ({BROADCAST}) (audience_started_timestamp_seconds)"
    peak = f'max by ({BROADCAST}) (audience_peak_viewers{{window="5m"}})'
    whole_peak = f'max by ({BROADCAST}) (audience_peak_viewers{{window="broadcast"}})'
    last_event = f"last_over_time(audience_last_event_timestamp_seconds[{gap}])"
    window, offset = duration(timing.surge_window), duration(timing.surge_offset)
    earlier = f"broadcast:audience_viewers:max[{window}] offset {offset}"
    leg = "platform_venue_programme:audience_viewers:sum"
    rules = [
        alert(
            "BroadcastSilent",
            f"""
            (
              time() - max by ({BROADCAST}) ({last_event})
              unless on ({BROADCAST})
              last_over_time(audience_ended_timestamp_seconds[{gap}])
            ) > {number(timing.silence)} < {number(timing.replayed)}
            unless on ()
            job_stage:audience_source_lag_seconds:max{{stage="broadcasts"}}
            > {number(timing.behind)}
            """,
            f"{_NAME} is silent",
            "No event for {{ $value | humanizeDuration }}, and it has not ended.",
            why="By the events' own time, so a restart does not hide it; a gap of scrapes is "
            "bridged. Not while records wait: then the pipeline is late, not the broadcast. What "
            "is hours old is being replayed.",
        ),
        alert(
            "BroadcastAudienceDropped",
            f"""
            (
              broadcast:audience_viewers:max
              / on ({BROADCAST})
              {peak}
            ) < {_DROP}
            and on ({BROADCAST})
            {peak} >= {_MIN_VIEWERS}
            """,
            f"The audience of {_NAME} has dropped",
            "Only {{ $value | humanizePercentage }} of its greatest audience of the last 5 minutes "
            "are left.",
            why="Both sides come of the same row in the same scrape.",
        ),
        alert(
            "BroadcastAudienceSurged",
            f"""
            (
              broadcast:audience_viewers:max
              / on ({BROADCAST})
              max_over_time({earlier})
            ) > {_SURGE}
            and on ({BROADCAST})
            broadcast:audience_viewers:max >= {_MIN_VIEWERS}
            and on ({BROADCAST})
            {started} > {number(timing.surge_age)}
            """,
            f"The audience of {_NAME} is surging",
            "{{ $value | humanize }} times its greatest audience of the quarter of an hour before.",
            why="Against the greatest, so that the way back from a drop is no surge.",
        ),
        alert(
            "BroadcastFirstMinuteLow",
            f"""
            (
              max by ({BROADCAST}) (audience_first_viewers)
              / on (platform, venue) group_left ()
              (platform_venue:audience_first_viewers:median14d_avg >= {_MIN_VIEWERS})
            ) < {_FIRST}
            and on ({BROADCAST})
            {started} < {number(timing.first_age)}
            """,
            f"{_NAME} began with few viewers",
            "Its first audience was {{ $value | humanizePercentage }} of what is usual for the "
            "venue on this platform.",
            why="Of the earliest minute that has any, for platforms tell nothing, or 0, in the "
            "first ones. Against the same platform, for a small one is not a bad evening of a "
            "large one.",
        ),
        alert(
            "AudienceRecord",
            f"""
            scope:audience_scope_viewers:max{{scope=~"world|venue"}} >= {_MIN_VIEWERS}
            and on (scope, name)
            scope:audience_scope_viewers:max
            > on (scope, name)
            scope:audience_scope_viewers:max14d
            """,
            "Record audience of {{ with $labels.name }}{{ . }}{{ else }}the world{{ end }}",
            "{{ $value | humanize }} viewers at once: more than ever in the 14 days before.",
            severity="info",
            # So that it takes the venue's way through Alertmanager; empty is no label.
            labels=(("venue", '{{ if eq $labels.scope "venue" }}{{ $labels.name }}{{ end }}'),),
            why="Only where there is a history.",
        ),
        alert(
            "BroadcastCoverageLow",
            f"""
            max by ({BROADCAST}) (audience_covered_ratio) < {_COVERED}
            and on ({BROADCAST})
            {started} > {number(timing.coverage_age)}
            unless on ({BROADCAST})
            audience_ended_timestamp_seconds
            """,
            f"{_NAME} has holes",
            "Only {{ $value | humanizePercentage }} of its minutes are observed or carried; the "
            "rest count as nothing.",
            why="While something can be done about it: not after the end. A minute that is carried "
            "is no hole: samples jitter over its borders.",
        ),
        alert(
            "SpikeImplausible",
            f"""
            (
              {whole_peak}
              / on ({BROADCAST})
              max by ({BROADCAST}) (audience_peak_held_viewers)
            ) > {_SPIKE}
            and on ({BROADCAST})
            {whole_peak} > {_MIN_VIEWERS}
            """,
            f"The peak of {_NAME} is hardly true",
            "It is {{ $value | humanize }} times what two successive minutes have both reached: "
            "one wrong sample makes such a peak.",
            why="A crowd that comes at once is in the next sample too, before this fires.",
        ),
        alert(
            "SimulcastLegMissing",
            f"""
            (
              max_over_time({leg}[{duration(timing.leg_memory)}])
              unless
              {leg}
            )
            and on (programme)
            sum by (programme) ({leg}) > 0
            """,
            "{{ $labels.programme }} is missing on {{ $labels.platform }} ({{ $labels.venue }})",
            "This leg of the simulcast had up to {{ $value | humanize }} viewers within the hour "
            "and shows none now, while other legs go on.",
            why="A leg that is silent, has ended or is final reports no viewers. Legs end within "
            "minutes of each other.",
        ),
    ]
    return Group("live-audience-broadcasts", rules, timing.scrape)
