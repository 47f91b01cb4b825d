"""Which broadcasts are asked for when. Pure: the time is always given.

Each minute of the clock is planned for itself. Ids are packed, as many as a call takes; the calls
are spread over the minute; legs of programmes are asked for in one second, the same for all polls
and in all gateways. Where the budget allows fewer calls than are wanted, those go first that have
waited longest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from agents.gateway.polling.spread import between, order

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agents.gateway.polling.budget import Budget

MINUTE: Final = 60
#: The second of a minute in which the legs of programmes are asked for.
TOGETHER: Final = 30
#: First and last second of a minute in which anything is asked: an answer must come within it.
FIRST: Final = 2
LATEST: Final = 55
#: Calls are spread up to so many seconds before the last one: room for those that are held up.
_ROOM: Final = 3
#: Others that begin within so many seconds join a new broadcast's first call.
_GATHER: Final = 2.0
#: A call is tried again so often within its minute.
_TRIES: Final = 3
_NEVER: Final = -1


class Target(NamedTuple):
    """What is to be asked for.

    Attributes:
        id: as the platform's API takes it.
        live: whether a broadcast of it is open; otherwise its start is waited for.
        together: whether it is a leg of a programme.
        every: so many minutes lie between two looks at it.
    """

    id: str
    live: bool = True
    together: bool = False
    every: int = 1


@dataclass(slots=True)
class Call:
    """One call to make.

    Attributes:
        at: when, in Unix seconds.
        ids: what to ask for.
        together: whether it holds legs of programmes.
        tries: how often it was made before.
    """

    at: float
    ids: Sequence[str]
    together: bool = False
    tries: int = 0


@dataclass(slots=True)
class Minutes:
    """Minutes of live broadcasts.

    Attributes:
        sampled: those in which an answer told of the broadcast.
        missed: the others.
    """

    sampled: int = 0
    missed: int = 0


@dataclass(slots=True)
class _Kept:
    target: Target
    joined: float
    asked: int = _NEVER
    answered: int = _NEVER
    planned: int = _NEVER
    #: The number of the call that held it last.
    turn: int = 0
    #: How many calls have held it.
    calls: int = 0

    @property
    def due(self) -> int:
        return self.asked if self.asked == _NEVER else self.asked + self.target.every

    @property
    def place(self) -> tuple[int, int, int, int]:
        """Its place among those that wait: whoever has waited longest is first.

        Of those that have waited as long, whoever was asked for least: otherwise it would be the
        same ones each time for which a call has no room.
        """
        return self.due, self.turn, self.calls, order(self.target.id)


@dataclass(slots=True)
class Schedule:
    """The calls of one poll.

    Args:
        budget: what may be spent; a call costs 1.
        batch: how many ids a call takes.
        seed: makes the spread over the minute this gateway's own.

    Attributes:
        minutes: what became of the minutes of live broadcasts so far.
        wanted: calls that the newest minute asks for.
        allowed: calls that the budget allowed in it when it began.
        live: how many live broadcasts are followed.
        waiting: how many are followed of which the start is waited for.
    """

    budget: Budget
    batch: int
    seed: str = ""
    minutes: Minutes = field(default_factory=Minutes)
    wanted: int = 0
    allowed: int = 0
    live: int = 0
    waiting: int = 0
    _kept: dict[str, _Kept] = field(default_factory=dict)
    _new: list[_Kept] = field(default_factory=list)
    _calls: list[Call] = field(default_factory=list)
    _minute: int = _NEVER
    _paused: float = 0.0
    _turn: int = 0

    @property
    def interval(self) -> float:
        """Minutes between two samples of a broadcast, as far as the budget decides."""
        return max(1.0, self.wanted / max(1, self.allowed))

    def follow(self, targets: Iterable[Target], now: float) -> None:
        """Follow these from now on, and no others."""
        before, self._kept = self._kept, {}
        for target in targets:
            kept = before.get(target.id)
            if kept is None:
                kept = _Kept(target, now)
            kept.target = target
            self._kept[target.id] = kept
        self.live = sum(kept.target.live for kept in self._kept.values())
        self.waiting = len(self._kept) - self.live
        self._new = [kept for kept in self._kept.values() if kept.asked == _NEVER]

    def due(self, now: float) -> list[Call]:
        """The calls that are to be made now; their price is taken from the budget."""
        minute = int(now // MINUTE)
        if minute > self._minute or minute < self._minute - 1:
            self._close(minute)
            self._minute = minute
            self._plan(now)
        if now < self._paused or now >= self._latest:
            return []
        self._welcome(now)
        made = []
        ready = [call for call in self._calls if call.at <= now]
        for call in sorted(ready, key=lambda each: (not each.together, each.at)):
            call.ids = [each for each in call.ids if each in self._kept]
            if call.ids and not self._may(call, now):
                continue
            self._calls.remove(call)
            if call.ids and self.budget.take(1, now):
                self._turn += 1
                for each in call.ids:
                    kept = self._kept[each]
                    kept.asked, kept.turn = self._minute, self._turn
                    kept.calls += 1
                made.append(call)
        return made

    def answered(self, ids: Iterable[str]) -> None:
        """Take note of broadcasts of which an answer has told."""
        for each in ids:
            if (kept := self._kept.get(each)) is not None:
                kept.answered = self._minute

    def failed(self, call: Call, now: float, pause: float) -> None:
        """Take note of a call that has failed: it is made again within its minute, if it can.

        Args:
            call: that was made.
            now: Unix seconds.
            pause: nothing is asked for so many seconds.
        """
        self._paused = max(self._paused, now + pause)
        again = self._paused
        if call.tries >= _TRIES or int(now // MINUTE) != self._minute or again >= self._latest:
            return
        if self.budget.until(now, self._latest) >= len(self._calls) + 1:
            self._calls.append(Call(again, call.ids, call.together, call.tries + 1))

    def unmade(self, call: Call) -> None:
        """Take note of a call that was not made after all: the next minute begins with it."""
        for each in call.ids:
            if (kept := self._kept.get(each)) is not None:
                kept.asked = _NEVER

    # -- a minute --------------------------------------------------------------------------------

    @property
    def _latest(self) -> float:
        return self._minute * MINUTE + LATEST

    def _close(self, minute: int) -> None:
        """Count the minute that is over, and those that nobody was awake in."""
        self._calls.clear()
        passed = minute - self._minute
        if self._minute == _NEVER or passed <= 0:
            return
        for kept in self._kept.values():
            joined = int(kept.joined // MINUTE)
            # (The minute in which it was first heard of had begun without it.)
            if not kept.target.live or joined >= self._minute:
                continue
            if kept.answered == self._minute:
                self.minutes.sampled += 1
            elif self._minute - max(joined, kept.answered) >= kept.target.every:
                self.minutes.missed += 1
            self.minutes.missed += passed - 1

    def _plan(self, now: float) -> None:
        minute = self._minute
        owed = [kept for kept in self._kept.values() if kept.asked == _NEVER or kept.due <= minute]
        self.wanted = -(-len(owed) // self.batch)
        start = max(now, self._paused)
        self.allowed = int(self.budget.until(now, self._latest)) if start < self._latest else 0
        if self.wanted > self.allowed:
            owed = self._oldest(owed)[: self.allowed * self.batch]
        calls = self._packed(owed)
        # What has waited longest goes first; where all have waited as long, the order stays.
        calls.sort(key=lambda call: min(kept.place[:2] for kept in self._of(call)))
        spread = [call for call in calls if not call.together]
        start = max(now, minute * MINUTE + FIRST)
        cell = max(0.0, self._latest - _ROOM - start) / max(1, len(spread))
        jitter = 0.6 * between(self.seed) + 0.2 * between(f"{self.seed}:{minute}")
        for number, call in enumerate(spread):
            # (A new broadcast is asked for at once.)
            is_new = any(kept.asked == _NEVER and kept.target.live for kept in self._of(call))
            call.at = start if is_new else start + cell * (number + jitter)
        for call in calls:
            if call.together:
                call.at = minute * MINUTE + TOGETHER
        self._calls = calls

    def _of(self, call: Call) -> Iterable[_Kept]:
        return (self._kept[each] for each in call.ids)

    @staticmethod
    def _oldest(owed: list[_Kept]) -> list[_Kept]:
        """In the order in which they have waited, legs of programmes as if they were one."""
        legs = min((kept.place for kept in owed if kept.target.together), default=(0, 0, 0, 0))
        return sorted(
            owed,
            key=lambda kept: (
                legs if kept.target.together else kept.place,
                not kept.target.together,
                kept.place,
            ),
        )

    def _packed(self, owed: list[_Kept]) -> list[Call]:
        """Calls that are full, legs of programmes in the first of them."""
        # The same order each minute, so that a broadcast has its own second; under a shortage
        # those that have waited as long stay together.
        short = self.wanted > self.allowed
        owed = sorted(
            owed,
            key=lambda kept: (
                not kept.target.together,
                kept.place if short else (0, 0, 0, order(kept.target.id)),
            ),
        )
        room = -len(owed) % self.batch
        if owed and room:
            chosen = {kept.target.id for kept in owed}
            others = [kept for kept in self._kept.values() if kept.target.id not in chosen]
            others = [kept for kept in others if kept.asked < self._minute]
            others.sort(key=lambda kept: kept.place)
            owed += others[:room]
        for kept in owed:
            kept.planned = self._minute
        packs = [owed[at : at + self.batch] for at in range(0, len(owed), self.batch)]
        return [
            Call(0.0, [kept.target.id for kept in pack], any(kept.target.together for kept in pack))
            for pack in packs
        ]

    def _welcome(self, now: float) -> None:
        """Ask for new broadcasts at once: the first minute has its figure only then."""
        new = [kept for kept in self._new if kept.asked == _NEVER and kept.planned != self._minute]
        if not new or (len(new) < self.batch and now - min(k.joined for k in new) < _GATHER):
            return
        for at in range(0, len(new), self.batch):
            if self.budget.until(now, self._latest) < len(self._calls) + 1:
                # Not before the next minute, where they are the first: they have waited longest.
                break
            pack = new[at : at + self.batch]
            self._calls.append(Call(now, [kept.target.id for kept in pack]))
        for kept in new:
            kept.planned = self._minute

    def _may(self, call: Call, now: float) -> bool:
        """Whether the budget allows a call now; what the programmes' second needs is kept."""
        if self.budget.left(now) < 1:
            return False
        if call.together:
            return True
        later = [each.at for each in self._calls if each.together and each is not call]
        needed = len(later)
        return not later or self.budget.until(now, max(now, *later)) >= needed + 1
