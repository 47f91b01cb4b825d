"""One poll at work: asks when its schedule says so, and writes what it was told to Kafka."""

from __future__ import annotations

import asyncio
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
#: After the end of a budget's day it is asked again after so many seconds.
_NEW_DAY: Final = 10.0
#: A shortage is told of when it has lasted for so many seconds: the first minute has saved nothing.
_SHORT: Final = 120.0
#: A shortage is told again after so many seconds.
_TELL_AGAIN: Final = 600.0


class Poller:
    """Asks one API for the channels that this gateway has.

    Args:
        poll: as configured.
        edge: what asks.
        sender: what stores.
        topic: of the observations.
        table: the part of the table of open broadcasts that this gateway has.
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
        self._count = 0
        self._by_partition: dict[int, list[str]] = {}
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
        calls = self.schedule.due(now)
        self._tell(now)
        return calls

    async def make(self, call: Call) -> None:
        """Make a call, and store what it tells."""
        try:
            verdict = await self._made(call)
        except Unanswered as error:
            verdict = Verdict(error.outcome, error.pause, why=str(error))
        except Exception:  # our own error must not end the others
            log.exception("a poll could not be made", poll=self.poll.name)
            verdict = Verdict("failed", why="an error of the gateway's own: see its log")
        self._judged(call, verdict)

    # -- what is asked for -----------------------------------------------------------------------

    def _look(self, now: float) -> None:
        """See which partitions this gateway has, and so which channels, and which share."""
        count = self._partitions()
        owned = sorted(self._table.owned)
        if (
            self._table.version == self._version
            and count == self._count
            and not self._is_news
            and 0 <= now - self._followed < _LOOK_ANYWAY
        ):
            return
        self._version, self._is_news, self._followed = self._table.version, False, now
        if count is None or not owned:
            self._count = 0
            self.budget.set_share(0.0, now)
            self.schedule.follow((), now)
            return
        if count != self._count:
            self._count = count
            self._by_partition = {number: [] for number in range(count)}
            for channel in self.poll.channels:
                self._by_partition[self._partition_of(channel)].append(channel)
        # Those who follow more channels need more of the budget; all gateways reckon alike.
        weights = {number: 1 + len(own) for number, own in self._by_partition.items()}
        have = sum(weights.get(number, 0) for number in owned)
        self.budget.set_share(have / sum(weights.values()), now)
        configured = [each for number in owned for each in self._by_partition.get(number, ())]
        heads = self._table.heads_of(self.poll.told)
        targets = self._following.targets(configured, heads, int(now * rfc3339.SECOND))
        self.schedule.follow(targets, now)

    def _partition_of(self, channel: str) -> int:
        seen = Observation(self.poll.told, self.poll.told_platform, channel, "sample", 0)
        return partition_for(seen.key, self._count)

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
        owned = set(self._table.owned)
        if not self._count:
            return  # all partitions have gone to others meanwhile
        asked = [each for each in call.ids if self._partition_of(each) in owned]
        told = self._following.take(asked, found, self._table.heads_of(self.poll.told), now)
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


async def tried(poll: Poll, edge: Edge) -> Verdict:
    """Make one call, which costs what a call costs: is the key taken?

    Args:
        poll: as configured.
        edge: its own, not started.
    """
    await edge.start()
    try:
        answer = await edge.ask(poll.channels[:1] or [poll.kind.an_id])
        verdict = poll.kind.evaluate(answer, time.time())
        if verdict.outcome == "answered":
            poll.kind.read(answer.body)
    except Unanswered as error:
        return Verdict(error.outcome, why=str(error))
    except Unreadable as error:
        return Verdict("unreadable", why=str(error))
    finally:
        await edge.stop()
    return verdict


def described(poll: Poll) -> tuple[str, bool]:
    """What the budget of a poll means for its channels, in words, and whether it suffices."""
    per_minute = poll.units * (1 - poll.reserve)
    if poll.kind.per == "day":
        per_minute /= 24 * 60
    calls = -(-len(poll.channels) // poll.kind.batch)
    most = int(per_minute) * poll.kind.batch * poll.every_minutes
    said = (
        f"{poll.units:,} units a {poll.kind.per} suffice for {most:,} live channels at a sample "
        f"each {'minute' if poll.every_minutes == 1 else f'{poll.every_minutes} minutes'}, all "
        "the time"
    )
    return said, calls <= per_minute * poll.every_minutes
