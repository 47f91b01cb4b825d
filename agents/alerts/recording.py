"""Recording rules: `max by` first, then sums, so that a hand-over never counts a thing twice.

When a partition changes hands, the old worker's last scrape stands beside the new one's for one
scrape. So what is of a broadcast or a scope is first brought down to one series by `max by`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agents.alerts.model import Group, Record
from agents.alerts.timing import duration

if TYPE_CHECKING:
    from agents.alerts.timing import Timing

#: The labels that name one broadcast.
BROADCAST: Final = "platform, broadcast, venue"

_SCOPE_METRICS: Final = (
    "viewers",
    "peak_viewers",
    "watch_time_seconds",
    "joins",
    "views",
    "broadcasts",
    "live_broadcasts",
)


def groups(timing: Timing) -> list[Group]:
    """All groups of recording rules."""
    return [
        Group("live-audience-figures", _figures(), timing.scrape),
        Group("live-audience-minutes", _minutes(timing), timing.minute),
        Group("live-audience-history", _history(timing), timing.slow),
        Group("live-audience-indicators", _indicators(timing), timing.scrape),
    ]


def _figures() -> list[Record]:
    return [
        Record(
            "broadcast:audience_viewers:max",
            f"max by ({BROADCAST}) (audience_viewers)",
            "One series for each live broadcast, whichever worker has it.",
        ),
        *(
            Record(f"{level}:audience_viewers:sum", f"sum{by} (broadcast:audience_viewers:max)")
            for level, by in (
                ("world", ""),
                ("platform", " by (platform)"),
                ("venue", " by (venue)"),
            )
        ),
        Record(
            "platform_venue_programme:audience_viewers:sum",
            f"""
            sum by (platform, venue, programme) (
              broadcast:audience_viewers:max
              * on ({BROADCAST}) group_left (programme)
              max by ({BROADCAST}, programme) (audience_broadcast_info{{programme!=""}})
            )
            """,
            "The legs of simulcasts. The title is left out first: while it changes, two workers "
            "may report two.",
        ),
        *(
            Record(
                f"scope:audience_scope_{metric}:max",
                f"max by (scope, name) (audience_scope_{metric})",
                "The scopes are exact, with the broadcasts that are not exported one by one too."
                if metric == "viewers"
                else "",
            )
            for metric in _SCOPE_METRICS
        ),
    ]


def _minutes(timing: Timing) -> list[Record]:
    minute = duration(timing.minute)
    return [
        Record(
            "scope:audience_scope_viewers:max1m",
            f"max_over_time(scope:audience_scope_viewers:max[{minute}])",
            "Peaks by minute.",
        ),
        Record(
            "world:audience_viewers:max1m_sum",
            f"max_over_time(world:audience_viewers:sum[{minute}])",
        ),
        Record(
            "platform_venue:audience_first_viewers:avg",
            f"""
            avg by (platform, venue) (
              max by ({BROADCAST}) (audience_first_viewers)
            )
            """,
        ),
    ]


def _history(timing: Timing) -> list[Record]:
    offset = duration(timing.history_offset)
    before = duration(timing.history - timing.history_offset)
    return [
        Record(
            "platform_venue:audience_first_viewers:median14d_avg",
            f"""
            quantile_over_time(0.5,
              platform_venue:audience_first_viewers:avg[{before}] offset {offset}
            )
            """,
            "What is usual: the median of the time in which the venue was on the air, without the "
            "last day.",
        ),
        Record(
            "scope:audience_scope_viewers:max14d",
            f"""
            max_over_time(
              scope:audience_scope_viewers:max1m{{scope=~"world|venue"}}[{duration(timing.history)}]
              offset {duration(timing.record_offset)}
            )
            """,
            "The record to be broken.",
        ),
    ]


def _indicators(timing: Timing) -> list[Record]:
    rate = duration(timing.rate)
    return [
        Record(
            "job_stage_partition:audience_source_lag_seconds:max",
            "max by (job, stage, partition) (audience_source_lag_seconds)",
            "Of one that nobody works on several workers tell.",
        ),
        Record(
            "job_stage:audience_source_lag_seconds:max",
            "max by (job, stage) (job_stage_partition:audience_source_lag_seconds:max)",
            "Freshness: how old the oldest record is that is not yet in the figures.",
        ),
        Record(
            "job_stage_partition:audience_source_lag_records:max",
            "max by (job, stage, partition) (audience_source_lag_records)",
        ),
        Record(
            "job_stage:audience_source_lag_records:sum",
            "sum by (job, stage) (job_stage_partition:audience_source_lag_records:max)",
        ),
        Record(
            "job:audience_live_broadcasts:sum",
            "sum by (job) (max by (job, partition) (audience_live_broadcasts))",
        ),
        Record(
            "job_platform:audience_live_broadcasts:max",
            """
            max by (job, platform) (
              label_replace(
                audience_scope_live_broadcasts{scope="platform"}, "platform", "$1", "name", "(.*)"
              )
            )
            """,
            "Of the scopes, for they are exact, and those of platforms are exported before others.",
        ),
        Record(
            "job_platform:audience_events:increase3m",
            f"""
            sum by (job, platform) (
              increase(audience_events_total{{platform!=""}}[{duration(timing.stopped)}])
            )
            """,
            "Whatever became of them: a platform whose events are all refused is not silent.",
        ),
        Record(
            "job_reason:audience_rejected:rate5m",
            f"sum by (job, reason) (rate(audience_rejected_total[{rate}]))",
        ),
        Record(
            "job:audience_events:rate5m",
            f"""
            sum by (job) (
              rate(audience_events_total{{outcome="accepted"}}[{rate}])
              or
              rate(audience_rejected_total[{rate}])
            )
            """,
            "All records read. The rejected ones are taken by reason, for those series stand at 0 "
            "from a worker's start, so that its first ones count too.",
        ),
        Record(
            "job_reason:audience_rejected:ratio_rate5m",
            """
            job_reason:audience_rejected:rate5m
            / on (job) group_left ()
            (job:audience_events:rate5m > 0)
            """,
            "No series while nothing is read, rather than NaN.",
        ),
        Record(
            "job:audience_refused:ratio_rate5m",
            'sum by (job) (job_reason:audience_rejected:ratio_rate5m{reason!="late"})',
            "The share rejected: what no producer should send.",
        ),
        Record(
            "job:audience_late:ratio_rate5m",
            'sum by (job) (job_reason:audience_rejected:ratio_rate5m{reason="late"})',
            "The share late.",
        ),
    ]
