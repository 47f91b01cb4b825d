"""JSON read strictly: what RFC 8259 allows, in UTF-8, and nothing else."""

import re
from typing import Any, Final

import orjson

DEEPEST: Final = 1024
"""How deep arrays and objects may lie in one another: orjson's own limit, whatever the machine."""

_SUSPECT: Final = re.compile(r"[eE][+-]?[0-9]{3}|[0-9.]{200}")
"""Found in every number that a float may not be able to hold (a smaller one has at most 199 digits
and e99), and elsewhere."""
_TOKEN: Final = re.compile(
    r'"[^"\\]*(?:\\.[^"\\]*)*"?|(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?', re.DOTALL
)
"""A whole string, or a whole number but for its sign. A string without an end goes on to the end of
the text, so that the time this takes is in proportion to the text, whatever it holds."""


def loads(value: bytes) -> Any:
    """What a document says. Of a repeated name the last counts.

    Whole numbers beyond 64 bits come as floats, and those that no float can hold as 1e300: JSON
    sets numbers no bounds, and nobody here takes one of that size.

    Args:
        value: the document; no byte order mark, no NaN or Infinity, no lone surrogates.

    Raises:
        ValueError: it is not UTF-8, not JSON, or nested deeper than `DEEPEST`.
    """
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8: {error.reason} at byte {error.start}") from None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        # orjson takes a number such as 1e400 for an error, which in JSON it is not.
        if not _SUSPECT.search(text):
            raise ValueError(f"not JSON: {error}") from None
    try:
        return orjson.loads(_TOKEN.sub(_bounded, text))
    except orjson.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg}") from None


def _bounded(found: re.Match[str]) -> str:
    # Another number takes its place: where a number may not stand, that one may not either.
    token = found[0]
    return "1e300" if token[0] != '"' and _SUSPECT.search(token) else token
