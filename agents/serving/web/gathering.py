"""One answer for the whole system: every partition is asked of its owner, within a bounded time.

Each part says which partitions it is of. So whatever was believed of who owns what, no partition
counts twice, and none counts that nobody answered for: it is told as missing, with the reason.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from agents.serving.web.peers import PeerError
from agents.serving.web.stage import UnknownOwnersError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from agents.serving.web.stage import Stage

#: Between two rounds, in seconds: while partitions change hands, they are asked for again.
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 0.5


class Part(Protocol):
    """What one worker has answered."""

    @property
    def partitions(self) -> list[int]:
        """The partitions that it is of."""
        ...


PartT = TypeVar("PartT", bound=Part)


@dataclass(slots=True)
class Gathered(Generic[PartT]):
    """What came together.

    Attributes:
        parts: What was answered; no two are of the same partition.
        answered: The partitions that these are of.
        missing: The others, with the reason of each.
    """

    parts: list[PartT] = field(default_factory=list)
    answered: set[int] = field(default_factory=set)
    missing: dict[int, str] = field(default_factory=dict)


class Gatherer:
    """Asks the owners of partitions.

    Args:
        seconds: How long it may take in all.
        own_url: Where this worker answers, as it tells the others.
    """

    def __init__(self, seconds: float, own_url: Callable[[], str]) -> None:
        self._seconds = seconds
        self._own_url = own_url

    async def gather(
        self,
        stage: Stage[Any],
        wanted: set[int],
        local: Callable[[list[int]], Awaitable[PartT]],
        remote: Callable[[str, list[int]], Awaitable[PartT]],
        *,
        enough: Callable[[PartT], bool] = lambda _: False,
    ) -> Gathered[PartT]:
        """Ask for all partitions that are wanted, again and again until the time is up.

        Args:
            stage: Whose partitions they are.
            wanted: Their numbers.
            local: Answers for partitions of this worker.
            remote: Asks a worker at an address for partitions; raises PeerError.
            enough: Whether a part is all that is needed, so that nobody else is waited for.
        """
        found: Gathered[PartT] = Gathered(missing=dict.fromkeys(wanted, "it was not asked for"))
        loop = asyncio.get_running_loop()
        until, pause = loop.time() + self._seconds, _FIRST_PAUSE
        while True:
            left = until - loop.time()
            questions = await self._questions(stage, found, local, remote, left)
            tasks = [asyncio.ensure_future(question) for question in questions]
            try:
                for task in asyncio.as_completed(tasks, timeout=max(0.0, until - loop.time())):
                    part = await task
                    if part is None:
                        continue
                    _add(found, part)
                    if enough(part):
                        return found
            except TimeoutError:
                pass
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            if not found.missing or loop.time() + pause >= until:
                return found
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            stage.owners.expire()

    async def _questions(
        self,
        stage: Stage[Any],
        found: Gathered[PartT],
        local: Callable[[list[int]], Awaitable[PartT]],
        remote: Callable[[str, list[int]], Awaitable[PartT]],
        seconds: float,
    ) -> list[Awaitable[PartT | None]]:
        """Those to put in this round; what cannot be asked gets its reason."""
        mine = [number for number in stage.shown if number in found.missing]
        others = found.missing.keys() - mine
        questions: list[Awaitable[PartT | None]] = []
        if mine:
            questions.append(_noted(local(mine), found, mine))
        if others:
            try:
                async with asyncio.timeout(seconds):
                    owners = await stage.owners.current()
            except (UnknownOwnersError, TimeoutError) as error:
                reason = str(error) or "the group did not say in time who owns it"
                found.missing.update(dict.fromkeys(others, reason))
            else:
                for url, numbers in self._by_owner(owners, others, found).items():
                    found.missing.update(dict.fromkeys(numbers, f"{url} did not answer in time"))
                    questions.append(_noted(remote(url, numbers), found, numbers, url))
        return questions

    def _by_owner(
        self, owners: Mapping[int, str | None], numbers: set[int], found: Gathered[PartT]
    ) -> dict[str, list[int]]:
        asked: dict[str, list[int]] = {}
        for number in sorted(numbers):
            url = owners.get(number)
            if url == self._own_url():
                found.missing[number] = "this worker is taking it over"
            elif url is not None:
                asked.setdefault(url, []).append(number)
            elif number in owners:
                found.missing[number] = "its worker does not tell where it answers"
            else:
                found.missing[number] = "no worker owns it now: the group is giving it out"
        return asked


async def _noted(
    question: Awaitable[PartT], found: Gathered[PartT], numbers: list[int], url: str | None = None
) -> PartT | None:
    """A question's answer; None where it fails, and then the reason is noted."""
    try:
        part = await question
    except PeerError as error:
        found.missing.update(dict.fromkeys(numbers, str(error)))
        return None
    for number in set(numbers).difference(part.partitions):
        found.missing[number] = f"{url or 'this worker'} is taking it over, or no longer has it"
    return part


def _add(found: Gathered[PartT], part: PartT) -> None:
    """Take a part in, if all of it is still missing: what came twice is not counted twice."""
    if part.partitions and found.missing.keys() >= set(part.partitions):
        found.parts.append(part)
        found.answered.update(part.partitions)
        for number in part.partitions:
            del found.missing[number]
