"""`/metrics`: the exposition, sent as it is written."""

from __future__ import annotations

import asyncio
import zlib
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import hdrs, web

from agents.metrics.negotiation import (
    OPENMETRICS_FORMAT,
    TEXT_FORMAT,
    accepts_gzip,
    negotiate,
)
from agents.web.documented import Answer, Operation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from agents.metrics import Exposition

log = structlog.get_logger(__name__)

#: Level 1 makes a fifteenth of the size; more levels cost far more time than they save bytes.
_LEVEL: Final = 1
_GZIP: Final = 16 + zlib.MAX_WBITS


class ScrapeApi:
    """Answers scrapes.

    Args:
        exposition: What is scraped.
    """

    def __init__(self, exposition: Exposition) -> None:
        self._exposition = exposition

    def operations(self) -> Iterable[Operation]:
        """The paths that this answers, and how."""
        media = (TEXT_FORMAT.content_type, OPENMETRICS_FORMAT.content_type)
        return (
            Operation(
                "/metrics",
                self.metrics,
                "Metrics, as OpenMetrics or Prometheus text by the header Accept.",
                {200: Answer("All metrics of this worker.", media=media)},
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
        response = web.StreamResponse(headers=headers)
        async with aclosing(self._exposition.chunks(openmetrics=form.openmetrics)) as chunks:
            first = await anext(chunks)  # what fails before the first byte is a proper 500
            await response.prepare(request)
            try:
                await _send(response, first, chunks, compressed=gzip)
            except ConnectionError:
                pass  # the scraper is gone
            except Exception:  # our own defect, after the answer has begun
                # Part of it is sent: cut it off, so that nobody takes that for the whole.
                log.exception("a scrape failed in our own code")
                if request.transport is not None:
                    request.transport.abort()
        return response


async def _send(
    response: web.StreamResponse, first: bytes, rest: AsyncIterator[bytes], *, compressed: bool
) -> None:
    compress = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP) if compressed else None
    chunk = first
    while chunk:
        # In a thread, for zlib lets go of the interpreter.
        sent = await asyncio.to_thread(compress.compress, chunk) if compress else chunk
        if sent:
            await response.write(sent)
        chunk = await anext(rest, b"")
    await response.write_eof(compress.flush() if compress else b"")
