"""Numbers as Grafana writes them, by its names of units."""

import math
from datetime import UTC, datetime

_BYTES = ("B", "KiB", "MiB", "GiB", "TiB")
_TIMES = ((86_400, "days"), (3_600, "hours"), (60, "mins"))


def text(value, unit):
    """The value with its unit."""
    if value is None or math.isnan(value):
        return "-"
    return _WRITERS.get(unit, _short)(value)


def axis(value, unit):
    """The same for an axis, where room is scarce."""
    if unit == "locale" and abs(value) >= 10_000:
        return f"{value / 1000:,.0f}K" if abs(value) < 1_000_000 else f"{value / 1_000_000:,.1f}M"
    return text(value, unit)


def _short(value):
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    rounded = f"{value:,.{min(digits, 4)}f}"
    return rounded.rstrip("0").rstrip(".") if "." in rounded else rounded


def _seconds(value):
    if value == 0:
        return "0 s"
    if abs(value) < 1:
        return f"{_short(value * 1000)} ms"
    for size, name in _TIMES:
        if abs(value) >= size:
            return f"{_short(value / size)} {name if value != size else name.removesuffix('s')}"
    return f"{_short(value)} s"


def _bytes(value):
    power = min(len(_BYTES) - 1, int(math.log(max(value, 1), 1024)))
    return f"{_short(value / 1024**power)} {_BYTES[power]}"


def _count(value):
    return f"{value:,.0f}" if value == int(value) or value >= 100 else f"{value:,.2f}"


def _moment(milliseconds):
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


_WRITERS = {
    "percentunit": lambda value: f"{_short(value * 100)}%",
    "s": _seconds,
    "bytes": _bytes,
    "cps": lambda value: f"{_short(value)} c/s",
    "dateTimeAsIso": _moment,
    "locale": _count,
}
