"""Alerts about broadcasts and their audience.

`audience_viewers` is away when the newest record that tells viewers is 5 minutes old, after the
end, and while a partition is between two workers. So nothing here takes an absent series for an
audience of 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agents.alerts.model import Group, make_alert
from agents.alerts.recording import BROADCAST, DROP, SILENCE_LIMIT
from agents.alerts.timing import duration, number

if TYPE_CHECKING:
    from collections.abc import Callable

    from agents.alerts.model import Alert, Severity
    from agents.alerts.timing import Timing

#: Below so many viewers, halves and doubles mean nothing.
_MIN_VIEWERS: Final = 1000
_SURGE, _FIRST, _COVERED = 2, 0.3, 0.9
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
    whole_peak = f'max by ({BROADCAST}) (audience_peak_viewers{{window="broadcast"}})'
    age = "broadcast:audience_last_arrival_seconds:age"
    window, offset = duration(timing.surge_window), duration(timing.surge_offset)
    earlier = f"broadcast:audience_viewers:max[{window}] offset {offset}"
    leg = "platform_venue_programme:audience_viewers:max"
    rules = [
        alert(
            "BroadcastSilent",
            f"""
            (
              {age} > on (platform) group_left () {SILENCE_LIMIT}
              or
              ({age} > {number(timing.silence)} unless on (platform) {SILENCE_LIMIT})
            ) < {number(timing.replayed)}
            unless on ({BROADCAST})
            (
              max by ({BROADCAST}, partition) (last_over_time(audience_broadcast_info[{gap}]))
              and on (partition)
              job_stage_partition:audience_source_lag_seconds:max{{stage="broadcasts"}}
              > {number(timing.behind)}
            )
            unless on (platform)
            (
              job_platform:audience_events:increase2m == 0
              and on (platform)
              job_platform:audience_events:increase5m > 0
            )
            """,
            f"{_NAME} is silent",
            "Nothing came for {{ $value | humanizeDuration }}, and it has not ended.",
            why="Not while records wait in its own partition: then the pipeline is late, not the "
            "broadcast. What is hours old is being replayed. Where nothing comes of the whole "
            "platform either, PlatformSilent or EventsStopped has its 5 minutes first; they mute "
            "this, and would come too late for that.",
        ),
        alert(
            "BroadcastAudienceDropped",
            f"""
            (
              broadcast:audience_viewers:max
              / on ({BROADCAST})
              (broadcast:audience_viewers:baseline >= {_MIN_VIEWERS})
            ) < {DROP}
            """,
            f"The audience of {_NAME} has dropped",
            "Only {{ $value | humanizePercentage }} of what it was are left.",
            why="As long as they are gone: the audience before the drop stays what is compared "
            "with.",
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
            max by (programme) ({leg}) > 0
            and on (programme)
            count by (programme) (
              max by ({BROADCAST}, programme) (audience_broadcast_info{{programme!=""}})
              unless on ({BROADCAST})
              audience_ended_timestamp_seconds
            )
            >= on (programme)
            label_replace(
              scope:audience_scope_live_broadcasts:max{{scope="programme"}},
              "programme", "$1", "name", "(.*)"
            )
            """,
            "{{ $labels.programme }} is missing on {{ $labels.platform }} ({{ $labels.venue }})",
            "This leg of the simulcast had up to {{ $value | humanize }} viewers within the hour "
            "and shows none now, while other legs go on.",
            why="A leg that is silent, has ended or is final reports no viewers. Only where each "
            "live broadcast that the programme's scope counts is exported: else the leg may have "
            "left the metrics alone, or its partition is between two workers.",
        ),
    ]
    return Group("live-audience-broadcasts", rules, timing.scrape)
