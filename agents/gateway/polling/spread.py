"""Numbers that look random and are not: the same text gives the same one, in every process."""

from __future__ import annotations

import zlib
from typing import Final

_ALL: Final = 2**32


def order(text: str) -> int:
    """A whole number that a text has."""
    return zlib.crc32(text.encode(errors="surrogatepass"))


def between(text: str) -> float:
    """A number from 0 to below 1 that a text has."""
    return order(text) / _ALL
