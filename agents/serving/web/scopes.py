"""`/v1/scopes`: the figures of all scopes, or of those that this worker owns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, get_args

import msgspec
from msgspec import UNSET, Meta, UnsetType

from agents.serving.web.coverage import Coverage  # noqa: TC001  # msgspec needs it
from agents.serving.web.figures import ScopeFigures, scope_figures
from agents.serving.web.history import FROM, TO, ScopeMinutes, minutes_asked, scope_minutes
from agents.serving.web.lists import Lists
from agents.serving.web.lookups import LookUps
from agents.serving.web.operations import Operation, Parameter, ResponseSpec
from agents.serving.web.paging import Query
from agents.serving.web.parameters import (
    CURSOR,
    LIMIT,
    LOCAL,
    PARTITIONS,
    after_of,
    given,
    is_local,
    limit_of,
    slug,
)
from agents.serving.web.responses import Problem, ProblemError, answer, not_found
from streams.audience.scope import ScopeChunk, ScopeHead, chunk_key
from streams.routing import partition_for
from streams.summaries import ScopeKind
from streams.viewer_event import MAX_SLUG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from aiohttp import web

    from agents.serving.live import LiveScopes
    from agents.serving.web.gathering import Gatherer
    from agents.serving.web.peers import Peers
    from agents.serving.web.searches import Searches
    from agents.serving.web.stage import Stage

_KINDS: Final[tuple[str, ...]] = get_args(ScopeKind)
#: What can stand before a name.
_NAMED: Final = tuple(kind for kind in _KINDS if kind != "world")
_NAME: Final = f"^[a-z0-9][a-z0-9-]{{0,{MAX_SLUG - 1}}}$"


class ScopePage(msgspec.Struct, gc=False):
    """Some of the scopes of the whole system, the largest first; last what has ended."""

    scopes: list[ScopeFigures]
    next: Annotated[
        str | None, Meta(description="The `cursor` that gives the following page; null: no more.")
    ]
    partitions: Coverage


class OwnScopePage(msgspec.Struct, gc=False):
    """Some of the scopes that this worker owns, the largest first (`local=true`)."""

    scopes: list[ScopeFigures]
    next: Annotated[
        str | None, Meta(description="The `cursor` that gives the following page; null: no more.")
    ]
    partitions: Annotated[
        list[int],
        Meta(description="The scopes' partitions that this worker owns: others have the others."),
    ]
    places: (
        Annotated[
            list[tuple[int, str]],
            Meta(
                description="Viewers and key by which each stands in its place, for `partitions`."
            ),
        ]
        | UnsetType
    ) = UNSET


class ScopesApi:
    """The figures of scopes.

    Args:
        stage: The scopes that this worker owns, and who owns others.
        searches: What runs searches.
        gatherer: Asks for partitions.
        peers: Asks other workers.
    """

    def __init__(
        self, stage: Stage[LiveScopes], searches: Searches, gatherer: Gatherer, peers: Peers
    ) -> None:
        self._stage = stage
        self._live = stage.store
        self.lists = Lists("scopes", stage, scope_figures, searches, gatherer, peers)
        self._look_ups = LookUps(gatherer, peers)

    def operations(self) -> Iterable[Operation]:
        """The paths that this answers, and how."""
        found = ResponseSpec("Its figures.", ScopeFigures)
        missing = ResponseSpec(
            "It is not there: `detail` says what follows. With `local=true`: it is not here; "
            "`partitions` says which of the scopes' partitions this worker owns, `partition` in "
            "which the scope would be.",
            Problem,
        )
        minutes = ResponseSpec("Its minutes.", ScopeMinutes)
        wrong = ResponseSpec("A parameter is wrong: `detail` names it.", Problem)
        unasked = ResponseSpec("The worker that owns `partition` could not be asked.", Problem)
        return (
            Operation(
                "/v1/scopes",
                self.all,
                "All scopes, most viewers now first.",
                {
                    200: ResponseSpec("A page of them.", (ScopePage, OwnScopePage)),
                    400: wrong,
                    503: ResponseSpec("Too many search at once, or it took too long.", Problem),
                },
                _LIST_PARAMETERS,
            ),
            Operation(
                "/v1/scopes/world",
                self.world,
                "All broadcasts together.",
                {200: found, 404: missing, 503: unasked},
                (LOCAL,),
            ),
            Operation(
                "/v1/scopes/{scope}/{name}",
                self.one,
                "One platform, venue or programme.",
                {200: found, 404: missing, 503: unasked},
                _ONE_PARAMETERS,
            ),
            Operation(
                "/v1/scopes/world/minutes",
                self.world_minutes,
                "The audience of all broadcasts together, minute by minute.",
                {200: minutes, 400: wrong, 404: missing, 503: unasked},
                (FROM, TO, LOCAL),
            ),
            Operation(
                "/v1/scopes/{scope}/{name}/minutes",
                self.minutes,
                "The audience of one platform, venue or programme, minute by minute.",
                {200: minutes, 400: wrong, 404: missing, 503: unasked},
                (*_ONE_PARAMETERS[:2], FROM, TO, LOCAL),
            ),
        )

    async def all(self, request: web.Request) -> web.Response:
        """Answer `/v1/scopes`."""
        found = given(request, _LIST_PARAMETERS)
        return await self.lists.answer(request, _query(found), found)

    async def world(self, request: web.Request) -> web.Response:
        """Answer `/v1/scopes/world`."""
        return await self._answer(request, "world", _figures)

    async def one(self, request: web.Request) -> web.Response:
        """Answer `/v1/scopes/{scope}/{name}`."""
        return await self._answer(request, self._name(request), _figures)

    async def world_minutes(self, request: web.Request) -> web.Response:
        """Answer `/v1/scopes/world/minutes`."""
        return await self._minutes(request, "world")

    async def minutes(self, request: web.Request) -> web.Response:
        """Answer `/v1/scopes/{scope}/{name}/minutes`."""
        return await self._minutes(request, self._name(request))

    async def _minutes(self, request: web.Request, scope: str) -> web.Response:
        found = given(request, (FROM, TO, LOCAL))
        minutes_asked(found, 0)  # what is wrong is told before anybody is asked

        def minutes(partition: int, key: bytes, head: ScopeHead) -> ScopeMinutes:
            def chunk(number: int) -> ScopeChunk | None:
                row = self._live.state(partition, chunk_key(key, number))
                return row if isinstance(row, ScopeChunk) else None

            return scope_minutes(scope, head, chunk, *minutes_asked(found, head.minute))

        return await self._answer(request, scope, minutes, found)

    def _name(self, request: web.Request) -> str:
        scope, name = request.match_info["scope"], request.match_info["name"]
        if scope not in _NAMED:
            raise self._missing(
                None, f"{scope} is no kind of scope with names, there are {', '.join(_NAMED)}"
            )
        return f"{scope}:{name}"

    async def _answer(
        self,
        request: web.Request,
        scope: str,
        shown: Callable[[int, bytes, ScopeHead], msgspec.Struct],
        found: Mapping[str, str] | None = None,
    ) -> web.Response:
        """Answer with what is shown of a scope, from whoever owns it."""

        async def local() -> web.Response:
            return self._own(scope, shown)

        if is_local(request.query):
            return await local()
        count = self._stage.partition_count()
        place = None if count is None else partition_for(scope.encode(), count)
        return await self._look_ups.whole(request, self._stage, scope, place, local, found)

    def _own(
        self, scope: str, shown: Callable[[int, bytes, ScopeHead], msgspec.Struct]
    ) -> web.Response:
        """This worker's own answer.

        Raises:
            ProblemError: It has none.
        """
        key = scope.encode()
        found = self._live.find(key) if self._stage.is_current() else None
        if found is not None and isinstance(found.row, ScopeHead) and found.row.minute >= 0:
            return answer(shown(found.partition, key, found.row))
        count = self._stage.partition_count()
        if count is None:
            raise self._missing(None, f"{scope} is not here; another worker may have it")
        partition = partition_for(key, count)
        if partition in self._stage.shown:
            raise self._missing(partition, f"nothing is known of {scope}: it has had no event yet")
        raise self._missing(
            partition,
            f"{scope} would be in partition {partition} of the scopes, which this worker does not "
            "own: another worker has it, or is taking it over",
        )

    def _missing(self, partition: int | None, detail: str) -> ProblemError:
        return not_found(detail, self._stage.shown, partition)


def _figures(partition: int, key: bytes, head: ScopeHead) -> msgspec.Struct:
    return scope_figures(partition, key, head)


def _query(found: Mapping[str, str]) -> Query:
    """Read the query's parameters.

    Raises:
        ProblemError: one of them is wrong.
    """
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
    LOCAL,
    PARTITIONS,
)
_ONE_PARAMETERS: Final = (
    Parameter("scope", "Its kind.", {"type": "string", "enum": list(_NAMED)}, "path"),
    Parameter("name", "Its name.", slug(_NAME), "path"),
    LOCAL,
)
