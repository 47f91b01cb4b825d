"""`/v1/broadcasts`: the figures of all broadcasts, or of those that this worker owns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal, get_args

import msgspec
from msgspec import UNSET, Meta, UnsetType

from agents.serving.web.coverage import Coverage  # noqa: TC001  # msgspec needs it
from agents.serving.web.figures import BroadcastFigures, broadcast_figures
from agents.serving.web.history import (
    FROM,
    TO,
    BroadcastMinutes,
    broadcast_minutes,
    minutes_asked,
)
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
from streams.audience import Row
from streams.routing import Partitioner, partition_for
from streams.viewer_event import MAX_BROADCAST, MAX_PLATFORM, MAX_SLUG

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from aiohttp import web

    from agents.serving.live import LiveBroadcasts
    from agents.serving.web.gathering import Gatherer
    from agents.serving.web.peers import Peers
    from agents.serving.web.sealed import Blocks
    from agents.serving.web.searches import Searches
    from agents.serving.web.stage import Stage

Wanted = Literal["live", "ended"]

_PLATFORM: Final = f"^[a-z0-9][a-z0-9-]{{0,{MAX_PLATFORM - 1}}}$"
_VENUE: Final = f"^[a-z0-9][a-z0-9-]{{0,{MAX_SLUG - 1}}}$"


class BroadcastPage(msgspec.Struct, gc=False):
    """Some of the broadcasts of the whole system, the largest first."""

    broadcasts: list[BroadcastFigures]
    next: Annotated[
        str | None, Meta(description="The `cursor` that gives the following page; null: no more.")
    ]
    partitions: Coverage


class OwnBroadcastPage(msgspec.Struct, gc=False):
    """Some of the broadcasts that this worker owns, the largest first (`local=true`)."""

    broadcasts: list[BroadcastFigures]
    next: Annotated[
        str | None, Meta(description="The `cursor` that gives the following page; null: no more.")
    ]
    partitions: Annotated[
        list[int],
        Meta(description="The partitions that this worker owns: others have the other broadcasts."),
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


class BroadcastsApi:
    """The figures of broadcasts.

    Args:
        stage: The broadcasts that this worker owns, and who owns others.
        partitioner: The setting: by it is known where a broadcast that is not here would be.
        searches: What runs searches.
        gatherer: Asks for partitions.
        peers: Asks other workers.
        blocks: Fetches sealed minutes.
        seconds: How long that may take for one answer.
    """

    def __init__(
        self,
        stage: Stage[LiveBroadcasts],
        partitioner: Partitioner,
        searches: Searches,
        gatherer: Gatherer,
        peers: Peers,
        blocks: Blocks,
        seconds: float,
    ) -> None:
        self._blocks = blocks
        self._seconds = seconds
        self._stage = stage
        self._live = stage.store
        self._partitioner = partitioner
        self.lists = Lists("broadcasts", stage, broadcast_figures, searches, gatherer, peers)
        self._look_ups = LookUps(gatherer, peers)

    def operations(self) -> Iterable[Operation]:
        """The paths that this answers, and how."""
        missing = ResponseSpec(
            "It is not there: `detail` says what follows. With `local=true`: it is not here; "
            "`partitions` says which partitions this worker owns, `partition` in which the "
            "broadcast would be.",
            Problem,
        )
        unasked = ResponseSpec("The worker that owns `partition` could not be asked.", Problem)
        return (
            Operation(
                "/v1/broadcasts",
                self.all,
                "All broadcasts that are not final, most viewers first.",
                {
                    200: ResponseSpec("A page of them.", (BroadcastPage, OwnBroadcastPage)),
                    400: ResponseSpec("A parameter is wrong: `detail` names it.", Problem),
                    503: ResponseSpec("Too many search at once, or it took too long.", Problem),
                },
                _LIST_PARAMETERS,
            ),
            Operation(
                "/v1/broadcasts/{platform}/{broadcast}/minutes",
                self.minutes,
                "The minutes of the newest run of one broadcast: the open ones, and with "
                "AUDIENCE_MINUTES=on the sealed ones too. (A broadcast whose id ends in /minutes "
                "is asked for with %2Fminutes.)",
                {
                    200: ResponseSpec(
                        "Its minutes; `missing` says which are not here, and why.",
                        BroadcastMinutes,
                    ),
                    400: ResponseSpec("A parameter is wrong: `detail` names it.", Problem),
                    404: missing,
                    503: unasked,
                },
                (*_ONE_PARAMETERS[:2], FROM, TO, LOCAL),
                route="/v1/broadcasts/{platform}/{broadcast:.+}/minutes",
            ),
            Operation(
                "/v1/broadcasts/{platform}/{broadcast}",
                self.one,
                "The newest run of one broadcast.",
                {
                    200: ResponseSpec("Its figures.", BroadcastFigures),
                    404: missing,
                    503: unasked,
                },
                _ONE_PARAMETERS,
                route="/v1/broadcasts/{platform}/{broadcast:.+}",
            ),
        )

    async def all(self, request: web.Request) -> web.Response:
        """Answer `/v1/broadcasts`."""
        found = given(request, _LIST_PARAMETERS)
        return await self.lists.answer(request, _query(found), found)

    async def one(self, request: web.Request) -> web.Response:
        """Answer `/v1/broadcasts/{platform}/{broadcast}`."""

        async def figures(partition: int, key: bytes, row: Row) -> BroadcastFigures:
            return broadcast_figures(partition, key, row)

        return await self._answer(request, figures)

    async def minutes(self, request: web.Request) -> web.Response:
        """Answer `/v1/broadcasts/{platform}/{broadcast}/minutes`."""
        found = given(request, (FROM, TO, LOCAL))
        minutes_asked(found, 0)  # what is wrong is told before anybody is asked

        async def minutes(partition: int, key: bytes, row: Row) -> BroadcastMinutes:
            del partition
            first, last = minutes_asked(found, row.newest)
            return await broadcast_minutes(key, row, first, last, self._blocks, self._seconds)

        return await self._answer(request, minutes, found)

    async def _answer(
        self,
        request: web.Request,
        shown: Callable[[int, bytes, Row], Awaitable[msgspec.Struct]],
        found: Mapping[str, str] | None = None,
    ) -> web.Response:
        """Answer with what is shown of a broadcast, from whoever owns it."""
        platform, broadcast = request.match_info["platform"], request.match_info["broadcast"]
        name = f"{platform}:{broadcast}"
        key = name.encode()

        async def local() -> web.Response:
            return await self._own(key, name, shown)

        if is_local(request.query):
            return await local()
        place = self._place(key)
        return await self._look_ups.whole(request, self._stage, name, place, local, found)

    def _place(self, key: bytes) -> int | None:
        """In which partition a broadcast would be; None where that cannot be told."""
        count = self._stage.partition_count()
        if count is None or self._partitioner == "any":
            return None
        return partition_for(key, count, self._partitioner)

    async def _own(
        self, key: bytes, name: str, shown: Callable[[int, bytes, Row], Awaitable[msgspec.Struct]]
    ) -> web.Response:
        """This worker's own answer.

        Raises:
            ProblemError: It has none.
        """
        found = self._live.find(key) if self._stage.is_current() else None
        if found is not None and isinstance(found.row, Row):
            held = self._live.held([found.partition])
            told = await shown(found.partition, key, found.row)
            if not self._stage.is_current() or self._live.held([found.partition]) != held:
                raise not_found(f"{name} is changing hands", [], found.partition)
            return answer(told)
        if found is not None:
            raise self._missing(
                found.partition,
                f"{name} is over and its row is gone: its last summary is in broadcast-summaries",
            )
        raise self._unknown(key, name)

    def _unknown(self, key: bytes, name: str) -> ProblemError:
        partition = self._place(key)
        if partition is None:
            return self._missing(None, f"{name} is not here; another worker may have it")
        if partition in self._stage.shown:
            return self._missing(
                partition, f"nothing is known of {name}: it has not begun, or is long over"
            )
        return self._missing(
            partition,
            f"{name} would be in partition {partition}, which this worker does not own: another "
            "worker has it, or is taking it over",
        )

    def _missing(self, partition: int | None, detail: str) -> ProblemError:
        return not_found(detail, self._stage.shown, partition)


def _query(found: Mapping[str, str]) -> Query:
    """Read the query's parameters.

    Raises:
        ProblemError: one of them is wrong.
    """
    platform, status = found.get("platform"), found.get("status")
    return Query(
        limit=limit_of(found),
        prefix=b"" if platform is None else f"{platform}:".encode(),
        venue=found.get("venue"),
        ended=None if status is None else status == "ended",
        after=after_of(found),
    )


_LIST_PARAMETERS: Final = (
    Parameter("platform", "Only broadcasts of this platform.", slug(_PLATFORM)),
    Parameter("venue", "Only broadcasts at this venue; `unknown`: of none.", slug(_VENUE)),
    Parameter(
        "status",
        "Only such as go on, or only such as have ended.",
        {"type": "string", "enum": list(get_args(Wanted))},
    ),
    LIMIT,
    CURSOR,
    LOCAL,
    PARTITIONS,
)
_ONE_PARAMETERS: Final = (
    Parameter("platform", "Its platform.", slug(_PLATFORM), "path"),
    Parameter(
        "broadcast",
        "The platform's id of it, percent-encoded; `/` and `:` may stand as they are.",
        {"type": "string", "minLength": 1, "maxLength": MAX_BROADCAST},
        "path",
    ),
    LOCAL,
)
