"""What is told of settings that do not go together."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Conflict:
    """Settings that do not go together.

    Attributes:
        names: the fields of `Settings` that it is about, the one to change first.
        text: what is wrong and what would be right, for people.
    """

    names: tuple[str, ...]
    text: str
