"""Times as people type them."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, Final

import click

from streams import rfc3339
from streams.settings.durations import parse_duration

if TYPE_CHECKING:
    from datetime import timedelta

_TO_THE_MINUTE: Final = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d)([Zz]|[+-]\d\d:\d\d)")


class Time(click.ParamType):
    """A time of RFC 3339, in microseconds since 1970 UTC; seconds may be left out."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it; fails as misuse where it is none."""
        if isinstance(value, int):
            return value
        short = _TO_THE_MINUTE.fullmatch(value)
        whole = value if short is None else "{}T{}:00{}".format(*short.groups())
        try:
            return rfc3339.microseconds(re.sub(r"^(.{10}) ", r"\1T", whole))
        except ValueError as error:
            self.fail(
                f"{value!r}: {error}; write it with its offset, e.g. 2026-11-22T19:05Z or "
                "2026-11-22T20:05:30+01:00",
                param,
                ctx,
            )


class TimeOrAgo(Time):
    """A time, or a duration: so long ago. In microseconds since 1970 UTC."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it; fails as misuse where it is neither."""
        ago = _duration(value)
        if ago is None:
            return super().convert(value, param, ctx)
        return max(0, time.time_ns() // 1000 - int(ago.total_seconds() * rfc3339.SECOND))


def _duration(value: Any) -> timedelta | None:
    try:
        return parse_duration(value) if isinstance(value, str) else None
    except ValueError:
        return None
