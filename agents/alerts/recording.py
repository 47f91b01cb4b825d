"""Recording rules: `max by` first, then sums, so that a hand-over never counts a thing twice.

When a partition changes hands, the old worker's last scrape stands beside the new one's for one
scrape. So what is of a broadcast or a scope is first brought down to one series by `max by`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agents.alerts.model import Group, Record
from agents.alerts.timing import duration, number

if TYPE_CHECKING:
    from agents.alerts.timing import Timing

#: The labels that name one broadcast.
BROADCAST: Final = "platform, broadcast, venue"
#: From what part of its audience on a broadcast has lost it.
DROP: Final = 0.5
#: Silent for longer than the usual is a platform's own matter, where this says so.
SILENCE_LIMIT: Final = "job_platform:audience_silence:limit"

#: On fewer days than this a scope has no history.
_LEAST_DAYS: Final = 3

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
        Group("live-audience-figures", _figures(timing), timing.scrape),
        Group("live-audience-minutes", _minutes(timing), timing.minute),
        Group("live-audience-days", _days(timing), timing.daily),
        Group("live-audience-history", _history(timing), timing.slow),
        Group("live-audience-indicators", _indicators(timing), timing.scrape),
    ]


def _figures(timing: Timing) -> list[Record]:
    gap, held = duration(timing.gap), duration(timing.held)
    before = duration(timing.baseline)
    last = f"last_over_time(broadcast:audience_viewers:baseline[{before}])"
    return [
        Record(
            "broadcast:audience_viewers:max",
            f"max by ({BROADCAST}) (audience_viewers)",
            "One series for each live broadcast, whichever worker has it.",
        ),
        Record(
            "broadcast:audience_viewers:held",
            f"""
            min_over_time(broadcast:audience_viewers:max[{held}])
            and on ({BROADCAST})
            broadcast:audience_viewers:max offset {held}
            """,
            "What lasted, so that one absurd sample is no audience that could be lost.",
        ),
        Record(
            "broadcast:audience_viewers:baseline",
            f"""
            (
              (
                {last}
                unless on ({BROADCAST})
                broadcast:audience_viewers:max
                >= on ({BROADCAST})
                {DROP} * {last}
              )
              or
              max_over_time(broadcast:audience_viewers:held[{before}])
            )
            and on ({BROADCAST})
            last_over_time(broadcast:audience_viewers:max[{before}])
            """,
            "The audience before a drop: the greatest of the last minutes that lasted, and while "
            "less than half of it is there, what it was before.",
        ),
        Record(
            "broadcast:audience_last_arrival_seconds:age",
            f"""
            time()
            - max by ({BROADCAST}) (last_over_time(audience_last_arrival_timestamp_seconds[{gap}]))
            unless on ({BROADCAST})
            last_over_time(audience_ended_timestamp_seconds[{gap}])
            """,
            "How long nothing came of a broadcast that has not ended. By arrival: one that tells "
            "everything late is not silent. A gap of scrapes is bridged.",
        ),
        Record(
            "platform_venue_programme:audience_viewers:max",
            f"""
            max by (platform, venue, programme) (
              broadcast:audience_viewers:max
              * on ({BROADCAST}) group_left (programme)
              max by ({BROADCAST}, programme) (audience_broadcast_info{{programme!=""}})
            )
            """,
            "The legs of simulcasts: whether they show any, so no sum of what may be exported in "
            "part. The title is left out first: while it changes, two workers may report two.",
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
            "platform_venue:audience_first_viewers:avg",
            f"""
            avg by (platform, venue) (
              max by ({BROADCAST}) (audience_first_viewers)
            )
            """,
        ),
    ]


def _days(timing: Timing) -> list[Record]:
    day = duration(timing.day)
    return [
        Record(
            "scope:audience_scope_viewers:max1d",
            f"""
            max_over_time(scope:audience_scope_viewers:max1m{{scope=~"world|venue"}}[{day}])
            """,
            "Of the day before, every two hours: what looks back for weeks reads these, some 12 "
            "samples a day. One that is missed loses nothing.",
        ),
        Record(
            "platform_venue:audience_first_viewers:avg1d",
            f"avg_over_time(platform_venue:audience_first_viewers:avg[{day}])",
        ),
    ]


def _history(timing: Timing) -> list[Record]:
    first_days = duration(timing.history - timing.history_offset)
    usual = f"[{first_days}] offset {duration(timing.history_offset)}"
    days = f"[{duration(timing.history - timing.day)}] offset {duration(timing.record_offset)}"
    recent = f"[{duration(timing.recent)}] offset {duration(timing.record_offset)}"
    of_days = f"max_over_time(scope:audience_scope_viewers:max1d{days})"
    of_hours = f'max_over_time(scope:audience_scope_viewers:max1m{{scope=~"world|venue"}}{recent})'
    return [
        Record(
            "platform_venue:audience_first_viewers:median14d_avg",
            f"""
            quantile_over_time(0.5,
              platform_venue:audience_first_viewers:avg1d{usual}
            )
            """,
            "What is usual: the median of the days on which the venue was on the air, without the "
            "last one.",
        ),
        Record(
            "scope:audience_scope_viewers:max14d",
            f"""
            (
              {of_days} > {of_hours}
              or
              {of_hours}
              or
              {of_days}
            )
            and
            count_over_time(scope:audience_scope_viewers:max1d{days})
            >= {round(_LEAST_DAYS * timing.day / timing.daily)}
            """,
            "The record to be broken: of days, and of the hours after the last of them that is "
            "recorded. Where there are three days at least: the second evening is no news.",
        ),
    ]


def _indicators(timing: Timing) -> list[Record]:
    rate = duration(timing.rate)
    return [
        *(
            Record(
                SILENCE_LIMIT,
                f"""
                job_platform:audience_live_broadcasts:max{{platform="{platform}"}} * 0
                + {number(seconds)}
                """,
                "For so long a broadcast of this platform may send nothing.",
            )
            for platform, seconds in timing.silences.items()
        ),
        Record(
            "job:audience_worker_ready:max",
            "max by (job) (audience_worker_ready)",
            "Also: which systems there are.",
        ),
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
        *(
            Record(
                f"job_platform:audience_events:increase{window}",
                f"""
                sum by (job, platform) (
                  increase(audience_events_total{{platform!=""}}[{duration(seconds)}])
                )
                """,
                "Whatever became of them: a platform whose events are all refused is not silent."
                if window == "2m"
                else "",
            )
            for window, seconds in (
                ("2m", timing.quiet),
                ("3m", timing.stopped),
                ("5m", timing.rate),
            )
        ),
        Record(
            "job_platform:audience_events:quiet3m",
            f"""
            job_platform:audience_events:increase3m == 0
            and on (job, platform)
            sum by (job, platform) (
              audience_events_total{{platform!=""}} offset {duration(timing.stopped)}
            )
            """,
            "Was known for so long, and sent nothing. The first two scrapes of a platform, as "
            "after all workers began anew, may show the same count without that.",
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
