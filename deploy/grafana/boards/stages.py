"""The two stages: each reads a topic of its own, and may lag by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from boards.panels import PanelSeries
from boards.queries import largest, max_by, metric


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage.

    Attributes:
        name: The label `stage` of its metrics.
        what: What lies behind while it lags.
    """

    name: str
    what: str

    @property
    def matcher(self) -> str:
        """What chooses its metrics."""
        return f'stage="{self.name}"'


STAGES: Final = (
    Stage("broadcasts", "the figures of broadcasts, and with them all others"),
    Stage("scopes", "the figures of the world, platforms, venues and programmes"),
)
_SECONDS: Final = "audience_source_lag_seconds"
_RECORDS: Final = "audience_source_lag_records"


def behind(stage: Stage) -> str:
    """Return the age of the oldest record that waits in any partition of a stage."""
    return f"max({metric(_SECONDS, stage.matcher)})"


def behind_by_stage() -> PanelSeries:
    """Return the same of each stage, as curves."""
    return PanelSeries(max_by("stage", _SECONDS), "{{stage}}")


def waiting_by_stage() -> PanelSeries:
    """Return how many records wait in all partitions of each stage."""
    return PanelSeries(f"sum by (stage) ({max_by('stage, partition', _RECORDS)})", "{{stage}}")


def behind_anywhere() -> str:
    """Return the age of the oldest record that waits in either stage."""
    return f"max({metric(_SECONDS)})"


def furthest_behind(stage: Stage) -> PanelSeries:
    """Return the lag of the partitions of a stage that were furthest behind."""
    return PanelSeries(largest("stage, partition", _SECONDS, stage.matcher), "{{partition}}")
