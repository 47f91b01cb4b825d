"""Text from strangers, safe to be shown."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text without what could steer a terminal."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
