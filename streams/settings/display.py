"""Shows settings to people, and in a form that can be read back; secrets are hidden in both."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from pydantic import SecretStr

from streams.settings.durations import format_duration
from streams.settings.model import PREFIX, Settings

HIDDEN: Final = "***"


def env_name(field: str) -> str:
    """The name that a field of `Settings` has in the environment."""
    return PREFIX + field.upper()


def shown(settings: Settings, field: str) -> str:
    """The value of a field as text that reads back as the same value, or `***` for a secret."""
    return _text(getattr(settings, field))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return HIDDEN if value.get_secret_value() else ""
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if isinstance(value, Mapping):
        return ",".join(f"{name}={_text(each)}" for name, each in value.items())
    return str(value)
