"""What the settings say of how a broadcast's events are to be taken."""

from __future__ import annotations

from typing import Final

import msgspec

MAX_CARRY: Final = 60
"""Minutes."""

MAX_TOLERANCE: Final = 120
"""Minutes."""


class Rules(msgspec.Struct, frozen=True, gc=False):
    """How a broadcast's events are to be taken; fixed for a run by its first event.

    Attributes:
        lateness: Minutes after which a minute is sealed, at least 1.
        carry: For how many minutes an audience stands in where none was observed, 0 to `MAX_CARRY`.
        tolerance: For how many minutes after an end viewers do not undo it, 0 to `MAX_TOLERANCE`.
        restart_gap: How many minutes after an end that stands a new run may begin, at least
            `tolerance`.
        run_gap: How many minutes after its newest sign of life a new run of a broadcast without an
            end may begin, at least `restart_gap`.

    Raises:
        ValueError: one of them is too small or too large.
    """

    lateness: int
    carry: int
    tolerance: int = 10
    restart_gap: int = 60
    run_gap: int = 720

    def __post_init__(self) -> None:
        if self.lateness < 1:
            raise ValueError(f"lateness is {self.lateness} min, must be at least 1")
        for name, value, most in (
            ("carry", self.carry, MAX_CARRY),
            ("tolerance", self.tolerance, MAX_TOLERANCE),
        ):
            if value < 0:
                raise ValueError(f"{name} is {value} min, must be at least 0")
            if value > most:
                raise ValueError(f"{name} is {value} min, must be at most {most}")
        if not self.tolerance <= self.restart_gap <= self.run_gap:
            raise ValueError(
                f"tolerance ({self.tolerance} min), restart_gap ({self.restart_gap} min) and "
                f"run_gap ({self.run_gap} min) must not decrease in this order"
            )
