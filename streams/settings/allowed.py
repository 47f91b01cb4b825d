"""Says for people which values a setting may have, from its type and its limits."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import annotated_types

from streams.settings.durations import format_duration
from streams.settings.model import Settings
from streams.settings.types import Allowed


def allowed(field: str) -> str:
    """The allowed values of a field of `Settings`, e.g. `a whole number from 1 to 65535`."""
    info = Settings.model_fields[field]
    text = _kind(info.annotation)
    least: Any = None
    most: Any = None
    for part in info.metadata:
        if isinstance(part, Allowed):
            text = part.text
        elif isinstance(part, annotated_types.Ge):
            least = part.ge
        elif isinstance(part, annotated_types.Le):
            most = part.le
    return text + _limits(least, most)


def _kind(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return "one of " + ", ".join(get_args(annotation))
    if annotation is int:
        return "a whole number"
    if Path in (annotation, *get_args(annotation)):
        return "a path"
    return "a text that is not empty"


def _limits(least: Any, most: Any) -> str:
    if least is not None and most is not None:
        return f" from {_shown(least)} to {_shown(most)}"
    if least is not None:
        return f", {_shown(least)} or more"
    return "" if most is None else f", at most {_shown(most)}"


def _shown(limit: Any) -> str:
    return format_duration(limit) if isinstance(limit, timedelta) else str(limit)
