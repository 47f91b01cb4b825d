"""How long a row waits for what: becoming stale, final and removed (contract, sections 3 and 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streams.audience import Row
    from streams.settings import Settings


class SettingsWaits:
    """The waits that the settings say.

    Args:
        settings: The settings in force.

    Attributes:
        shortest_silence: The shortest of all waits for silence, in seconds.
        shortest_stale: The shortest time after which what was told of viewers is stale, in seconds.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._margin = settings.final_margin.total_seconds()
        rules = [settings.rules(platform) for platform in settings.platforms()]
        shortest = min(each.lateness for each in rules) * 60.0
        if settings.silence is not None:
            shortest = min(shortest, settings.silence.total_seconds())
        self.shortest_silence = shortest + self._margin
        self.shortest_stale = min(settings.stale_seconds(each.carry) for each in rules)

    def silence(self, row: Row) -> float:
        """Return the seconds without a record after which a row is final."""
        if row.ended is not None and row.ended_at is not None:
            return row.lateness * 60 + self._margin
        if self._settings.silence is not None:
            return self._settings.silence.total_seconds() + self._margin
        return max(15, row.lateness) * 60 + self._margin

    def stale_at(self, row: Row) -> int:
        """Return the wall time in milliseconds from which a fresh row is stale."""
        return row.viewers_timestamp + int(self._settings.stale_seconds(row.carry) * 1000)

    def removed_at(self, row: Row) -> int:
        """Return the wall time in milliseconds after which a final row is removed."""
        margin = int(self._margin * 1000)
        return row.timestamp + (row.run_gap + row.lateness) * 60_000 + margin
