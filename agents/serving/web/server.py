"""The HTTP server: what of the worker can be read from outside, and nothing else."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import TYPE_CHECKING, Final

from aiohttp import web
from yarl import URL

from agents.serving.web.access import Access, Rules
from agents.serving.web.advertised import advertised_url
from agents.serving.web.board import Board
from agents.serving.web.broadcasts import BroadcastsApi
from agents.serving.web.connections import Connection, Connections, Limits, received
from agents.serving.web.gathering import Gatherer
from agents.serving.web.health import Health, HealthApi
from agents.serving.web.listener import Listener, bind
from agents.serving.web.live import LiveApi
from agents.serving.web.pages import Pages
from agents.serving.web.peers import Peers
from agents.serving.web.responses import problems, secure
from agents.serving.web.scopes import ScopesApi
from agents.serving.web.scrape import ScrapeApi
from agents.serving.web.sealed import NoBlocks
from agents.serving.web.searches import Searches
from streams.errors import LiveAudienceError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    from agents.serving.live import LiveBroadcasts, LiveScopes
    from agents.serving.metrics import Exposition
    from agents.serving.web.connections import Reason
    from agents.serving.web.operations import Operation
    from agents.serving.web.sealed import Blocks
    from agents.serving.web.stage import Stage
    from streams.routing import Partitioner

#: Scrapes that are under way when the server stops have so many seconds.
_LAST_ANSWERS: Final = 2.0
#: The longest id of a broadcast, or a cursor, percent-encoded, has 3 kB: 8 KiB for the first line
#: and each header, and 64 of those, are enough for any browser or probe.
_LINE: Final = 8_190
_HEADERS_AT_MOST: Final = 64
#: A body is never read: what comes of one has so many seconds to end, so that its sender sees the
#: answer.
_LINGERING: Final = 1.0
#: Of the time that all workers have together, one may take this share.
_ONE_PEER: Final = 0.7
#: And of that, sealed minutes may take this one: what they lack is told in time.
_SEALED: Final = 0.5
#: How long the live feed may look, in seconds.
_LOOK: Final = 1.0


class HttpError(LiveAudienceError):
    """HTTP cannot be served at the address in the settings."""


class HttpServer:
    """Serves HTTP from `start` to `stop`.

    Args:
        host: AUDIENCE_HTTP_HOST, a name or an address.
        port: AUDIENCE_HTTP_PORT; 0 takes a free one.
        broadcasts: The broadcasts that this worker owns, and who owns others.
        scopes: Likewise of the scopes.
        exposition: What a scrape gets.
        health: Who knows how the worker is.
        partitioner: AUDIENCE_PARTITIONER.
        limits: What connections may take.
        closed: Told the reason when a connection is closed before its client did so.
        advertised: AUDIENCE_ADVERTISED_URL; empty for the address and port.
        brokers: AUDIENCE_BROKERS, for what is reached from where.
        seconds: AUDIENCE_QUERY_TIMEOUT: how long all workers together may take to answer.
        access: Who may look; None: who is on this machine.
        tls: The certificate to show, asked for each connection; None: no TLS.
        trusted: What is trusted where other workers speak TLS.
        blocks: Fetches sealed minutes; None where they are not kept.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        broadcasts: Stage[LiveBroadcasts],
        scopes: Stage[LiveScopes],
        exposition: Exposition,
        health: Health,
        partitioner: Partitioner,
        limits: Limits | None = None,
        closed: Callable[[Reason], None] = lambda _: None,
        advertised: str = "",
        brokers: Sequence[str] = (),
        seconds: float = 3.0,
        access: Access | None = None,
        tls: Callable[[], ssl.SSLContext] | None = None,
        trusted: Callable[[], ssl.SSLContext | bool] = lambda: True,
        blocks: Blocks | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._brokers = brokers
        self._tls = tls
        self._scheme = "http" if tls is None else "https"
        self.advertised_url = advertised
        self.connections = Connections(limits or Limits(), closed)
        self._listener: Listener | None = None
        searches = Searches()
        # One worker that does not answer leaves the others time for a second look.
        access = access or Access(Rules())
        access.own_names = self._names
        self._peers = peers = Peers(_ONE_PEER * seconds, access.headers, trusted)
        gatherer = Gatherer(seconds, lambda: self.advertised_url)
        broadcasts_api = BroadcastsApi(
            broadcasts,
            partitioner,
            searches,
            gatherer,
            peers,
            blocks or NoBlocks(),
            _SEALED * seconds,
        )
        scopes_api = ScopesApi(scopes, searches, gatherer, peers)
        # Who watches is told at once what is missing, rather than later that it came after all.
        live = LiveApi(
            broadcasts_api.lists,
            scopes_api.lists,
            Gatherer(min(seconds, _LOOK), lambda: self.advertised_url),
            self.connections.limits,
        )
        self._feed = live.feed
        # Each part names its paths, so that one more part is one more line here.
        operations: list[Operation] = [
            *ScrapeApi(exposition).operations(),
            *HealthApi(health).operations(),
            *broadcasts_api.operations(),
            *scopes_api.operations(),
            *live.operations(),
        ]
        operations += Board().operations()
        operations += Pages(operations).operations()
        app = web.Application(middlewares=[received, problems, access.guard])
        app.router.add_routes(
            web.get(operation.route or operation.path, operation.handler)
            for operation in operations
        )
        app.on_response_prepare.append(_secure)
        self._runner = web.AppRunner(
            app,
            handle_signals=False,
            shutdown_timeout=_LAST_ANSWERS,
            handler_cancellation=True,  # nothing is made for a client that has gone
        )

    @property
    def url(self) -> str:
        """Where it is found here, without a slash at the end; with the port that was taken."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{self._scheme}://{host}:{self._port}"

    def _names(self) -> tuple[str, ...]:
        """The names by which it is found: what is bound, and what others are told."""
        return self._host, URL(self.advertised_url).host or ""

    async def start(self) -> None:
        """Begin to answer.

        Raises:
            HttpError: the address cannot be had; the message names the setting to change.
        """
        await self._runner.setup()
        try:
            # In a thread, for a name may have to be looked up.
            sockets = await asyncio.to_thread(bind, self._host, self._port)
            self._listener = Listener(sockets, self._connection, self.connections, self._tls)
            self._listener.start()
        except (OSError, OverflowError) as error:
            await self.stop()
            raise HttpError(_error_text(error, self._host, self._port)) from error
        self._port = sockets[0].getsockname()[1]
        if not self.advertised_url:
            self.advertised_url = await asyncio.to_thread(
                advertised_url, self._scheme, self._host, self._port, self._brokers
            )
        self.connections.start()

    async def stop(self) -> None:
        """Answer no more; what is being answered has two seconds to end."""
        if self._listener is not None:
            await self._listener.stop()
            self._listener = None
        await self._feed.stop()
        await self._runner.cleanup()
        await self._peers.close()
        await self.connections.stop()

    def _connection(self) -> Connection:
        """What serves one connection."""
        server = self._runner.server
        assert server is not None
        return Connection(
            server,
            self.connections,
            loop=asyncio.get_running_loop(),
            access_log=None,
            lingering_time=_LINGERING,
            max_line_size=_LINE,
            max_field_size=_LINE,
            max_headers=_HEADERS_AT_MOST,
            auto_decompress=False,
        )


def check_address(host: str, port: int) -> None:
    """Look whether HTTP could be served there, before anything else is begun.

    Raises:
        HttpError: the address cannot be had; the message names the setting to change.
    """
    try:
        for bound in bind(host, port):
            bound.close()
    except (OSError, OverflowError) as error:
        raise HttpError(_error_text(error, host, port)) from error


def _error_text(error: Exception, host: str, port: int) -> str:
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
    del request
    secure(response)
