"""The settings that the contract names, read from the environment's text.

Minutes are whole minutes, `_ms` are milliseconds. Rules are those of one platform, and fixed for a
run at its first event.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from streams.settings.durations import parse_duration

BY_PLATFORM = {
    "AUDIENCE_LATENESS": "15m",
    "AUDIENCE_CARRY": "2m",
    "AUDIENCE_END_TOLERANCE": "10m",
    "AUDIENCE_RESTART_GAP": "1h",
    "AUDIENCE_RUN_GAP": "12h",
}
PLAIN = {
    "AUDIENCE_FUTURE": "2m",
    "AUDIENCE_STALE": "5m",
    "AUDIENCE_SILENCE": "",
    "AUDIENCE_FINAL_MARGIN": "1m",
    "AUDIENCE_TOMBSTONE": "35d",
}
LONGEST_CARRY = 60
LONGEST_TOLERANCE = 120


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings say of one platform."""

    lateness: int
    carry: int
    tolerance: int
    restart_gap: int
    run_gap: int
    silence_ms: int
    stale_ms: int


class Settings:
    """The settings in force, from texts such as `{"AUDIENCE_CARRY_BY_PLATFORM": "youtube=5m"}`.

    Raises ValueError for a name it does not know, and for what section 4 refuses.
    """

    def __init__(self, environment: Mapping[str, str] | None = None):
        given = dict(environment or {})
        self._plain = {
            name: given.pop(name, default) for name, default in (BY_PLATFORM | PLAIN).items()
        }
        self._by_platform = {
            name: dict(
                pair.split("=") for pair in given.pop(f"{name}_BY_PLATFORM", "").split(",") if pair
            )
            for name in BY_PLATFORM
        }
        if given:
            raise ValueError(f"not settings that the twin knows: {sorted(given)}")
        self.future_ms = self._ms("AUDIENCE_FUTURE")
        self.margin_ms = self._ms("AUDIENCE_FINAL_MARGIN")
        self.tombstone_ms = self._ms("AUDIENCE_TOMBSTONE")
        self._rules: dict[str, Rules] = {}
        for platform in {"", *(name for texts in self._by_platform.values() for name in texts)}:
            self.rules(platform)

    def rules(self, platform: str) -> Rules:
        """What holds for a platform."""
        if platform not in self._rules:
            self._rules[platform] = self._work_out(platform)
        return self._rules[platform]

    def _work_out(self, platform: str) -> Rules:
        lateness, carry, tolerance, restart_gap, run_gap = (
            parse_duration(self._by_platform[name].get(platform, self._plain[name]))
            // timedelta(minutes=1)
            for name in BY_PLATFORM
        )
        if not (
            lateness >= 1
            and 0 <= carry <= LONGEST_CARRY
            and 0 <= tolerance <= LONGEST_TOLERANCE
            and tolerance <= restart_gap <= run_gap
        ):
            raise ValueError(f"settings that the contract refuses, of platform {platform!r}")
        return Rules(
            lateness,
            carry,
            tolerance,
            restart_gap,
            run_gap,
            silence_ms=(
                self._ms("AUDIENCE_SILENCE")
                if self._plain["AUDIENCE_SILENCE"]
                else max(15, lateness) * 60_000
            ),
            stale_ms=max(self._ms("AUDIENCE_STALE"), (carry + 1) * 60_000),
        )

    def _ms(self, name: str) -> int:
        return parse_duration(self._plain[name]) // timedelta(milliseconds=1)
