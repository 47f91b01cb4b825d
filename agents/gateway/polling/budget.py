"""How many calls a platform allows, saved up bit by bit. Pure: the time is always given.

What may be spent grows evenly with the time: at any time it is at most what the day has brought so
far. A day that begins quietly leaves more for its evening. What was spent is written down before it
is, so whoever takes a poll over knows what is left; where nothing was written down, nothing is.
"""

from __future__ import annotations

import abc
import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

#: A clock that was set back by no more than this is waited for.
_SET_BACK: Final = 60.0
#: Of the points of a minute, so many may be saved up and spent at once; the rest comes evenly.
_AT_ONCE: Final = 0.1
_MINUTE: Final = 60.0


class Budget(abc.ABC):
    """What may be spent, in the platform's own units.

    A new one has nothing, and a share of 0.
    """

    def __init__(self) -> None:
        self._left = 0.0
        self._at: float | None = None
        self._share = 0.0

    @abc.abstractmethod
    def period(self, now: float) -> tuple[float, float]:
        """Begin and end of the time whose units are used up or lost, in Unix seconds."""

    @abc.abstractmethod
    def spent(self, now: float) -> float | None:
        """Units of this period that are spent or were lost; None where nobody need know it."""

    @abc.abstractmethod
    def resume(self, begins: float, units: float, now: float) -> None:
        """Go on with what was written down of a budget.

        Args:
            begins: when the period began of which it was written down, in Unix seconds.
            units: that were spent of it.
            now: Unix seconds.
        """

    @abc.abstractmethod
    def _rate(self, now: float) -> float:
        """Units a second that all gateways have together."""

    @abc.abstractmethod
    def _most(self) -> float:
        """So many can be saved up."""

    @property
    def share(self) -> float:
        """The part of it that is this gateway's, from 0 to 1."""
        return self._share

    def set_share(self, share: float, now: float) -> None:
        """Have another part of it from now on; what was saved stays.

        Args:
            share: from 0 to 1; those of all gateways must add up to 1 at most.
            now: Unix seconds.
        """
        self._advance(now)
        self._share = share

    def rate(self, now: float) -> float:
        """Units a second that this gateway has."""
        return self._rate(now) * self._share

    def left(self, now: float) -> float:
        """Units that may be spent at once."""
        self._advance(now)
        return max(0.0, self._left)

    def until(self, now: float, then: float) -> float:
        """Units that can be spent up to a time to come, if each is spent as it comes."""
        end = min(then, self.period(now)[1])
        self._advance(now)
        return max(0.0, self._left + self.rate(now) * max(0.0, end - now))

    def take(self, cost: float, now: float) -> bool:
        """Spend units if they are there; whether they were."""
        self._advance(now)
        if self._left < cost:
            return False
        self._left -= cost
        return True

    def give_back(self, cost: float, now: float) -> None:
        """Have units again that were taken for a call that was not made."""
        self._advance(now)
        self._left += cost

    def told(self, remaining: float, now: float) -> None:
        """Believe the platform where it says that less is left: another program may spend too."""
        self._advance(now)
        self._left = min(self._left, max(0.0, remaining))

    def lasts(self, need: float, now: float) -> float:
        """For how many seconds a need can be met, infinite if to the end of the period.

        Args:
            need: units a second.
            now: Unix seconds.
        """
        missing = need - self.rate(now)
        if missing <= 0:
            return math.inf
        lasts = self.left(now) / missing
        return math.inf if now + lasts >= self.period(now)[1] else lasts

    def _advance(self, now: float) -> None:
        if self._at is None:
            self._at = now
            return
        if now < self._at:
            if self._at - now > _SET_BACK:
                # The clock was set back by much: what it brings from now on, it has brought before.
                self._at, self._left = now, 0.0
            return
        begin = self.period(now)[0]
        if self._at < begin:
            self._at, self._left = begin, 0.0
        self._left = min(self._most(), self._left + self.rate(now) * (now - self._at))
        self._at = now


class DayBudget(Budget):
    """Units a day, such as YouTube's: what the day has not used is lost at its end.

    Args:
        units: of a day.
        zone: whose midnight ends the day.
        reserve: the part of it that is left to others, from 0 to 1.
    """

    def __init__(self, units: int, zone: ZoneInfo, reserve: float = 0.0) -> None:
        super().__init__()
        self._units = units * (1 - reserve)
        self._zone = zone
        self._day = (0.0, 0.0)

    def period(self, now: float) -> tuple[float, float]:
        """Midnight before and after; a day of 23 or 25 hours is one day."""
        begin, end = self._day
        if not begin <= now < end:
            today = datetime.fromtimestamp(now, UTC).astimezone(self._zone).date()
            self._day = (self._midnight(today), self._midnight(today + timedelta(days=1)))
        return self._day

    def spent(self, now: float) -> float:
        """What the day has brought so far and is not left."""
        self._advance(now)
        return self._brought(now) - self._left

    def resume(self, begins: float, units: float, now: float) -> None:
        """Have what the day has brought so far without what was spent; all, of an older day.

        It is less than nothing where more was spent: that is made up for by what the day brings.
        """
        self._advance(now)
        today = self.period(now)[0]
        self._left = self._brought(now) - (units if begins >= today else 0.0)

    def _brought(self, now: float) -> float:
        begin, _ = self.period(now)
        return self.rate(now) * (now - begin)

    def _midnight(self, day: object) -> float:
        return datetime.fromisoformat(f"{day}T00:00:00").replace(tzinfo=self._zone).timestamp()

    def _rate(self, now: float) -> float:
        begin, end = self.period(now)
        return self._units / (end - begin)

    def _most(self) -> float:
        return self._units


class MinuteBudget(Budget):
    """Points a minute, such as Twitch's: in no 60 seconds are more spent.

    Args:
        points: of a minute.
        reserve: the part of it that is left to others, from 0 to 1.
    """

    def __init__(self, points: int, reserve: float = 0.0) -> None:
        super().__init__()
        self._points = points * (1 - reserve)

    def period(self, now: float) -> tuple[float, float]:
        """All time: nothing is lost at any one."""
        del now
        return (-math.inf, math.inf)

    def _rate(self, now: float) -> float:
        del now
        return self._points * (1 - _AT_ONCE) / _MINUTE

    def _most(self) -> float:
        return max(1.0, self._points * _AT_ONCE * self._share)

    def spent(self, now: float) -> None:
        """Nobody need know it: a minute later it is over."""
        del now

    def resume(self, begins: float, units: float, now: float) -> None:
        """Nothing was written down."""
        del begins, units, now
