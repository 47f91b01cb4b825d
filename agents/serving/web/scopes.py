"""`/v1/scopes`: the figures of the scopes that this worker owns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, get_args

import msgspec
from msgspec import Meta

from agents.serving.live import TimeSlice
from agents.serving.web.figures import ScopeFigures, scope_figures
from agents.serving.web.operations import Operation, Parameter, ResponseSpec
from agents.serving.web.paging import Query, encode_cursor, page
from agents.serving.web.parameters import CURSOR, LIMIT, after_of, given, limit_of, slug
from agents.serving.web.responses import Problem, ProblemError, answer, not_found
from streams.audience.scope import ScopeHead
from streams.routing import partition_for
from streams.summaries import ScopeKind
from streams.viewer_event import MAX_SLUG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aiohttp import web

    from agents.serving.live import LiveScopes
    from agents.serving.web.searches import Searches

_KINDS: Final[tuple[str, ...]] = get_args(ScopeKind)
#: What can stand before a name.
_NAMED: Final = tuple(kind for kind in _KINDS if kind != "world")
_NAME: Final = f"^[a-z0-9][a-z0-9-]{{0,{MAX_SLUG - 1}}}$"


class ScopePage(msgspec.Struct, gc=False):
    """Some of the scopes that this worker owns, the largest first; last what has ended."""

    scopes: list[ScopeFigures]
    next: Annotated[
        str | None, Meta(description="The `cursor` that gives the following page; null: no more.")
    ]
    partitions: Annotated[
        list[int],
        Meta(description="The scopes' partitions that this worker owns: others have the others."),
    ]


class ScopesApi:
    """The figures of scopes.

    Args:
        live: The scopes that this worker owns.
        partition_count: How many partitions the scopes have; None while that is not known.
        searches: What runs searches.
    """

    def __init__(
        self, live: LiveScopes, partition_count: Callable[[], int | None], searches: Searches
    ) -> None:
        self._live = live
        self._partition_count = partition_count
        self._searches = searches

    def operations(self) -> Iterable[Operation]:
        """The paths that this answers, and how."""
        found = ResponseSpec("Its figures.", ScopeFigures)
        missing = ResponseSpec(
            "It is not here: `partitions` says which of the scopes' partitions this worker owns, "
            "`partition` in which the scope would be, `detail` what follows.",
            Problem,
        )
        return (
            Operation(
                "/v1/scopes",
                self.all,
                "Scopes that this worker owns, most viewers now first.",
                {
                    200: ResponseSpec("A page of them.", ScopePage),
                    400: ResponseSpec("A parameter is wrong: `detail` names it.", Problem),
                    503: ResponseSpec("Too many search at once, or it took too long.", Problem),
                },
                _LIST_PARAMETERS,
            ),
            Operation(
                "/v1/scopes/world",
                self.world,
                "All broadcasts together, from the worker that owns them.",
                {200: found, 404: missing},
            ),
            Operation(
                "/v1/scopes/{scope}/{name}",
                self.one,
                "One platform, venue or programme that this worker owns.",
                {200: found, 404: missing},
                _ONE_PARAMETERS,
            ),
        )

    async def all(self, request: web.Request) -> web.Response:
        """Answer `/v1/scopes`."""
        return answer(await self._searches.run(self._page(_query(request))))

    async def _page(self, query: Query) -> ScopePage:
        live = self._live
        places, more = await page(live, query)
        time_slice = TimeSlice()
        scopes: list[ScopeFigures] = []
        for _, key, partition in places:
            head = live.row(partition, key)
            if head is not None:  # else the partition was lost meanwhile
                scopes.append(scope_figures(partition, key, head))
            await time_slice.yield_if_over()
        return ScopePage(scopes, encode_cursor(places[-1]) if more else None, live.partitions)

    async def world(self, request: web.Request) -> web.Response:
        """Answer `/v1/scopes/world`."""
        del request
        return self._answer("world")

    async def one(self, request: web.Request) -> web.Response:
        """Answer `/v1/scopes/{scope}/{name}`."""
        scope, name = request.match_info["scope"], request.match_info["name"]
        if scope not in _NAMED:
            raise self._missing(
                None, f"{scope} is no kind of scope with names, there are {', '.join(_NAMED)}"
            )
        return self._answer(f"{scope}:{name}")

    def _answer(self, scope: str) -> web.Response:
        key = scope.encode()
        found = self._live.find(key)
        if found is not None and isinstance(found.row, ScopeHead) and found.row.minute >= 0:
            return answer(scope_figures(found.partition, key, found.row))
        count = self._partition_count()
        if count is None:
            raise self._missing(None, f"{scope} is not here; another worker may have it")
        partition = partition_for(key, count)
        if partition in self._live.partitions:
            raise self._missing(partition, f"nothing is known of {scope}: it has had no event yet")
        raise self._missing(
            partition,
            f"{scope} would be in partition {partition} of the scopes, which this worker does not "
            "own: another worker has it, or is taking it over",
        )

    def _missing(self, partition: int | None, detail: str) -> ProblemError:
        return not_found(detail, self._live.partitions, partition)


def _query(request: web.Request) -> Query:
    """Read the query's parameters.

    Raises:
        ProblemError: one of them is wrong.
    """
    found = given(request, _LIST_PARAMETERS)
    kind = found.get("scope", "")
    return Query(
        limit=limit_of(found),
        prefix=f"{kind}:".encode() if kind in _NAMED else kind.encode(),
        after=after_of(found),
    )


_LIST_PARAMETERS: Final = (
    Parameter("scope", "Only scopes of this kind.", {"type": "string", "enum": list(_KINDS)}),
    LIMIT,
    CURSOR,
)
_ONE_PARAMETERS: Final = (
    Parameter("scope", "Its kind.", {"type": "string", "enum": list(_NAMED)}, "path"),
    Parameter("name", "Its name.", slug(_NAME), "path"),
)
