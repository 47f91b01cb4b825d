"""The published figures beside the computed ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from agents.demo.museums import museums

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agents.demo.museums import Museum
    from streams.summaries import BroadcastSummary

_DAY: Final = len("2020-09-25")


class Comparison(NamedTuple):
    """One published figure and what was computed.

    Attributes:
        museum: Whose broadcast it is of.
        figure: What it is, for people.
        published: As it was published.
        computed: What came out of the pipeline; None if nothing did.
    """

    museum: Museum
    figure: str
    published: int | str
    computed: int | str | None

    @property
    def same(self) -> bool:
        """Whether the published figure came out; a month is right for each of its days."""
        if isinstance(self.published, str):
            return str(self.computed).startswith(self.published)
        return self.published == self.computed

    @property
    def difference(self) -> str:
        """How far the computed figure is from the published one, for people."""
        if isinstance(self.published, int) and isinstance(self.computed, int):
            return f"{self.computed - self.published:+,}"
        return "differs"


def compare(summaries: Mapping[bytes, BroadcastSummary]) -> list[Comparison]:
    """Return every published figure beside the computed one, by the museums' order."""
    return [
        comparison for museum in museums() for comparison in _of(museum, summaries.get(museum.key))
    ]


def _of(museum: Museum, summary: BroadcastSummary | None) -> Iterator[Comparison]:
    expected = museum.published
    if expected.day is not None:
        day = None if summary is None else summary.started_at[:_DAY]
        yield Comparison(museum, "day" if len(expected.day) == _DAY else "month", expected.day, day)
    if expected.minutes is not None:
        minutes = None if summary is None else summary.minutes_live
        yield Comparison(museum, "minutes", expected.minutes, minutes)
    if expected.first_minute is not None:
        first = None if summary is None else summary.first_minute
        yield Comparison(museum, "viewers in the first minute", expected.first_minute, first)
    if expected.views is not None:
        views = None if summary is None else summary.views
        yield Comparison(museum, "views", expected.views, views)
