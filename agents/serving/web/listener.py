"""Takes HTTP connections in, as many as there may be, and always one more than that.

asyncio's own server takes whatever comes; when the process has no files left for it, it logs that
up to a hundred times a second. Here the connection that is needed least makes room.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import sys
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from agents.serving.web.connections import Connections

log = structlog.get_logger(__name__)

#: Connections that the system keeps for us until they are taken in.
_BACKLOG: Final = 128
#: Taken in before all else that runs on the loop has a turn. As many may be over the limit for a
#: moment, for what is closed goes with the next turn.
_BURST: Final = 16
#: Seconds that TLS has to close in good order.
_CLOSING: Final = 1.0
#: Seconds until it is tried again when there is no file left.
_PAUSE: Final = 0.1
#: How often that is logged at most, in seconds.
_TELL: Final = 60.0
#: Of the files of a process, this share is never used for HTTP but left to Kafka.
_SHARE: Final = 4
#: More are not asked of the system: each costs the kernel some memory.
_MAX_FILES: Final = 65_536
_NO_FILES: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_NO_ADDRESS: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def raise_file_limit() -> None:
    """Let this process have as many files, and so connections, as the system allows it."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - Unix has it, Windows has no such limit

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, _MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # then it stays as it is
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def file_limit() -> int:
    """How many files this process may have open."""
    if sys.platform == "win32":
        return _MAX_FILES
    import resource  # noqa: PLC0415 - as above

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MAX_FILES if soft == resource.RLIM_INFINITY else soft


def bind(host: str, port: int) -> list[socket.socket]:
    """Sockets at each address of a host, at the same port; they do not listen yet.

    Args:
        host: A name or an address.
        port: 0 takes a free one.

    Raises:
        OSError: An address cannot be had.
        OverflowError: There is no such port.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    bound: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            taken = bound[0].getsockname()[1] if bound else port
            try:
                bound.append(_bound(family, kind, protocol, (address[0], taken, *address[2:])))
            except OSError as error:
                # A name such as localhost may have an address that this machine has not.
                if error.errno not in _NO_ADDRESS:
                    raise
                missing = error
    except BaseException:
        for one in bound:
            one.close()
        raise
    if missing is not None and not bound:
        raise missing
    return bound


def _bound(
    family: socket.AddressFamily,
    kind: socket.SocketKind,
    protocol: int,
    address: tuple[object, ...],
) -> socket.socket:
    opened = socket.socket(family, kind, protocol)
    try:
        opened.setblocking(False)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind(address)
    except BaseException:
        opened.close()
        raise
    return opened


class Listener:
    """Takes connections in from `start` to `stop`.

    Args:
        sockets: Bound ones; they are this object's from now on.
        protocol: Makes what serves one connection.
        connections: Those that there are.
        tls: The certificate to show, asked for each connection; None: no TLS.
    """

    def __init__(
        self,
        sockets: list[socket.socket],
        protocol: Callable[[], asyncio.Protocol],
        connections: Connections,
        tls: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        self._tls = tls
        self._sockets = sockets
        self._protocol = protocol
        self._connections = connections
        files = file_limit()
        self._most = min(connections.limits.connections, max(1, files // _SHARE))
        # The system gives the lowest number that is free, so a high one means that few are left.
        self._last_file = files - files // _SHARE
        self._accepting: list[asyncio.Task[None]] = []
        # In the order in which they came.
        self._coming: dict[asyncio.Task[object], None] = {}
        self._logged_at = float("-inf")

    def start(self) -> None:
        """Begin to take connections in.

        Raises:
            OSError: Somebody else listens there.
        """
        for listening in self._sockets:
            listening.listen(_BACKLOG)
        self._accepting = [
            asyncio.create_task(self._accept(listening), name="HTTP listener")
            for listening in self._sockets
        ]

    async def stop(self) -> None:
        """Take no more in."""
        tasks = [*self._accepting, *self._coming]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._accepting = []
        for listening in self._sockets:
            listening.close()

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            for _ in range(_BURST):
                try:
                    accepted, _ = await loop.sock_accept(listening)
                except OSError as error:
                    await self._not_accepted(error)
                    break
                self._admit(accepted)
            await asyncio.sleep(0)  # what is there already is taken without a turn for others

    def _admit(self, accepted: socket.socket) -> None:
        many = len(self._connections) + len(self._coming) >= self._most
        if many or accepted.fileno() >= self._last_file:
            self._make_room()
        coming = asyncio.create_task(self._connect(accepted))
        self._coming[coming] = None
        coming.add_done_callback(lambda done: self._coming.pop(done, None))

    def _make_room(self) -> None:
        """Close the least needed; of many that only shake hands yet, the oldest of these."""
        if self._tls is not None and len(self._coming) > self._most // _SHARE:
            oldest = next(iter(self._coming))
            del self._coming[oldest]  # its end comes with the loop's next turns
            oldest.cancel()
        else:
            self._connections.close_least_needed()

    async def _connect(self, accepted: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            if self._tls is None:
                await loop.connect_accepted_socket(self._protocol, accepted)
            else:
                await loop.connect_accepted_socket(
                    self._protocol,
                    accepted,
                    ssl=self._tls(),
                    ssl_handshake_timeout=self._connections.limits.head,
                    ssl_shutdown_timeout=_CLOSING,
                )
        except OSError:  # it is gone again
            accepted.close()
        except BaseException:
            accepted.close()
            raise

    async def _not_accepted(self, error: OSError) -> None:
        if error.errno not in _NO_FILES:
            return  # it went before it was taken in
        self._connections.close_least_needed()
        now = asyncio.get_running_loop().time()
        if now - self._logged_at >= _TELL:
            self._logged_at = now
            log.warning(
                "an HTTP connection could not be taken in",
                error=str(error),
                files=file_limit(),
                remedy="allow the process more files (ulimit -n, LimitNOFILE)",
            )
        await asyncio.sleep(_PAUSE)
