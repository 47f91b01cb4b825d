"""The season's published totals beside the computed ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from agents.demo.season.generator import Season
    from streams.summaries import ScopeSummary


class Total(NamedTuple):
    """One total, and what was computed.

    Attributes:
        figure: What it is, for people.
        published: What it is to be: with the whole season, as it was published.
        computed: What came out of the pipeline.
    """

    figure: str
    published: int
    computed: int

    @property
    def same(self) -> bool:
        """Whether it came out."""
        return self.published == self.computed


def totals(world: ScopeSummary, season: Season) -> list[Total]:
    """Return the totals of the world beside those that the season was made for."""
    return [
        Total("broadcasts", len(season.broadcasts), world.broadcasts),
        Total("views", season.views, world.views),
    ]
