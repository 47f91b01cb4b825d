"""What happens when: all of it follows from how much faster than in production the rules are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from agents.alerts import Timing

#: Six times as fast: an event each 10 s stands for one a minute, 30 s of silence for 3 minutes.
SCALE: Final = 1 / 6

#: In production, in seconds: when the broadcast falls silent, for how long, and when again.
_QUIET_AFTER: Final = 360.0
_QUIET_FOR: Final = 450.0
_QUIET_EVERY: Final = 3600.0
_EVERY: Final = 60.0
#: What a scrape, the evaluation of the rules and Alertmanager's grouping add, in scrapes.
_ADDED: Final = 3
#: What is about the broadcast's own minutes, hours and days, which pass in real time here too.
_REAL: Final = (
    *("history", "history_offset", "record_offset", "day", "daily", "recent"),
    *("coverage_age", "leg_memory"),
)
_REAL_HOLDS: Final = ("BroadcastCoverageLow", "SimulcastLegMissing")


@dataclass(frozen=True, slots=True)
class Timeline:
    """When what happens, in seconds from the evening's start.

    Attributes:
        scale: Factor of all durations.
        timing: The durations of the rules.
        every: Between two events of a broadcast.
        quiet_after: The Louvre's broadcast falls silent;
        quiet_for: for so long;
        quiet_every: so long after that it does so again.
    """

    scale: float
    timing: Timing
    every: float
    quiet_after: float
    quiet_for: float
    quiet_every: float

    @classmethod
    def scaled(cls, scale: float) -> Timeline:
        """Return the plan for rules whose durations are those of production times `scale`.

        Raises:
            ValueError: the scale is not above 0.
        """
        real = Timing()
        holds = {
            name: real.holds[name] if name in _REAL_HOLDS else hold
            for name, hold in real.scaled(scale).holds.items()
        }
        timing = replace(
            real.scaled(scale),
            holds=MappingProxyType(holds),
            **{name: getattr(real, name) for name in _REAL},
        )
        return cls(
            scale,
            timing,
            every=_EVERY * scale,
            quiet_after=_QUIET_AFTER * scale,
            quiet_for=_QUIET_FOR * scale,
            quiet_every=_QUIET_EVERY * scale,
        )

    @property
    def fires(self) -> float:
        """When about somebody is told that it is silent."""
        wait = self.timing.silence + self.timing.holds["BroadcastSilent"].before
        return self.quiet_after - self.every + wait + self._added

    @property
    def comes_back(self) -> float:
        """When it is there again."""
        return self.quiet_after + self.quiet_for

    @property
    def resolves(self) -> float:
        """When about somebody is told that this is over."""
        return self.comes_back + self.timing.holds["BroadcastSilent"].after + self._added

    def quiet(self, elapsed: float) -> bool:
        """Whether the Louvre's broadcast is silent, so many seconds after the start."""
        since = elapsed - self.quiet_after
        return since >= 0 and since % self.quiet_every < self.quiet_for

    @property
    def _added(self) -> float:
        return _ADDED * self.timing.scrape
