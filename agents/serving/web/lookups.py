"""Look-ups: one broadcast or scope, asked of the worker that owns its partition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from aiohttp import web
from msgspec import UNSET

from agents.serving.web.peers import PeerError
from agents.serving.web.responses import Problem, ProblemError, not_known, unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from agents.serving.web.gathering import Gathered, Gatherer
    from agents.serving.web.peers import PeerAnswer, Peers
    from agents.serving.web.stage import Stage

_OK: Final = 200
_NOT_FOUND: Final = 404


class Found(NamedTuple):
    """What one worker has answered.

    Attributes:
        body: JSON: the figures, or a problem.
        detail: Why it has none; None where it has some.
        partitions: Those for which it says so.
    """

    body: bytes
    detail: str | None
    partitions: list[int]


class LookUps:
    """Asks the owner of what is looked for; where that cannot be told, all workers.

    Args:
        gatherer: Asks for partitions.
        peers: Asks other workers.
    """

    def __init__(self, gatherer: Gatherer, peers: Peers) -> None:
        self._gatherer = gatherer
        self._peers = peers

    async def whole(
        self,
        request: web.Request,
        stage: Stage[Any],
        name: str,
        partition: int | None,
        local: Callable[[], Awaitable[web.Response]],
        query: Mapping[str, str] | None = None,
    ) -> web.Response:
        """Answer for the whole system.

        Args:
            request: The request.
            stage: Where it lies.
            name: What is looked for.
            partition: Where it would lie; None where that cannot be told: then all are asked.
            local: This worker's own answer; raises ProblemError where it has none.
            query: Parameters for other workers.

        Raises:
            ProblemError: It is not there (404), or who would know cannot be asked (503).
        """
        count = stage.partition_count()
        if count is None:
            raise unavailable("this worker does not know yet how many partitions there are")

        async def here(numbers: list[int]) -> Found:
            return await _own(stage, numbers, local)

        async def there(url: str, numbers: list[int]) -> Found:
            answer = await self._peers.ask(url, request.rel_url.raw_path, query or {})
            return _read(url, numbers, answer)

        wanted = set(range(count)) if partition is None else {partition}
        gathered = await self._gatherer.gather(
            stage, wanted, here, there, enough=lambda found: found.detail is None
        )
        return _answer(gathered, name, partition)


async def _own(
    stage: Stage[Any], numbers: list[int], local: Callable[[], Awaitable[web.Response]]
) -> Found:
    """What this worker has, if the partitions are its own all the while."""
    held = stage.store.held(numbers)
    try:
        response = await local()
    except ProblemError as error:
        if error.problem.status != _NOT_FOUND:
            raise
        found = Found(b"", error.problem.detail, numbers)
    else:
        assert isinstance(response.body, bytes)
        found = Found(response.body, None, numbers)
    still = stage.is_current() and stage.store.held(numbers) == held
    return found if still else Found(b"", "", [])


def _read(url: str, numbers: list[int], answer: PeerAnswer) -> Found:
    """What another worker has answered.

    Raises:
        PeerError: It is neither figures nor that there are none.
    """
    if answer.status == _OK:
        return Found(answer.body, None, numbers)
    if answer.status != _NOT_FOUND:
        raise PeerError(f"{url} answered with the status {answer.status}")
    try:
        problem = msgspec.json.decode(answer.body, type=Problem)
    except msgspec.DecodeError:
        raise PeerError(f"{url} answered with something else than a problem") from None
    owned = [] if problem.partitions is UNSET else problem.partitions
    return Found(b"", problem.detail, sorted(set(owned).intersection(numbers)))


def _answer(gathered: Gathered[Found], name: str, partition: int | None) -> web.Response:
    """What all who were asked come to.

    Raises:
        ProblemError: It is not there (404), or who would know could not be asked (503).
    """
    for found in gathered.parts:
        if found.detail is None:
            return web.Response(body=found.body, content_type="application/json")
    if gathered.missing:
        reasons = "; ".join(
            f"partition {number}: {why}" for number, why in sorted(gathered.missing.items())
        )
        raise unavailable(f"who would know of {name} could not be asked: {reasons}", partition)
    details = {found.detail for found in gathered.parts if found.detail is not None}
    raise not_known(details.pop() if len(details) == 1 else _unknown(name), partition)


def _unknown(name: str) -> str:
    return f"nothing is known of {name}: it has not begun, or is long over"
