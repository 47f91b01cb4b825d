"""Times as RFC 3339 (section 5.6) writes them, to whole microseconds since 1970 UTC and back.

Events of a stream name few distinct minutes and few distinct tails (`:34Z`), so each half is parsed
once and then looked up: the sum of `MINUTES[text[:16]]` and `TAILS[text[16:]]` is the time of a
text both of whose halves are known, and a hot loop may write just that. Every pair of halves in the
two makes a right time: minutes within a day of either end of the range are left out, for there the
tail's offset decides.
"""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
DAY: Final = 24 * 60 * MINUTE
END: Final = 2_932_897 * DAY
"""The first microsecond of the year 10000 UTC, and so the first that no time may have."""

MINUTES: Final[dict[str, int]] = {}
"""`2020-03-01T20:15` to its microseconds, before the offset is taken off. Never replaced."""
TAILS: Final[dict[str, int]] = {}
"""`:34Z`, `:34.5+08:00`: what is to be added to the minute, in microseconds. Never replaced."""

PATTERN: Final = (
    "^(1969|19[7-9][0-9]|[2-9][0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    "[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]+)?"
    "([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
"""What a regular expression can say of a time, for JSON Schema. `microseconds` is stricter: it
knows how long months are, and where the range ends (31 December 1969 can be 1970 in UTC)."""

_KEPT: Final = 100_000
"""How many of each are kept: a week of minutes is 10,080, tails to the millisecond are 60,000."""
_KEPT_DIGITS: Final = 3
"""Tails with longer fractions hardly come twice, and would only push out those that do."""

_EPOCH: Final = date(1970, 1, 1).toordinal()
_START: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HEAD: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2})")
_TAIL: Final = re.compile(r":([0-9]{2})(?:\.([0-9]++))?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))")


def microseconds(text: str) -> int:
    """The time that a text names, its fraction cut at microseconds.

    Args:
        text: date, `T` or `t`, time, perhaps a fraction of any length, then `Z`, `z` or an offset.

    Returns:
        Microseconds since 1970 UTC, from 0 to below the year 10000.

    Raises:
        ValueError: it is no such time, a leap second, or outside the years 1970 to 9999 in UTC.
    """
    head, tail = text[:16], text[16:]
    minute = MINUTES.get(head)
    if minute is None:
        minute = _minute(head)
    rest = TAILS.get(tail)
    if rest is None:
        rest = _rest(tail) if tail[3:4] != "." else _fractional(tail)
    at = minute + rest
    if not 0 <= at < END:
        raise ValueError("outside the years 1970 to 9999 in UTC")
    return at


def text(at: int) -> str:
    """A time as text with `Z`; a fraction only where there is one, without trailing zeros.

    Args:
        at: microseconds since 1970 UTC, from 0 to below the year 10000.
    """
    written = (_START + timedelta(microseconds=at)).replace(tzinfo=None).isoformat()
    if at % SECOND:
        written = written.rstrip("0")
    return written + "Z"


def _minute(head: str) -> int:
    found = _HEAD.fullmatch(head)
    if found is None:
        raise ValueError("not a time of RFC 3339")
    year, month, day, hour, minute = map(int, found.groups())
    if hour > 23 or minute > 59:  # noqa: PLR2004 - a day's hours, an hour's minutes
        raise ValueError("no such time of day")
    try:
        days = date(year, month, day).toordinal() - _EPOCH
    except ValueError:
        raise ValueError("no such day") from None
    at = days * DAY + (hour * 60 + minute) * MINUTE
    if DAY <= at < END - DAY:
        if len(MINUTES) >= _KEPT:
            MINUTES.clear()
        MINUTES[head] = at
    return at


def _fractional(tail: str) -> int:
    # With six digits, as Python writes its times, the tail without them is most likely known.
    digits = tail[4:10]
    if len(digits) == 6 and digits.isascii() and digits.isdigit() and tail[10:11] in "Zz+-":  # noqa: PLR2004 - microseconds
        whole = tail[:3] + tail[10:]
        rest = TAILS.get(whole)
        return (_rest(whole) if rest is None else rest) + int(digits)
    return _rest(tail)


def _rest(tail: str) -> int:
    found = _TAIL.fullmatch(tail)
    if found is None:
        raise ValueError("not a time of RFC 3339")
    second, fraction, sign, hours, minutes = found.groups()
    if second == "60":
        raise ValueError("a leap second, which has no place in a minute")
    if second > "59":
        raise ValueError("no such time of day")
    rest = int(second) * SECOND
    if fraction is not None:
        rest += int(fraction[:6].ljust(6, "0"))
    if sign is not None:
        if hours > "23" or minutes > "59":
            raise ValueError("no such offset")
        offset = (int(hours) * 60 + int(minutes)) * MINUTE
        rest += offset if sign == "-" else -offset
    if fraction is None or len(fraction) <= _KEPT_DIGITS:
        if len(TAILS) >= _KEPT:
            TAILS.clear()
        TAILS[tail] = rest
    return rest
