"""`/v1/broadcasts`: the figures of the broadcasts that this worker owns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal, get_args

import msgspec
from msgspec import Meta

from agents.serving.live import LiveBroadcasts, TimeSlice
from agents.serving.web.figures import BroadcastFigures, broadcast_figures
from agents.serving.web.operations import Operation, Parameter, ResponseSpec
from agents.serving.web.paging import Query, encode_cursor, page
from agents.serving.web.parameters import CURSOR, LIMIT, after_of, given, limit_of, slug
from agents.serving.web.responses import Problem, ProblemError, answer, not_found
from streams.audience import Row
from streams.routing import Partitioner, partition_for
from streams.viewer_event import MAX_BROADCAST, MAX_PLATFORM, MAX_SLUG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aiohttp import web

    from agents.serving.web.searches import Searches

Wanted = Literal["live", "ended"]

_PLATFORM: Final = f"^[a-z0-9][a-z0-9-]{{0,{MAX_PLATFORM - 1}}}$"
_VENUE: Final = f"^[a-z0-9][a-z0-9-]{{0,{MAX_SLUG - 1}}}$"


class BroadcastPage(msgspec.Struct, gc=False):
    """Some of the broadcasts that this worker owns, the largest first."""

    broadcasts: list[BroadcastFigures]
    next: Annotated[
        str | None, Meta(description="The `cursor` that gives the following page; null: no more.")
    ]
    partitions: Annotated[
        list[int],
        Meta(description="The partitions that this worker owns: others have the other broadcasts."),
    ]


class BroadcastsApi:
    """The figures of broadcasts.

    Args:
        live: The broadcasts that this worker owns.
        partitioner: The setting: by it is known where a broadcast that is not here would be.
        partition_count: How many partitions viewer-events has; None while that is not known.
        searches: What runs searches.
    """

    def __init__(
        self,
        live: LiveBroadcasts,
        partitioner: Partitioner,
        partition_count: Callable[[], int | None],
        searches: Searches,
    ) -> None:
        self._live = live
        self._partitioner = partitioner
        self._partition_count = partition_count
        self._searches = searches

    def operations(self) -> Iterable[Operation]:
        """The paths that this answers, and how."""
        return (
            Operation(
                "/v1/broadcasts",
                self.all,
                "Broadcasts that this worker owns and that are not final, most viewers first.",
                {
                    200: ResponseSpec("A page of them.", BroadcastPage),
                    400: ResponseSpec("A parameter is wrong: `detail` names it.", Problem),
                    503: ResponseSpec("Too many search at once, or it took too long.", Problem),
                },
                _LIST_PARAMETERS,
            ),
            Operation(
                "/v1/broadcasts/{platform}/{broadcast}",
                self.one,
                "The newest run of one broadcast that this worker owns.",
                {
                    200: ResponseSpec("Its figures.", BroadcastFigures),
                    404: ResponseSpec(
                        "It is not here: `partitions` says which partitions this worker owns, "
                        "`partition` in which the broadcast would be, `detail` what follows.",
                        Problem,
                    ),
                },
                _ONE_PARAMETERS,
                route="/v1/broadcasts/{platform}/{broadcast:.+}",
            ),
        )

    async def all(self, request: web.Request) -> web.Response:
        """Answer `/v1/broadcasts`."""
        return answer(await self._searches.run(self._page(_query(request))))

    async def _page(self, query: Query) -> BroadcastPage:
        live = self._live
        places, more = await page(live, query)
        time_slice = TimeSlice()
        broadcasts: list[BroadcastFigures] = []
        for _, key, partition in places:
            row = live.row(partition, key)
            if row is not None:  # else it has become final meanwhile
                broadcasts.append(broadcast_figures(partition, key, row))
            await time_slice.yield_if_over()
        return BroadcastPage(
            broadcasts, encode_cursor(places[-1]) if more else None, live.partitions
        )

    async def one(self, request: web.Request) -> web.Response:
        """Answer `/v1/broadcasts/{platform}/{broadcast}`."""
        platform, broadcast = request.match_info["platform"], request.match_info["broadcast"]
        key = f"{platform}:{broadcast}".encode()
        found = self._live.find(key)
        if found is not None and isinstance(found.row, Row):
            return answer(broadcast_figures(found.partition, key, found.row))
        if found is not None:
            raise self._missing(
                found.partition,
                f"{platform}:{broadcast} is over and its row is gone: its last summary is in "
                "broadcast-summaries",
            )
        raise self._unknown(key, f"{platform}:{broadcast}")

    def _unknown(self, key: bytes, name: str) -> ProblemError:
        count = self._partition_count()
        if count is None or self._partitioner == "any":
            return self._missing(None, f"{name} is not here; another worker may have it")
        partition = partition_for(key, count, self._partitioner)
        if partition in self._live.partitions:
            return self._missing(
                partition, f"nothing is known of {name}: it has not begun, or is long over"
            )
        return self._missing(
            partition,
            f"{name} would be in partition {partition}, which this worker does not own: another "
            "worker has it, or is taking it over",
        )

    def _missing(self, partition: int | None, detail: str) -> ProblemError:
        return not_found(detail, self._live.partitions, partition)


def _query(request: web.Request) -> Query:
    """Read the query's parameters.

    Raises:
        ProblemError: one of them is wrong.
    """
    found = given(request, _LIST_PARAMETERS)
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
)
_ONE_PARAMETERS: Final = (
    Parameter("platform", "Its platform.", slug(_PLATFORM), "path"),
    Parameter(
        "broadcast",
        "The platform's id of it, percent-encoded; `/` and `:` may stand as they are.",
        {"type": "string", "minLength": 1, "maxLength": MAX_BROADCAST},
        "path",
    ),
)
