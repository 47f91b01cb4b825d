"""JSON read strictly: what RFC 8259 allows, in UTF-8, and nothing else."""

import re
from typing import Any, Final

import orjson

MAX_DEPTH: Final = 1024
"""How deep arrays and objects may lie in one another: orjson's own limit, whatever the machine."""

# A number that no float can hold has at least 200 digits in a row, or an exponent of three or more.
_KEPT_DIGITS: Final = 199
_MANY_DIGITS: Final = b"0" * (_KEPT_DIGITS + 1)
_SHAPE: Final = bytes.maketrans(b"123456789E", b"000000000e")
"""Shows a number's shape: each of its digits as 0."""
_NUMBER_BEGINS: Final = frozenset("-0123456789")
_EXPONENT: Final = re.compile(rb"[eE]\+?[0-9]{3,}+")
_DIGITS: Final = re.compile(rb"[0-9]++")

#: A pair of surrogates, or a lone one.
_SURROGATES: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)
_ESCAPE_BYTES: Final = 6

# Bytes that stand nowhere in JSON: while its strings are looked for, they stand for two escapes.
_BACKSLASH: Final = b"\x00"
_QUOTE: Final = b"\x01"


def loads(value: bytes) -> Any:
    """What a document says. Of a repeated name the last counts.

    Whole numbers beyond 64 bits come as floats, and those that no float can hold as another float:
    JSON sets numbers no bounds, and nobody here takes one of that size.

    The time it takes is bounded by the document's length, whatever it holds.

    Args:
        value: the document; no byte order mark, no NaN or Infinity, no lone surrogates.

    Raises:
        ValueError: it is not UTF-8, not JSON, or nested deeper than `MAX_DEPTH`.
    """
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8: {error.reason} at byte {error.start}") from None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        # orjson takes a number such as 1e400 for an error, which in JSON it is not; `pos` is where
        # the number begins.
        bounded = _bounded(value) if text[error.pos : error.pos + 1] in _NUMBER_BEGINS else None
        if bounded is None:
            raise ValueError(f"not JSON: {error}") from None
    try:
        return orjson.loads(bounded)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg}") from None


def without_lone_surrogates(document: bytes) -> bytes:
    """The same with U+FFFD for each surrogate that is escaped without its other half.

    Args:
        document: JSON, or what may be.
    """
    if _BACKSLASH in document:
        return document  # no JSON
    # From the left, as they are read: of two backslashes the second one escapes nothing.
    escaped = document.replace(rb"\\", _BACKSLASH)
    mended = _SURROGATES.sub(_mend, escaped)
    return document if mended == escaped else mended.replace(_BACKSLASH, rb"\\")


def _mend(found: re.Match[bytes]) -> bytes:
    return found[0] if len(found[0]) > _ESCAPE_BYTES else rb"\ufffd"


def _bounded(document: bytes) -> bytes | None:
    """The same with numbers that a float can hold; None if it cannot be JSON anyway.

    Where a number may not stand, what takes its place may not either. Nothing here is done number
    by number or string by string in Python: 64 KiB have 13,000 numbers such as 1e400.
    """
    if _BACKSLASH in document or _QUOTE in document:
        return None
    has_escapes = b"\\" in document
    if has_escapes:
        # From the left, as they are read: of two backslashes the second one escapes nothing.
        document = document.replace(rb"\\", _BACKSLASH).replace(rb"\"", _QUOTE)
    if 3 * document.count(b'"') > 2 * len(document) + 2:
        return None  # a string has two, and at least one byte parts it from the next
    parts = document.split(b'"')  # now every other one is what a string holds
    outside = _EXPONENT.sub(b"e99", b'"'.join(parts[::2]))
    parts[::2] = _with_fewer_digits(outside).split(b'"')
    document = b'"'.join(parts)
    if has_escapes:
        document = document.replace(_QUOTE, rb"\"").replace(_BACKSLASH, rb"\\")
    return document


def _with_fewer_digits(text: bytes) -> bytes:
    """A text with the first digits alone of each long row of them."""
    shape = text.translate(_SHAPE)
    pieces: list[bytes] = []
    at = 0
    while (start := shape.find(_MANY_DIGITS, at)) >= 0:
        pieces.append(text[at : start + _KEPT_DIGITS])
        found = _DIGITS.match(text, start)
        assert found is not None, "the shape shows digits there"
        at = found.end()
    return b"".join([*pieces, text[at:]])
