"""`/v1/live`: the whole system as server-sent events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiohttp import hdrs, web

from agents.serving.web.connections import Connection
from agents.serving.web.feed import Feed
from agents.serving.web.operations import Operation, Parameter, ResponseSpec
from agents.serving.web.responses import Problem, unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agents.serving.web.connections import Limits
    from agents.serving.web.coverage import Coverage
    from agents.serving.web.feed import State
    from agents.serving.web.gathering import Gatherer
    from agents.serving.web.lists import Lists

#: How many of the largest are told.
BROADCASTS: Final = 100
SCOPES: Final = 200
#: After so many seconds without news a comment is sent, so that nobody between takes it for dead.
_COMMENT: Final = 15.0
#: Of all connections this share is never taken by readers: scrapes and probes always have room.
_SHARE: Final = 4
#: How long the first state may take, in seconds.
_FIRST: Final = 10.0


class LiveApi:
    """Tells readers what the largest broadcasts and scopes come to, as it changes.

    Args:
        broadcasts: Lists them.
        scopes: Likewise.
        gatherer: Asks for all partitions.
        limits: How many connections there may be.
    """

    def __init__(
        self,
        broadcasts: Lists[Any],
        scopes: Lists[Any],
        gatherer: Gatherer,
        limits: Limits,
    ) -> None:
        self._broadcasts = broadcasts
        self._scopes = scopes
        self._gatherer = gatherer
        self._most = max(1, limits.connections - limits.connections // _SHARE)
        self.feed = Feed(self._look)

    def operations(self) -> Iterable[Operation]:
        """The paths that this answers, and how."""
        return (
            Operation(
                "/v1/live",
                self.live,
                f"The {BROADCASTS} largest broadcasts and {SCOPES} largest scopes as server-sent "
                "events. `state`: an object with `broadcasts` and `scopes`, each by its key, and "
                "`partitions` of both. `change`, at most once a second: a JSON Merge Patch "
                "(RFC 7396) to it; absent is null. Whoever falls behind gets a `state` again.",
                {
                    200: ResponseSpec("The stream.", media=("text/event-stream",)),
                    503: ResponseSpec(
                        "Too many read it already, or nothing is known yet.", Problem
                    ),
                },
                (
                    Parameter(
                        "Last-Event-ID",
                        "The `id` of the last event that was read: what has changed since follows, "
                        "if that is still known.",
                        {"type": "string"},
                        "header",
                    ),
                ),
            ),
        )

    async def live(self, request: web.Request) -> web.StreamResponse:
        """Answer `/v1/live`."""
        headers = {hdrs.CONTENT_TYPE: "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
        if request.method == hdrs.METH_HEAD:
            return web.Response(headers=headers)
        feed = self.feed
        if feed.readers >= self._most:
            raise unavailable(
                f"{feed.readers} readers are there already, as many as AUDIENCE_HTTP_CONNECTIONS "
                "leaves room for: ask another worker"
            )
        feed.enter()
        if isinstance(request.protocol, Connection):
            request.protocol.stream_began()
        try:
            position = feed.position(request.headers.get("Last-Event-ID", ""))
            text, position = await self._first(position)
            response = web.StreamResponse(headers=headers)
            await response.prepare(request)
            while not feed.stopped:
                # Until the client has taken most of it, nothing more is put behind it.
                await response.write(text or b":\n\n")
                text, position = feed.after(position)
                if not text:
                    await feed.next(_COMMENT)
                    text, position = feed.after(position)
            return response
        finally:
            feed.leave()

    async def _first(self, position: int | None) -> tuple[bytes, int]:
        text, reached = self.feed.after(position)
        if reached < 0:
            await self.feed.next(_FIRST)
            text, reached = self.feed.after(position)
        if reached < 0:
            raise unavailable("nothing is known yet: ask again later")
        return text, reached

    async def _look(self, before: State | None) -> State:
        broadcasts, seen = await self._broadcasts.largest(self._gatherer, BROADCASTS)
        scopes, scopes_seen = await self._scopes.largest(self._gatherer, SCOPES)
        state: State = {
            "broadcasts": {f"{each['platform']}:{each['broadcast']}": each for each in broadcasts},
            "scopes": {f"{each['scope']}:{each['name']}".rstrip(":"): each for each in scopes},
            "partitions": {
                "broadcasts": msgspec.to_builtins(seen),
                "scopes": msgspec.to_builtins(scopes_seen),
            },
        }
        if before is not None:
            _keep_unseen(before, state, "broadcasts", seen)
            _keep_unseen(before, state, "scopes", scopes_seen)
        return state


def _keep_unseen(before: State, state: State, kind: str, seen: Coverage) -> None:
    """Leave what lies in a partition that did not answer as it was: `partitions` tells of that."""
    missing = {each.partition for each in seen.missing}
    if missing:
        for key, figures in before[kind].items():
            if figures["partition"] in missing:
                state[kind].setdefault(key, figures)
