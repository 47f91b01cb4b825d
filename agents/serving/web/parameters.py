"""What the lists' query parameters have in common."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from agents.serving.web.operations import Parameter
from agents.serving.web.paging import decode_cursor
from agents.serving.web.responses import bad_request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiohttp import web

MAX_PAGE: Final = 1_000
USUAL_PAGE: Final = 100

LIMIT: Final = Parameter(
    "limit",
    "How many at most.",
    {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": USUAL_PAGE},
)
CURSOR: Final = Parameter("cursor", "The `next` of the page before.", {"type": "string"})

LOCAL: Final = Parameter(
    "local",
    "`true`: only what this worker owns, and nobody else is asked.",
    {"type": "string", "enum": ["true", "false"], "default": "false"},
)
PARTITIONS: Final = Parameter(
    "partitions",
    "With `local=true`: only of these partitions, separated by commas; then the answer has "
    "`places` too. It is what workers ask each other.",
    {"type": "string", "pattern": "^[0-9]{1,5}(,[0-9]{1,5})*$"},
)

_LIMIT: Final = re.compile(r"[0-9]{1,4}")


def given(request: web.Request, parameters: Sequence[Parameter]) -> dict[str, str]:
    """The query's parameters by name.

    Raises:
        ProblemError: one is not among those there are, comes twice, or is not as its schema says.
    """
    known = {parameter.name: parameter.schema for parameter in parameters}
    found: dict[str, str] = {}
    for name, text in request.query.items():
        if name not in known:
            raise bad_request(f"{name}: no such parameter, there are {', '.join(known)}")
        if name in found:
            raise bad_request(f"{name}: is given twice")
        _check(name, text, known[name])
        found[name] = text
    return found


def _check(name: str, text: str, schema: Mapping[str, Any]) -> None:
    pattern, choice = schema.get("pattern"), schema.get("enum")
    if pattern is not None and not re.fullmatch(pattern, text):
        raise bad_request(f"{name}: must match {pattern}")
    if choice is not None and text not in choice:
        raise bad_request(f"{name}: must be one of {', '.join(choice)}")


def limit_of(found: Mapping[str, str]) -> int:
    """How many are asked for.

    Raises:
        ProblemError: that is no such number.
    """
    text = found.get(LIMIT.name)
    if text is None:
        return USUAL_PAGE
    limit = int(text) if _LIMIT.fullmatch(text) else 0
    if not 1 <= limit <= MAX_PAGE:
        raise bad_request(f"limit: must be a whole number from 1 to {MAX_PAGE}")
    return limit


def after_of(found: Mapping[str, str]) -> tuple[int, bytes] | None:
    """The place behind which to go on.

    Raises:
        ProblemError: the cursor is none.
    """
    text = found.get(CURSOR.name)
    if text is None:
        return None
    try:
        return decode_cursor(text)
    except ValueError:
        raise bad_request("cursor: must be the `next` of a page before") from None


def is_local(found: Mapping[str, str]) -> bool:
    """Whether only this worker is asked."""
    return found.get(LOCAL.name) == "true"


def partitions_of(found: Mapping[str, str]) -> frozenset[int] | None:
    """The partitions that are asked for; None for all.

    Raises:
        ProblemError: They are asked for of the whole system.
    """
    text = found.get(PARTITIONS.name)
    if text is None:
        return None
    if not is_local(found):
        raise bad_request("partitions: goes with local=true alone")
    return frozenset(map(int, text.split(",")))


def slug(pattern: str) -> Mapping[str, Any]:
    """The schema of a text that matches a pattern."""
    return {"type": "string", "pattern": pattern}
