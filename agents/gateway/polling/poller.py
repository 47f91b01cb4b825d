"""One poll at work: asks when its schedule says so, and writes what it was told to Kafka."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING, Final

import structlog

from agents.gateway import observation
from agents.gateway.asking import Unanswered
from agents.gateway.delivery import Unreadable
from agents.gateway.observation import Observation
from agents.gateway.polling.backoff import Backoff
from agents.gateway.polling.following import Following
from agents.gateway.polling.platform import Outcome, Verdict
from agents.gateway.polling.schedule import Call, Schedule
from agents.gateway.sending import Output, Unacknowledged
from streams import rfc3339
from streams.routing import partition_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agents.gateway.heads import Table
    from agents.gateway.metrics import GatewayMetrics
    from agents.gateway.places import Places
    from agents.gateway.poll_config import Poll
    from agents.gateway.polling.edge import Edge
    from agents.gateway.polling.platform import Found
    from agents.gateway.sending import Sender

log = structlog.get_logger(__name__)

#: How often it is looked whether something is to be asked, in seconds.
_TICK: Final = 0.25
#: How often channels and partitions are looked at, in seconds.
_LOOK: Final = 1.0
#: The same where nothing was opened or ended.
_LOOK_ANYWAY: Final = 10.0
#: How long Kafka may take to store what an answer told, in seconds.
_ACK_SECONDS: Final = 10.0
#: What is spent is written down for so many seconds ahead.
_AHEAD: Final = 120.0
#: A poll that was lost for no longer goes on as before: so it is while gateways come and go.
_AWAY: Final = 60.0
#: After the end of a budget's day it is asked again after so many seconds.
_NEW_DAY: Final = 10.0
#: A shortage is told of when it has lasted for so many seconds: the first minute has saved nothing.
_SHORT: Final = 120.0
#: A shortage is told again after so many seconds.
_TELL_AGAIN: Final = 600.0


class Poller:
    """Asks one API for all of its channels, while this gateway has the poll's own partition.

    Args:
        poll: as configured.
        edge: what asks.
        sender: what stores.
        topic: of the observations.
        table: of open broadcasts, and what this gateway has of it.
        partitions: how many partitions the observations have; None while that is not known.
        places: knows which channels are legs of programmes.
        metrics: what counts.
        seed: makes the spread over the minute this gateway's own.
        clock: seconds since 1970 UTC.

    Raises:
        LiveAudienceError: the system does not know the platform's time zone.
    """

    def __init__(
        self,
        poll: Poll,
        edge: Edge,
        sender: Sender,
        topic: str,
        table: Table,
        partitions: Callable[[], int | None],
        places: Places,
        metrics: GatewayMetrics,
        *,
        seed: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.poll = poll
        self._kind = poll.kind
        self._edge = edge
        self._sender = sender
        self._topic = topic
        self._table = table
        self._partitions = partitions
        self._metrics = metrics
        self._clock = clock
        self.budget = self._kind.budget(poll.units, poll.reserve)
        self.schedule = Schedule(self.budget, self._kind.batch, f"{poll.name}:{seed}")
        self._following = Following(poll, lambda channel: places.is_leg(poll.told, channel))
        self._backoff = Backoff(f"{poll.name}:{seed}")
        self._looked = 0.0
        self._followed = 0.0
        self._version = -1
        self._is_news = False
        self._is_ours = False
        self._lost = -math.inf
        self._noting = asyncio.Lock()
        # The day's begin, and the units of it that were written down.
        self._noted = (0.0, 0.0)
        self._told_short = 0.0
        self._short_since = clock()
        self._counted = (0, 0)

    async def run(self) -> None:
        """Poll until cancelled; an error of ours is logged, and the next minute tried anew."""
        await self._edge.start()
        making: set[asyncio.Task[None]] = set()
        try:
            while True:
                try:
                    for call in self.due():
                        task = asyncio.create_task(self.make(call))
                        making.add(task)
                        task.add_done_callback(making.discard)
                except Exception:  # our own error must not end the polling of all channels
                    log.exception("polling failed; it goes on", poll=self.poll.name)
                    await asyncio.sleep(_LOOK)
                await asyncio.sleep(_TICK)
        finally:
            for task in making:
                task.cancel()
            await asyncio.gather(*making, return_exceptions=True)
            await self._edge.stop()

    def due(self) -> list[Call]:
        """The calls that are to be made now."""
        now = self._clock()
        if not 0 <= now - self._looked < _LOOK:
            self._looked = now
            self._look(now)
        calls = self.schedule.due(now) if self._is_ours else []
        self._tell(now)
        return calls

    async def make(self, call: Call) -> None:
        """Make a call, and store what it tells."""
        try:
            await self._note_spent()
            verdict = await self._made(call)
        except Unacknowledged:
            now = self._clock()
            self.budget.give_back(1, now)
            self._metrics.polls_lost.labels(self.poll.name).inc()
            self.schedule.failed(call, now, _ACK_SECONDS)
            self.schedule.unmade(call)
            log.warning("Kafka did not store what a poll spends", poll=self.poll.name)
            return
        except Unanswered as error:
            verdict = Verdict(error.outcome, error.pause, why=str(error))
        except Exception:  # our own error must not end the others
            log.exception("a poll could not be made", poll=self.poll.name)
            verdict = Verdict("failed", why="an error of the gateway's own: see its log")
        self._judged(call, verdict)

    # -- what is asked for -----------------------------------------------------------------------

    def _look(self, now: float) -> None:
        """See whether the poll is this gateway's, and which channels there are."""
        is_mine = self._is_mine()
        if (
            self._table.version == self._version
            and is_mine == self._is_ours
            and not self._is_news
            and 0 <= now - self._followed < _LOOK_ANYWAY
        ):
            return
        self._version, self._is_news, self._followed = self._table.version, False, now
        if not is_mine:
            if self._is_ours:
                self._is_ours, self._lost = False, now
                self.budget.set_share(0.0, now)
            if now - self._lost > _AWAY:
                self.schedule.follow((), now)
            return
        if not self._is_ours:
            self._is_ours = True
            if now - self._lost > _AWAY:
                self.schedule.follow((), now)
            self.budget.set_share(1.0, now)
            self._resume(now)
        else:
            self._believe_others(now)
        targets = self._following.targets(
            self.poll.channels,
            self._table.heads_of(self.poll.told),
            int(now * rfc3339.SECOND),
        )
        self.schedule.follow(targets, now)

    def _is_mine(self) -> bool:
        """Whether this gateway makes the poll's calls: the one that has the poll's own partition.

        One makes them all, for so they are full.
        """
        count = self._partitions()
        return (
            count is not None
            and self._table.is_complete
            and partition_for(self.poll.key, count) in self._table.owned
        )

    # -- what was spent --------------------------------------------------------------------------

    def _resume(self, now: float) -> None:
        """Have what is left of the budget, as it was written down."""
        known = self._table.ledger.spent(self.poll.key)
        self._noted = (0.0, 0.0)
        if known is not None:
            self.budget.resume(known.begins, known.units, now)
            log.info(
                "the budget was resumed",
                poll=self.poll.name,
                left=round(self.budget.left(now), 1),
            )

    def _believe_others(self, now: float) -> None:
        """Count what somebody else spends: who had the poll may not know yet that it is lost."""
        known = self._table.ledger.spent(self.poll.key)
        begins, units = self._noted
        if known is not None and known.begins == begins and known.units > units:
            self.budget.resume(known.begins, known.units, now)
            self._noted = known.begins, known.units

    async def _note_spent(self) -> None:
        """Write down what is spent before it is, and some ahead of it.

        Raises:
            Unacknowledged: Kafka did not store it in time.
        """
        async with self._noting:
            now = self._clock()
            spent = self.budget.spent(now)
            if spent is None:
                return
            begins = self.budget.period(now)[0]
            if begins == self._noted[0] and spent <= self._noted[1]:
                return
            units = spent + self.budget.rate(now) * _AHEAD
            at, start = int(now * rfc3339.SECOND), int(begins * rfc3339.SECOND)
            seen = Observation(self.poll.name, "", "", "spent", at, started=start, units=units)
            await self._store([seen], at)
            self._noted = begins, units

    async def _made(self, call: Call) -> Verdict:
        answer = await self._edge.ask(call.ids)
        verdict = self._kind.evaluate(answer, self._clock())
        if verdict.outcome != "answered":
            return verdict
        try:
            found = self._kind.read(answer.body)
        except Unreadable as error:
            return verdict._replace(outcome="unreadable", why=str(error))
        await self._answered(call, found)
        return verdict

    # -- what comes of it ------------------------------------------------------------------------

    async def _answered(self, call: Call, found: Sequence[Found]) -> None:
        now = int(self._clock() * rfc3339.SECOND)
        if not self._is_mine():
            return  # it has gone to another gateway meanwhile
        told = self._following.take(call.ids, found, self._table.heads_of(self.poll.told), now)
        if told:
            self._is_news |= any(each.kind != "sample" for each in told)
            try:
                await self._store(told, now)
            except Unacknowledged:
                self._following.forget({each.channel for each in told})
                self._metrics.polls_lost.labels(self.poll.name).inc(len(told))
                self.schedule.failed(call, self._clock(), _ACK_SECONDS)
                log.warning("Kafka did not store what a poll told", poll=self.poll.name)
                return
        self.schedule.answered(each.id for each in found)
        if any(each.kind == "sample" for each in told):
            self._metrics.polls_newest.labels(self.poll.name).set(now / rfc3339.SECOND)

    async def _store(self, told: Sequence[Observation], now: int) -> None:
        outputs = [
            Output(self._topic, each.key, observation.encode(each), now // 1000) for each in told
        ]
        await self._sender.send(outputs, _ACK_SECONDS, lambda: None)

    def _judged(self, call: Call, verdict: Verdict) -> None:
        now = self._clock()
        outcome: Outcome = verdict.outcome
        self._metrics.polls.labels(self.poll.name, outcome).inc()
        if verdict.remaining is not None:
            self.budget.told(verdict.remaining, now)
        if outcome == "answered":
            self._backoff.worked()
            return
        pause = self._backoff.failed(verdict.pause)
        if verdict.remaining == 0:
            # Used up: the next day brings new units.
            pause = min(pause, self.budget.period(now)[1] - now + _NEW_DAY)
        self.schedule.failed(call, now, pause)
        log.warning(
            "a poll failed",
            poll=self.poll.name,
            outcome=outcome,
            reason=verdict.why,
            pause=round(pause, 1),
        )

    def _tell(self, now: float) -> None:
        """Say what is seen of it, and warn where the budget does not suffice."""
        name, schedule, metrics = self.poll.name, self.schedule, self._metrics
        minutes = schedule.minutes
        sampled, missed = self._counted
        metrics.poll_minutes.labels(name, "sampled").inc(minutes.sampled - sampled)
        metrics.poll_minutes.labels(name, "missed").inc(minutes.missed - missed)
        self._counted = (minutes.sampled, minutes.missed)
        metrics.poll_budget.labels(name).set(self.budget.left(now))
        metrics.poll_budget_lasts.labels(name).set(self.budget.lasts(schedule.wanted / 60, now))
        metrics.poll_interval.labels(name).set(schedule.interval)
        metrics.polled.labels(name, "live").set(schedule.live)
        metrics.polled.labels(name, "waiting").set(schedule.waiting)
        if schedule.interval <= 1:
            self._short_since = now
        if now - self._short_since >= _SHORT and now - self._told_short >= _TELL_AGAIN:
            self._told_short = now
            log.warning(
                "the budget does not allow a sample in each minute",
                poll=name,
                minutes_between=round(schedule.interval, 1),
                calls_wanted=schedule.wanted,
                calls_allowed=schedule.allowed,
            )
