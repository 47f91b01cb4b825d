"""The HTTP server: what of the worker can be read from outside, and nothing else."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Final

from aiohttp import web

from agents.web.answers import problems
from agents.web.broadcasts import BroadcastsApi
from agents.web.health import Health, HealthApi
from agents.web.pages import Pages
from agents.web.scopes import ScopesApi
from agents.web.scrape import ScrapeApi
from streams.errors import LiveAudienceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from agents.live import LiveBroadcasts, LiveScopes
    from agents.metrics import Exposition
    from agents.web.documented import Operation
    from streams.routing import Partitioner

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
#: Scrapes that are under way when the server stops have so many seconds.
_LAST_ANSWERS: Final = 2.0


class HttpError(LiveAudienceError):
    """HTTP cannot be served at the address in the settings."""


class HttpServer:
    """Serves HTTP from `start` to `stop`.

    Args:
        host: AUDIENCE_HTTP_HOST, a name or an address.
        port: AUDIENCE_HTTP_PORT; 0 takes a free one.
        live: The broadcasts that this worker owns.
        scopes: The scopes that it owns.
        exposition: What a scrape gets.
        health: Who knows how the worker is.
        partitioner: AUDIENCE_PARTITIONER.
        partition_count: How many partitions viewer-events has; None while that is not known.
        scope_partition_count: Likewise of the scopes.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        live: LiveBroadcasts,
        scopes: LiveScopes,
        exposition: Exposition,
        health: Health,
        partitioner: Partitioner,
        partition_count: Callable[[], int | None],
        scope_partition_count: Callable[[], int | None],
    ) -> None:
        self._host = host
        self._port = port
        # Each part names its paths, so that one more part is one more line here.
        operations: list[Operation] = [
            *ScrapeApi(exposition).operations(),
            *HealthApi(health).operations(),
            *BroadcastsApi(live, partitioner, partition_count).operations(),
            *ScopesApi(scopes, scope_partition_count).operations(),
        ]
        operations += Pages(operations).operations()
        app = web.Application(middlewares=[problems])
        app.router.add_routes(
            web.get(operation.route or operation.path, operation.handler)
            for operation in operations
        )
        app.on_response_prepare.append(_secure)
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=_LAST_ANSWERS
        )

    @property
    def url(self) -> str:
        """Where it is found, without a slash at the end; with the port that was taken."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        addresses = self._runner.addresses
        port = addresses[0][1] if addresses else self._port
        return f"http://{host}:{port}"

    async def start(self) -> None:
        """Begin to answer.

        Raises:
            HttpError: the address cannot be had; the message names the setting to change.
        """
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except (OSError, OverflowError) as error:
            await self._runner.cleanup()
            raise HttpError(_told(error, self._host, self._port)) from error

    async def stop(self) -> None:
        """Answer no more; what is being answered has two seconds to end."""
        await self._runner.cleanup()


def check_address(host: str, port: int) -> None:
    """Look whether HTTP could be served there, before anything else is begun.

    Raises:
        HttpError: the address cannot be had; the message names the setting to change.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as asyncio does
            trial.bind(address)
    except (OSError, OverflowError) as error:
        raise HttpError(_told(error, host, port)) from error


def _told(error: Exception, host: str, port: int) -> str:
    code = error.errno if isinstance(error, OSError) else None
    if code == errno.EADDRINUSE:
        return (
            f"AUDIENCE_HTTP_PORT={port}: the port is in use on {host}; set another "
            "one for each worker on a host, or 0 for any free one"
        )
    if code in (errno.EACCES, errno.EPERM):
        return f"AUDIENCE_HTTP_PORT={port}: not allowed for this user; ports from 1024 are"
    if isinstance(error, socket.gaierror) or code == errno.EADDRNOTAVAIL:
        return f"AUDIENCE_HTTP_HOST={host}: is no address of this machine ({error})"
    return f"AUDIENCE_HTTP_HOST={host}, AUDIENCE_HTTP_PORT={port}: {error}"


async def _secure(request: web.Request, response: web.StreamResponse) -> None:
    """Say to browsers that they may do nothing with an answer but show it."""
    del request
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "live-audience"
