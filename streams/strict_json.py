"""JSON read strictly: what RFC 8259 allows, in UTF-8, and nothing else."""

import re
from typing import Any, Final

import orjson

DEEPEST: Final = 1024
"""How deep arrays and objects may lie in one another: orjson's own limit, whatever the machine."""

_LARGE: Final = re.compile(
    r'"[^"\\]*(?:\\.[^"\\]*)*"'
    r"|(?:0|[1-9][0-9]*)(?:\.[0-9]+)?[eE][+-]?[0-9]{3,}"
    r"|[1-9][0-9]{300,}(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?",
    re.DOTALL,
)
"""Strings, which are passed over whole, and numbers that a float may not be able to hold."""


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
        bounded = _LARGE.sub(_bounded, text)
        if bounded == text:
            raise ValueError(f"not JSON: {error}") from None
    try:
        return orjson.loads(bounded)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg}") from None


def _bounded(found: re.Match[str]) -> str:
    token = found[0]
    return token if token[0] == '"' else "1e300"
