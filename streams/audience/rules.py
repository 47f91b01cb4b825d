"""What the settings say of how a broadcast's events are to be taken."""

from __future__ import annotations

import msgspec


class Rules(msgspec.Struct, frozen=True, gc=False):
    """How a broadcast's events are to be taken; fixed for a broadcast by its first event.

    Attributes:
        lateness: Minutes after which a minute is sealed, at least 1.
        carry: For how many minutes an audience stands in where none was observed, from 0.

    Raises:
        ValueError: one of them is too small.
    """

    lateness: int
    carry: int

    def __post_init__(self) -> None:
        if self.lateness < 1:
            raise ValueError(f"lateness is {self.lateness} min, must be at least 1")
        if self.carry < 0:
            raise ValueError(f"carry is {self.carry} min, must be at least 0")
