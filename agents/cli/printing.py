"""How figures and other people's text are written on a terminal."""

from __future__ import annotations


def count(value: float | None) -> str:
    """A count; a dash where it is unknown, which is not 0."""
    return "-" if value is None else f"{value:,.0f}"


def time(text: str | None) -> str:
    """A time of a summary, up to its minute."""
    return "-" if text is None else text[:16].replace("T", " ")


def printable(text: str) -> str:
    """The text without what could steer a terminal."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
