"""Subscriptions of which the platform keeps a list: what is missing there is made.

Nothing of it is written down here, for the platform knows best: what it has revoked is missing.
"""

from __future__ import annotations

import abc
import asyncio
import math
from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NamedTuple

import structlog

from agents.gateway.asking import Unanswered
from agents.gateway.delivery import Unreadable
from agents.gateway.polling.platform import Verdict
from agents.gateway.subscribing.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.gateway.polling.platform import Answer

log = structlog.get_logger(__name__)

#: The list is looked at again after so many seconds; while some are not confirmed yet, after so
#: many.
_LOOK: Final = 600.0
_LOOK_SOON: Final = 30.0
#: Seconds between two calls, for the budget is the polls' as well.
_PACE: Final = 0.2
#: What the platform refuses is asked for again after so many seconds.
_REFUSED: Final = 3600.0
_MOST_PAGES: Final = 1000


class Wanted(NamedTuple):
    """One subscription that is to be there."""

    channel: str
    type: str


class Listed(NamedTuple):
    """One subscription of the platform's list.

    Attributes:
        wanted: what it is to.
        state: `failed` tells nothing any more.
        id: the platform's own.
    """

    wanted: Wanted
    state: Literal["active", "pending", "failed"]
    id: str


class ListSubscriber(Subscriber):
    """Makes what is missing in the platform's list."""

    #: The types of events that are subscribed to, of each channel.
    types: ClassVar[Sequence[str]]

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._next = 0.0
        self._refused: dict[Wanted, float] = {}
        # Its owner does it: that of the partition in which the endpoint's own name lies.
        self._key = self._observation("").key

    # -- what a platform is ----------------------------------------------------------------------

    @abc.abstractmethod
    async def _page(self, cursor: str) -> Answer:
        """A page of the list: the first one, or that of a cursor."""

    @abc.abstractmethod
    def _read(self, body: bytes) -> tuple[list[Listed], str]:
        """What of a page is this endpoint's, and the cursor of the next one, if there is one.

        Raises:
            Unreadable: it is no such page.
        """

    @abc.abstractmethod
    async def _make(self, wanted: Wanted) -> Answer:
        """Ask for a subscription."""

    @abc.abstractmethod
    async def _remove(self, listed: Listed) -> Answer | None:
        """Take a failed one from the list, where that is needed before it is made anew."""

    @abc.abstractmethod
    def _evaluate(self, answer: Answer, now: float) -> Verdict:
        """What became of a call. `answered` is all that leaves the subscription in the list."""

    # -- whose turn it is ------------------------------------------------------------------------

    async def step(self) -> None:
        """Look at the list if it is time to, and make what is missing there."""
        now = self._clock()
        if not self._has(self._key):
            if self._next:
                self._next = 0.0
                self._told({}, math.inf)
            return
        if now < max(self._next, self._paused):
            return
        self._next = now + _LOOK
        verdict = await self._bring_up_to_date()
        self._called(verdict.outcome, verdict.why)
        if verdict.outcome != "answered":
            self._pause(verdict.pause)
            self._next = self._paused

    async def listed(self) -> list[Listed]:
        """All of the list that is this endpoint's.

        Raises:
            Refusal: the platform did not tell it.
            Unanswered: no answer came.
        """
        found: list[Listed] = []
        cursor = ""
        for _ in range(_MOST_PAGES):
            answer = await self._page(cursor)
            verdict = self._evaluate(answer, self._clock())
            if verdict.outcome != "answered":
                raise Refusal(verdict)
            page, cursor = self._read(answer.body)
            found += page
            if not cursor:
                break
        return found

    async def _bring_up_to_date(self) -> Verdict:
        try:
            return await self._compare(await self.listed())
        except Unanswered as error:
            return Verdict(error.outcome, error.pause, why=str(error))
        except Unreadable as error:
            return Verdict("unreadable", why=str(error))
        except Refusal as error:
            return error.verdict

    async def _compare(self, found: Sequence[Listed]) -> Verdict:
        """Make what is missing; ends early with the verdict of a call after which to wait."""
        there = {each.wanted: each.state for each in found if each.state != "failed"}
        failed = [each for each in found if each.state == "failed"]
        wanted = {Wanted(channel, of) for channel in self.endpoint.subscribed for of in self.types}
        now = self._clock()
        self._refused = {each: at for each, at in self._refused.items() if now < at}
        missing = sorted(wanted - there.keys() - self._refused.keys())
        verdict = Verdict("answered")
        for each in missing:
            verdict = await self._anew(each, [old for old in failed if old.wanted == each])
            if verdict.outcome == "refused":
                self._called("refused", verdict.why, channel=each.channel, type=each.type)
                self._refused[each] = now + _REFUSED
                verdict = Verdict("answered")
            elif verdict.outcome != "answered":
                break
            else:
                there[each] = "pending"
                log.info(
                    "subscribed", endpoint=self.endpoint.name, channel=each.channel, type=each.type
                )
            await asyncio.sleep(_PACE)
        states: Counter[str] = Counter()
        for each in wanted:
            states["refused" if each in self._refused else there.get(each, "pending")] += 1
        if states["pending"]:
            self._next = now + _LOOK_SOON
        self._told(states, math.inf)
        return verdict

    async def _anew(self, wanted: Wanted, failed: Sequence[Listed]) -> Verdict:
        for old in failed:
            answer = await self._remove(old)
            if answer is not None:
                log.info(
                    "a failed subscription was removed",
                    endpoint=self.endpoint.name,
                    channel=wanted.channel,
                    type=wanted.type,
                )
        return self._evaluate(await self._make(wanted), self._clock())


class Refusal(Exception):
    """The platform did not tell its list.

    Args:
        verdict: what it said.
    """

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.why)
        self.verdict = verdict
