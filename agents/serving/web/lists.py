"""Lists: a page of this worker's own, or one of the whole system, put together exactly.

Each worker gives the largest of its partitions behind the cursor, as many as the page may have. The
largest of these are the page: whatever belongs to it is among them.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple

import msgspec
import orjson
from aiohttp import web
from msgspec import Raw

from agents.serving.live import TimeSlice
from agents.serving.web.coverage import coverage
from agents.serving.web.paging import Query, decode_cursor, encode_cursor, page
from agents.serving.web.parameters import LIMIT, PARTITIONS, is_local, partitions_of
from agents.serving.web.peers import PeerError
from agents.serving.web.responses import unavailable
from agents.serving.web.stage import StoreT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from agents.serving.web.coverage import Coverage
    from agents.serving.web.gathering import Gatherer
    from agents.serving.web.paging import Place
    from agents.serving.web.peers import Peers
    from agents.serving.web.searches import Searches
    from agents.serving.web.stage import Stage

_OK: Final = 200


class ListPart(NamedTuple):
    """What one worker has of a page.

    Attributes:
        items: The figures of each, as JSON: what a newer worker tells more passes through.
        places: Where each stands in the order.
        last: Behind which there are more; None: there are no more.
        partitions: Those that they are of.
    """

    items: list[Raw]
    places: list[Place]
    last: tuple[int, bytes] | None
    partitions: list[int]


class _PeerPage(msgspec.Struct, gc=False):
    """A page of another worker's, but for the figures; unknown fields are passed over."""

    next: str | None
    partitions: list[int]
    places: list[tuple[int, str]]


class Lists(Generic[StoreT]):
    """Answers one path that lists.

    Args:
        name: What is listed, and the field in which it stands.
        stage: Where from.
        figures: The figures of a row, of its partition, key and itself.
        searches: What runs searches.
        gatherer: Asks for all partitions.
        peers: Asks other workers.
    """

    def __init__(
        self,
        name: str,
        stage: Stage[StoreT],
        figures: Callable[[int, bytes, Any], msgspec.Struct],
        searches: Searches,
        gatherer: Gatherer,
        peers: Peers,
    ) -> None:
        self._name = name
        self._stage: Stage[StoreT] = stage
        self._figures = figures
        self._searches = searches
        self._gatherer = gatherer
        self._peers = peers

    async def answer(
        self, request: web.Request, query: Query, found: Mapping[str, str]
    ) -> web.Response:
        """Answer a request.

        Args:
            request: The request.
            query: What is asked for.
            found: Its parameters.

        Raises:
            ProblemError: Too many search at once, or it is not known yet what there is.
        """
        wanted = partitions_of(found)
        if is_local(found):
            part = await self._searches.run(self._part(query, wanted))
            body: dict[str, Any] = {
                self._name: part.items,
                "next": None if part.last is None else encode_cursor(part.last),
                "partitions": part.partitions,
            }
            if wanted is not None:
                body["places"] = [(-negated, key.decode()) for negated, key, _ in part.places]
            return _json(body)
        path = request.rel_url.raw_path
        shown, last, seen = await self._gather(self._gatherer, path, query, found)
        return _json(
            {
                self._name: shown,
                "next": None if last is None else encode_cursor(last),
                "partitions": seen,
            }
        )

    async def largest(
        self, gatherer: Gatherer, limit: int
    ) -> tuple[list[dict[str, Any]], Coverage]:
        """The largest of the whole system, and how much of it was seen.

        Args:
            gatherer: Asks for all partitions.
            limit: How many at most.

        Raises:
            ProblemError: Too many search at once, or it is not known yet what there is.
        """
        found = {LIMIT.name: str(limit)}
        shown, _, seen = await self._gather(gatherer, f"/v1/{self._name}", Query(limit), found)
        return [msgspec.json.decode(item) for item in shown], seen

    async def _gather(
        self, gatherer: Gatherer, path: str, query: Query, found: Mapping[str, str]
    ) -> tuple[list[Raw], tuple[int, bytes] | None, Coverage]:
        count = self._stage.partition_count()
        if count is None:
            raise unavailable("this worker does not know yet how many partitions there are")

        async def local(numbers: list[int]) -> ListPart:
            return await self._searches.run(self._part(query, frozenset(numbers)))

        async def remote(url: str, numbers: list[int]) -> ListPart:
            asked = {**found, PARTITIONS.name: ",".join(map(str, numbers))}
            answer = await self._peers.ask(url, path, asked)
            if answer.status != _OK:
                raise PeerError(f"{url} answered with the status {answer.status}")
            return self._read(url, answer.body)

        gathered = await gatherer.gather(self._stage, set(range(count)), local, remote)
        shown, last = merge(gathered.parts, query.limit)
        return shown, last, coverage(gathered.answered, gathered.missing)

    def _read(self, url: str, body: bytes) -> ListPart:
        """Another worker's page.

        Raises:
            PeerError: It is none.
        """
        try:
            told = msgspec.json.decode(body, type=_PeerPage)
            items = msgspec.json.decode(body, type=dict[str, Raw])[self._name]
            listed = msgspec.json.decode(items, type=list[Raw])
            last = None if told.next is None else decode_cursor(told.next)
        except (msgspec.DecodeError, KeyError, ValueError) as error:
            raise PeerError(f"{url} answered with something else than a page: {error}") from None
        if len(listed) != len(told.places):
            raise PeerError(f"{url} answered with {len(listed)} at {len(told.places)} places")
        places = [(-viewers, key.encode(), 0) for viewers, key in told.places]
        return ListPart(listed, places, last, told.partitions)

    async def _part(self, query: Query, wanted: frozenset[int] | None) -> ListPart:
        """What this worker has of it, of partitions that were its own all the while."""
        stage, store = self._stage, self._stage.store
        while True:
            shown = [number for number in stage.shown if wanted is None or number in wanted]
            held = store.held(shown)
            part = await self._search(dataclasses.replace(query, partitions=frozenset(shown)))
            if not shown or (stage.is_current() and store.held(shown) == held):
                return part._replace(partitions=shown)

    async def _search(self, query: Query) -> ListPart:
        store = self._stage.store
        places, more = await page(store, query)
        time_slice = TimeSlice()
        items: list[Raw] = []
        kept: list[Place] = []
        for place in places:
            _, key, partition = place
            row = store.row(partition, key)
            if row is not None:  # else it has become final meanwhile
                figures = self._figures(partition, key, row)
                items.append(Raw(orjson.dumps(msgspec.to_builtins(figures))))
                kept.append(place)
            await time_slice.yield_if_over()
        # (What follows stands behind the last place, also where that one is no longer shown.)
        return ListPart(items, kept, places[-1][:2] if more else None, [])


def merge(parts: Sequence[ListPart], limit: int) -> tuple[list[Raw], tuple[int, bytes] | None]:
    """The largest of all parts, and behind which place there are more; None: there are no more.

    Args:
        parts: Each the largest of its partitions.
        limit: How many at most.
    """
    entries = [
        (place[:2], item)
        for part in parts
        for place, item in zip(part.places, part.items, strict=True)
    ]
    entries.sort(key=lambda entry: entry[0])
    # Behind the last of a part that has more, there may be some of it that we do not know.
    known = min((part.last for part in parts if part.last is not None), default=None)
    if known is not None:
        entries = [entry for entry in entries if entry[0] <= known]
    if len(entries) > limit:
        known = entries[limit - 1][0]
    return [item for _, item in entries[:limit]], known


def _json(body: dict[str, Any]) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), content_type="application/json")
