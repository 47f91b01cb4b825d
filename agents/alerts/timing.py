"""Every duration of the rules, in one place, so that a demo or a test can run them faster."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECOND, _MINUTE, _HOUR, _DAY = 1.0, 60.0, 3_600.0, 86_400.0
_UNITS: Final = (("d", _DAY), ("h", _HOUR), ("m", _MINUTE), ("s", _SECOND))


class AlertDelay(NamedTuple):
    """How long an alert waits, in seconds.

    Attributes:
        before: Its condition must have held for so long until it fires (`for`).
        after: It goes on firing for so long after the condition held last (`keep_firing_for`).
    """

    before: float
    after: float


# The waits before are longer than a rebalance with its restore; those after bridge a hand-over in
# which a broadcast's series are away (10 s until a dead worker is noticed, and the restore).
_HOLDS: Final[Mapping[str, AlertDelay]] = MappingProxyType(
    {
        "BroadcastSilent": AlertDelay(_MINUTE, 2 * _MINUTE),
        # Longer than the last minutes of a show, in which people leave.
        "BroadcastAudienceDropped": AlertDelay(5 * _MINUTE, 2 * _MINUTE),
        "BroadcastAudienceSurged": AlertDelay(_MINUTE, 2 * _MINUTE),
        "BroadcastFirstMinuteLow": AlertDelay(2 * _MINUTE, 5 * _MINUTE),
        "AudienceRecord": AlertDelay(2 * _MINUTE, 10 * _MINUTE),
        "BroadcastCoverageLow": AlertDelay(5 * _MINUTE, 5 * _MINUTE),
        "SpikeImplausible": AlertDelay(5 * _MINUTE, 2 * _MINUTE),
        # Legs end within minutes of each other, and a platform may tell of it minutes late.
        "SimulcastLegMissing": AlertDelay(10 * _MINUTE, 2 * _MINUTE),
        "WorkerDown": AlertDelay(_MINUTE, _MINUTE),
        "NoWorkerReady": AlertDelay(_MINUTE, _MINUTE),
        # What mutes others lasts longer than they: not all come back with the first event.
        "EventsStopped": AlertDelay(2 * _MINUTE, 6 * _MINUTE),
        "PlatformSilent": AlertDelay(2 * _MINUTE, 4 * _MINUTE),
        "PartitionsUnowned": AlertDelay(2 * _MINUTE, _MINUTE),
        "WorkerRestarts": AlertDelay(0.0, 5 * _MINUTE),
        "SessionsLost": AlertDelay(0.0, 5 * _MINUTE),
        "PlatformRefused": AlertDelay(2 * _MINUTE, 5 * _MINUTE),
        "ScrapeSlow": AlertDelay(5 * _MINUTE, 5 * _MINUTE),
        "Watchdog": AlertDelay(0.0, 0.0),
        "LagGrowing": AlertDelay(5 * _MINUTE, 2 * _MINUTE),
        "ErrorBudgetBurnsFast": AlertDelay(2 * _MINUTE, 5 * _MINUTE),
        "ErrorBudgetBurns": AlertDelay(10 * _MINUTE, 15 * _MINUTE),
        "FiguresStale": AlertDelay(_MINUTE, 2 * _MINUTE),
        "EventsRefused": AlertDelay(2 * _MINUTE, 5 * _MINUTE),
        "EventsFailed": AlertDelay(0.0, 5 * _MINUTE),
        "EventsFailing": AlertDelay(_MINUTE, 5 * _MINUTE),
        "ScopeChangesSkipped": AlertDelay(0.0, 5 * _MINUTE),
        "EventsLate": AlertDelay(10 * _MINUTE, 5 * _MINUTE),
        "RestoreTooLong": AlertDelay(3 * _MINUTE, _MINUTE),
        "WorkersFencedRepeatedly": AlertDelay(0.0, 5 * _MINUTE),
        "TransactionsFailing": AlertDelay(0.0, 5 * _MINUTE),
        "BroadcastsNotExported": AlertDelay(10 * _MINUTE, 5 * _MINUTE),
        "ProducerClockSkewed": AlertDelay(5 * _MINUTE, 5 * _MINUTE),
        "TopicMisconfigured": AlertDelay(_MINUTE, 5 * _MINUTE),
        "PollSilent": AlertDelay(2 * _MINUTE, 2 * _MINUTE),
        "PollRefused": AlertDelay(0.0, 5 * _MINUTE),
        "PollBudgetShort": AlertDelay(10 * _MINUTE, 5 * _MINUTE),
        "SubscriptionMissing": AlertDelay(15 * _MINUTE, 5 * _MINUTE),
        "SubscriptionRevoked": AlertDelay(0.0, 5 * _MINUTE),
        "WebhooksRefused": AlertDelay(2 * _MINUTE, 5 * _MINUTE),
        "GatewayUnacknowledged": AlertDelay(_MINUTE, 5 * _MINUTE),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Durations in seconds.

    All are of the wall clock and can be scaled together. What is counted in minutes of event time
    cannot: samples come once a minute, and `window="5m"` of a peak is five of those. So a demo
    that is scaled must send that much oftener, or replace single values:
    `dataclasses.replace(Timing().scaled(0.1), silence=150)`.

    Attributes:
        scrape: Between two scrapes, and between two evaluations of the rules.
        gap: A series that is away for no longer is bridged: a failed scrape or a restart.
        silence: A broadcast of which nothing arrived for so long is silent; samples come once a
            minute.
        silences: The same for single platforms.
        known: A system that was there within so long is missed when it is gone.
        held: An audience that lasted so long is one that can be lost;
        baseline: it is the greatest such of so long, also through a gap of so long.
        behind: While records wait longer, silence is the pipeline's, not the broadcast's.
        replayed: What is older was sent late or again, and says nothing about now.
        surge_window: A surge is measured against the greatest audience of so long,
        surge_offset: which ended so long ago.
        surge_age: The beginning of a show always grows; it is left out.
        first_age: For so long after its start a broadcast's first audience is news.
        coverage_age: Before this, a hole weighs too much.
        leg_memory: A platform that showed a programme within so long is one of its legs.
        history: How far back the usual and the record reach. Prometheus keeps 15 days by default.
        history_offset: Today is not part of what is usual.
        record_offset: What is younger does not count as the record that is broken.
        minute: The grid of the peaks by minute.
        slow: Between two evaluations of what looks back for weeks.
        day: What is recorded by day spans so much,
        daily: and is recorded so often;
        recent: for so long what is recorded by day may lack the newest.
        rate: Window of the rates.
        counted: Window in which faults of workers are counted.
        lag_window: Window over which lag must grow.
        lag_least: It must have been at least so long all the while: less comes and goes.
        burn_hour: The windows of the fast burn of the error budget are this and `rate`,
        burn_long: those of the slow one this
        burn_short: and this.
        stale: Age of the oldest waiting record from which figures count as stale.
        stopped: Without an event for so long, the input stands still; with the alert's own wait
            before it fires, 5 minutes.
        quiet: A platform that sends nothing for so long may be silent as a whole: whether it is
            is waited for, before its single broadcasts are told of.
        usual: A platform is silent if it never was so within this time before.
        usual_offset: That time ends so long ago, so that the silence itself is not part of it.
        scrape_timeout: `scrape_timeout` of the scrape configuration.
        poll_silence: Without an answer that tells of a live broadcast for so long, a poll is
            silent.
        skew: By so much may a producer's clock be ahead; AUDIENCE_FUTURE rejects at 2 min.
        holds: What each alert waits, by its name.
    """

    scrape: float = 15 * _SECOND
    gap: float = _MINUTE
    silence: float = 3 * _MINUTE
    silences: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    known: float = _DAY
    held: float = 2 * _MINUTE
    baseline: float = 5 * _MINUTE
    behind: float = _MINUTE
    replayed: float = 6 * _HOUR
    surge_window: float = 15 * _MINUTE
    surge_offset: float = 5 * _MINUTE
    surge_age: float = 20 * _MINUTE
    first_age: float = 30 * _MINUTE
    coverage_age: float = 10 * _MINUTE
    leg_memory: float = _HOUR
    history: float = 14 * _DAY
    history_offset: float = _DAY
    record_offset: float = _HOUR
    minute: float = _MINUTE
    slow: float = 2 * _MINUTE
    day: float = _DAY
    daily: float = 2 * _HOUR
    recent: float = 3 * _HOUR
    rate: float = 5 * _MINUTE
    counted: float = 15 * _MINUTE
    lag_window: float = 5 * _MINUTE
    lag_least: float = 10 * _SECOND
    burn_hour: float = _HOUR
    burn_long: float = 6 * _HOUR
    burn_short: float = 30 * _MINUTE
    stale: float = 2 * _MINUTE
    stopped: float = 3 * _MINUTE
    quiet: float = 2 * _MINUTE
    usual: float = _HOUR
    usual_offset: float = 5 * _MINUTE
    scrape_timeout: float = 10 * _SECOND
    poll_silence: float = 5 * _MINUTE
    skew: float = _MINUTE
    holds: Mapping[str, AlertDelay] = field(default_factory=lambda: _HOLDS)

    def scaled(self, factor: float) -> Timing:
        """All durations times a factor, e.g. 0.1 for rules that are ten times as fast.

        Raises:
            ValueError: the factor is not above 0.
        """
        if factor <= 0:
            raise ValueError(f"the scale must be above 0, not {factor}")
        plain = {
            each.name: getattr(self, each.name) * factor
            for each in fields(self)
            if each.name not in {"holds", "silences"}
        }
        silences = {platform: each * factor for platform, each in self.silences.items()}
        holds = {
            name: AlertDelay(hold.before * factor, hold.after * factor)
            for name, hold in self.holds.items()
        }
        return Timing(**plain, silences=MappingProxyType(silences), holds=MappingProxyType(holds))


def duration(seconds: float) -> str:
    """Write a duration as Prometheus reads it, e.g. `90s`, `5m`, `14d`, `1500ms`."""
    for unit, size in _UNITS:
        count = seconds / size
        if count >= 1 and count == int(count):
            return f"{int(count)}{unit}"
    return f"{round(seconds * 1000)}ms" if seconds else "0s"


def number(seconds: float) -> str:
    """Write a duration as a number of seconds, for comparisons in an expression."""
    return f"{round(seconds, 3):.12g}"
