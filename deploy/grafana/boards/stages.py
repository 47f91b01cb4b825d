"""The two stages: each reads a topic of its own, may lag by itself, and has metrics of its own.

What all panels ask of a stage is asked here, so that another way of telling the stages apart (a
label in the place of two names) is a change of this file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from boards.panels import PanelSeries
from boards.queries import largest, max_by, metric

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage.

    Attributes:
        name: As it is called on the boards.
        what: What lies behind while it lags.
        seconds: Its lag, as the age of the oldest record that waits.
        records: Its lag, as the number of records that wait.
    """

    name: str
    what: str
    seconds: str
    records: str


STAGES: Final = (
    Stage(
        "broadcasts",
        "the figures of broadcasts, and with them all others",
        "audience_source_lag_seconds",
        "audience_source_lag_records",
    ),
    Stage(
        "scopes",
        "the figures of the world, platforms, venues and programmes",
        "audience_scopes_lag_seconds",
        "audience_scopes_lag_records",
    ),
)


def behind(stage: Stage) -> str:
    """Return the age of the oldest record that waits in any partition of a stage."""
    return f"max({metric(stage.seconds)})"


def behind_by_stage() -> Iterator[PanelSeries]:
    """Yield the same of each stage, as a curve."""
    for stage in STAGES:
        yield PanelSeries(behind(stage), stage.name)


def waiting_by_stage() -> Iterator[PanelSeries]:
    """Yield how many records wait in all partitions of each stage."""
    for stage in STAGES:
        yield PanelSeries(f"sum({max_by('partition', stage.records)})", stage.name)


def behind_anywhere() -> str:
    """Return the age of the oldest record that waits in either stage."""
    either = f'__name__=~"{"|".join(stage.seconds for stage in STAGES)}"'
    return f"max({metric('', either)})"


def furthest_behind(stage: Stage) -> PanelSeries:
    """Return the lag of the partitions of a stage that were furthest behind."""
    return PanelSeries(largest("partition", stage.seconds), "{{partition}}")
