"""A histogram that is fed by the batch: many observations of few values cost a few additions."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from prometheus_client.utils import floatToGoString

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: The objective's: an event should be in the figures within so many seconds. It is a bucket's.
OBJECTIVE_SECONDS: Final = 10.0

#: Upper bounds in seconds.
BOUNDS: Final = (0.2, 0.5, 1.0, 2.0, 5.0, OBJECTIVE_SECONDS, 20.0, 30.0, 60.0, 120.0, 300.0, 3600.0)


class LatencyHistogram:
    """Counts events by how long they took.

    Args:
        bounds: The buckets' upper bounds in seconds, in their order.
    """

    def __init__(self, bounds: Sequence[float] = BOUNDS) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, arrivals: Iterable[tuple[int, int]], now: float) -> None:
        """Count events that are through.

        Args:
            arrivals: When they arrived in milliseconds, and how many then did. What is from the
                future, by another machine's clock, took no time.
            now: The time in seconds.
        """
        for arrived, count in arrivals:
            seconds = max(0.0, now - arrived / 1000)
            self._counts[bisect_left(self._bounds, seconds)] += count
            self._sum += seconds * count

    @property
    def sum(self) -> float:
        """All the seconds that they took together."""
        return self._sum

    def buckets(self) -> list[tuple[str, float]]:
        """The upper bounds as Prometheus writes them, and how many took no longer; `+Inf` last."""
        names = [*map(floatToGoString, self._bounds), "+Inf"]
        return list(zip(names, map(float, accumulate(self._counts)), strict=True))
