"""`/metrics`: the exposition, sent as it is written."""

from __future__ import annotations

import asyncio
import zlib
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import hdrs, web

from agents.serving.metrics.negotiation import (
    OPENMETRICS_FORMAT,
    TEXT_FORMAT,
    accepts_gzip,
    negotiate,
)
from agents.serving.web.connections import Connection
from agents.serving.web.operations import Operation, ResponseSpec
from agents.serving.web.responses import Problem, ProblemError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from agents.serving.metrics import Exposition

log = structlog.get_logger(__name__)

#: Level 1 makes a fifteenth of the size; more levels cost far more time than they save bytes.
_LEVEL: Final = 1
_GZIP: Final = 16 + zlib.MAX_WBITS
#: Scrapes at once: each holds the figures as they stood when it began, and takes turns with the
#: batches.
_AT_ONCE: Final = 8


class ScrapeApi:
    """Answers scrapes.

    Args:
        exposition: What is scraped.
    """

    def __init__(self, exposition: Exposition) -> None:
        self._exposition = exposition
        self._under_way: set[web.RequestHandler] = set()

    def operations(self) -> Iterable[Operation]:
        """The paths that this answers, and how."""
        media = (TEXT_FORMAT.content_type, OPENMETRICS_FORMAT.content_type)
        return (
            Operation(
                "/metrics",
                self.metrics,
                "Metrics, as OpenMetrics or Prometheus text by the header Accept.",
                {
                    200: ResponseSpec("All metrics of this worker.", media=media),
                    503: ResponseSpec("Too many scrape at once.", Problem),
                },
            ),
        )

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        """Answer `/metrics`."""
        form = negotiate(",".join(request.headers.getall(hdrs.ACCEPT, [])))
        gzip = accepts_gzip(",".join(request.headers.getall(hdrs.ACCEPT_ENCODING, [])))
        headers = {hdrs.CONTENT_TYPE: form.content_type, hdrs.VARY: "Accept, Accept-Encoding"}
        if gzip:
            headers[hdrs.CONTENT_ENCODING] = "gzip"
        if request.method == hdrs.METH_HEAD:
            return web.Response(headers=headers)
        client = request.protocol
        self._make_room()
        self._under_way.add(client)
        try:
            return await self._answer(
                request, web.StreamResponse(headers=headers), form.openmetrics
            )
        finally:
            self._under_way.discard(client)

    async def _answer(
        self, request: web.Request, response: web.StreamResponse, openmetrics: bool
    ) -> web.StreamResponse:
        async with aclosing(self._exposition.chunks(openmetrics=openmetrics)) as chunks:
            first = await anext(chunks)  # what fails before the first byte is a proper 500
            await response.prepare(request)
            try:
                gzip = hdrs.CONTENT_ENCODING in response.headers
                await _send(response, first, chunks, compressed=gzip)
            except ConnectionError:
                raise  # the scraper is gone
            except Exception:  # our own defect, after the answer has begun
                # Part of it is sent: cut it off, so that nobody takes that for the whole.
                log.exception("internal error in a scrape")
                if request.transport is not None:
                    request.transport.abort()
        return response

    def _make_room(self) -> None:
        """Where there are as many scrapes as there may be, give up the one longest unread.

        Raises:
            ProblemError: All are read, so this one is one too many.
        """
        if len(self._under_way) < _AT_ONCE:
            return
        unread = {
            client.unread_since: client
            for client in self._under_way
            if isinstance(client, Connection) and client.unread_since is not None
        }
        if unread:
            unread[min(unread)].give_up("unread")
        else:
            raise ProblemError(
                Problem(
                    title="Service Unavailable",
                    status=503,
                    detail=f"{_AT_ONCE} scrapes are under way already: scrape less often",
                )
            )


async def _send(
    response: web.StreamResponse, first: bytes, rest: AsyncIterator[bytes], *, compressed: bool
) -> None:
    compress = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP) if compressed else None
    chunk: bytes | None = first
    while chunk is not None:  # an empty one is no end: more may follow
        # In a thread, for zlib lets go of the interpreter.
        sent = await asyncio.to_thread(compress.compress, chunk) if compress else chunk
        if sent:
            await response.write(sent)
        chunk = await anext(rest, None)
    await response.write_eof(compress.flush() if compress else b"")
