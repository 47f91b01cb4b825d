"""Whole numbers that add up exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def shares(total: int, weights: Sequence[int]) -> Iterator[int]:
    """Yield whole shares of a total, each within 1 of what its weight asks for.

    Each is what the sum up to it, rounded down, has more than the one before: so they add up to the
    total exactly, and all is arithmetic of whole numbers, the same on every machine.

    Args:
        total: What is to be shared, at least 0.
        weights: At least 0, and not all of them 0.
    """
    whole = sum(weights)
    weighed = given = 0
    for weight in weights:
        weighed += weight
        due = total * weighed // whole
        yield due - given
        given = due
