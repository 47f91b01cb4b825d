"""The settings: from the environment, a `.env` file or `--set`, checked all at once."""

from __future__ import annotations

from streams.settings.durations import format_duration, milliseconds, parse_duration
from streams.settings.loading import Loaded, load
from streams.settings.model import PREFIX, Settings

__all__ = [
    "PREFIX",
    "Loaded",
    "Settings",
    "format_duration",
    "load",
    "milliseconds",
    "parse_duration",
]
