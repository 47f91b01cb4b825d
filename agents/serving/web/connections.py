"""HTTP connections with bounds: on their number, and on how long each may take for what it does.

A client that is slow or greedy loses its connection before it costs others theirs. Whatever is
closed here is aborted: a close in good order waits for what the client has not read, for ever.
"""

from __future__ import annotations

import asyncio
import enum
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import structlog
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from agents.serving.web.responses import Problem, answer, secure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = structlog.get_logger(__name__)

#: Why a connection was closed before its client did: its head was not complete in time; nothing
#: was asked for long; the client did not read its answer; the answer took too long; another
#: connection needed its place.
Reason = Literal["head", "idle", "unread", "answer", "full"]

#: How often connections are looked at, in seconds.
_SWEEP: Final = 0.5
#: How often closed connections are logged at most, in seconds.
_TELL: Final = 60.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What a connection may take.

    Attributes:
        connections: How many there may be.
        head: Seconds from the first byte of a request, or from the connection, to the end of its
            head.
        idle: Seconds between an answer and the next request.
        unread: Seconds in which a client that has much to read reads next to nothing of it.
        answer: Seconds for an answer from the request's head to its last byte.
    """

    connections: int = 128
    head: float = 10.0
    idle: float = 75.0
    unread: float = 15.0
    answer: float = 120.0


class _Phase(enum.Enum):
    """What a connection is at."""

    HEAD = enum.auto()
    ANSWER = enum.auto()
    STREAM = enum.auto()
    IDLE = enum.auto()


class Connection(web.RequestHandler):
    """One connection, that knows since when it is at what."""

    def __init__(self, server: web.Server, connections: Connections, **options: Any) -> None:
        super().__init__(server, **options)
        self._connections = connections
        self._phase = _Phase.HEAD
        self.unread_since: float | None = None
        self.since = 0.0
        #: aiohttp lets go of its own when it begins to close, which may take for ever.
        self._pipe: asyncio.Transport | None = None

    # -- what happens to it ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a request."""
        self._pipe = cast("asyncio.Transport", transport)
        self._enter(_Phase.HEAD)
        self._connections.opened(self)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Leave the others."""
        self._connections.lost(self)
        self._pipe = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take note that a request has begun."""
        if self._phase is _Phase.IDLE and data:
            self._enter(_Phase.HEAD)
        super().data_received(data)

    def request_received(self) -> None:
        """Take note that a head is complete and its answer is being made."""
        self._enter(_Phase.ANSWER)

    def stream_began(self) -> None:
        """Take note that its answer has no end: it may go on for as long as it is read."""
        self._enter(_Phase.STREAM)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send what is left of an answer, and begin to wait for the next request."""
        finished = await super().finish_response(request, resp, start_time)
        self._enter(_Phase.IDLE)
        return finished

    def pause_writing(self) -> None:
        """Take note that the client does not keep up with reading."""
        self.unread_since = self._loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Take note that it has caught up."""
        self.unread_since = None
        super().resume_writing()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no request; that is the client's defect and not logged as ours."""
        if status != 400:  # noqa: PLR2004  # what the parser refuses
            return super().handle_error(request, status, exc, message)
        if isinstance(exc, LineTooLong):
            problem = Problem(
                title="Request Header Fields Too Large",
                status=431,
                detail="The request's line or one of its headers is too long.",
            )
        else:
            problem = Problem(
                title="Bad request", status=400, detail="This is no HTTP request that can be read."
            )
        response = answer(problem)
        secure(response)
        response.force_close()
        return response

    # -- what is done about it ---------------------------------------------------------------------

    def rank(self) -> tuple[int, float]:
        """How much it is needed: the least needed has the smallest.

        What nobody waits for goes first, then what nobody reads, the longest at it first.
        """
        if self._phase not in (_Phase.ANSWER, _Phase.STREAM):
            return 0, self.since
        if self.unread_since is not None:
            return 1, self.unread_since
        return 2, self.since

    def overdue(self, now: float, limits: Limits) -> Reason | None:
        """Why it is to be closed; None if it may go on."""
        if self.unread_since is not None and now - self.unread_since > limits.unread:
            return "unread"
        took = now - self.since
        if self._phase is _Phase.HEAD:
            return "head" if took > limits.head else None
        if self._phase is _Phase.ANSWER:
            return "answer" if took > limits.answer else None
        if self._phase is _Phase.STREAM:
            return None
        if took > limits.unread and self._stuck():
            return "unread"
        return "idle" if took > limits.idle else None

    def _stuck(self) -> bool:
        """Whether it is closing, or answered in full, and yet its client does not take it."""
        pipe = self._pipe
        return pipe is not None and (pipe.is_closing() or pipe.get_write_buffer_size() > 0)

    def give_up(self, reason: Reason) -> None:
        """Close it before its client does."""
        self._connections.close(self, reason)

    def abort(self) -> None:
        """Close it at once; whoever is making its answer is cancelled."""
        if self._pipe is not None:
            self._pipe.abort()

    def _enter(self, phase: _Phase) -> None:
        self._phase = phase
        self.since = self._loop.time()


class Connections:
    """All connections of a server.

    Args:
        limits: What they may take.
        closed: Told the reason whenever one is closed before its client did so.
    """

    def __init__(self, limits: Limits, closed: Callable[[Reason], None] = lambda _: None) -> None:
        self.limits = limits
        self._closed = closed
        self._open: set[Connection] = set()
        self._aborted: set[Connection] = set()
        self._sweeping: asyncio.Task[None] | None = None
        self._emptied: asyncio.Future[None] | None = None
        self._untold: Counter[str] = Counter()
        self._logged_at = float("-inf")

    def __len__(self) -> int:
        """How many are open."""
        return len(self._open)

    def opened(self, connection: Connection) -> None:
        """One more."""
        self._open.add(connection)

    def lost(self, connection: Connection) -> None:
        """One less."""
        self._open.discard(connection)
        self._aborted.discard(connection)
        if self._emptied is not None and not self._open and not self._aborted:
            self._emptied.set_result(None)
            self._emptied = None

    def close_least_needed(self) -> bool:
        """Make room for another; False if there is none to close."""
        least = min(self._open, key=Connection.rank, default=None)
        if least is not None:
            self.close(least, "full")
        return least is not None

    def close(self, connection: Connection, reason: Reason) -> None:
        """Close one at once."""
        self._open.discard(connection)
        self._aborted.add(connection)  # until it is lost, which is soon
        connection.abort()
        self._closed(reason)
        if reason != "idle":  # that is as it should be
            self._untold[reason] += 1
            self._tell()

    def start(self) -> None:
        """Begin to look at them."""
        self._sweeping = asyncio.create_task(self._sweep(), name="HTTP connections")

    async def stop(self) -> None:
        """Close what is left."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.wait({self._sweeping})
            self._sweeping = None
        for connection in [*self._open]:
            connection.abort()
        if self._open or self._aborted:  # lost with the loop's next turns
            self._emptied = asyncio.get_running_loop().create_future()
            await self._emptied

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_SWEEP)
            now = loop.time()
            for connection in [*self._open]:
                reason = connection.overdue(now, self.limits)
                if reason is not None:
                    self.close(connection, reason)
            self._tell()

    def _tell(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._untold and now - self._logged_at >= _TELL:
            log.warning("HTTP connections were closed", open=len(self._open), **self._untold)
            self._untold.clear()
            self._logged_at = now


@web.middleware
async def received(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Tell the connection that the request's head is there."""
    if isinstance(request.protocol, Connection):
        request.protocol.request_received()
    return await handler(request)
