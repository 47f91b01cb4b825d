"""Connections to brokers that take credentials as they are now, and that outlast a login's end.

aiokafka takes a password or an SSL context once, when a client is made, and connects with that for
as long as the client lives. Here each connection asks for it anew, so that what has changed in a
file holds for the next connection, of a client that has run for months too. A broker that ends
logins after a while (a token that expires, `connections.max.reauth.ms`) would close the connection
under a request; the connection is replaced before that.

Importing this module puts `create_conn` in the place of aiokafka's own. It is the one thing that
aiokafka's clients make connections with.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

import aiokafka.client
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.admin import SaslAuthenticateRequest

if TYPE_CHECKING:
    from collections.abc import Awaitable

_log: Final = logging.getLogger(__name__)

#: The share of a login's time after which its connection is replaced.
_RENEWED_FROM, _RENEWED_TO = 0.75, 0.9
_AGAIN_SECONDS: Final = 5.0
_DRAIN_SECONDS: Final = 0.05


@runtime_checkable
class Credential(Protocol):
    """What proves to a broker who we are, or to us who it is; given in place of the thing itself.

    As `sasl_plain_password` its `current` is a text, as `ssl_context` an `ssl.SSLContext`. A
    `sasl_oauth_token_provider` may have `failed` too.
    """

    def current(self) -> Any:
        """Return the password or the SSL context as it is now.

        Raises:
            OSError, ValueError: it cannot be had.
        """

    def failed(self, error: BaseException) -> str | None:
        """Say for people why a connection failed and what to do; None where it does not know."""


class _Failures:
    """Why brokers could not be connected to, the last time."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, str]] = {}

    def add(self, address: str, why: str) -> None:
        self._last[address] = (time.monotonic(), why)

    def clear(self, address: str) -> None:
        self._last.pop(address, None)

    def since(self, seconds: float) -> list[str]:
        horizon = time.monotonic() - seconds
        whys: dict[str, list[str]] = {}
        for address, (at, why) in self._last.items():
            if at >= horizon:
                whys.setdefault(why, []).append(address)
        return [f"{', '.join(addresses)}: {why}" for why, addresses in whys.items()]


_failures: Final = _Failures()
_tasks: Final[set[asyncio.Task[None]]] = set()


def failures(seconds: float) -> list[str]:
    """Why brokers could not be connected to in the last `seconds`, and since then never were.

    Returns:
        One text for each reason, beginning with the brokers' addresses.
    """
    return _failures.since(seconds)


class Connection(AIOKafkaConnection):
    """A connection of aiokafka's that asks for its credentials when it connects.

    Attributes:
        login_seconds: how long the broker takes the login for valid; 0 for ever.
    """

    def __init__(self, host: str, port: int, **options: Any) -> None:
        super().__init__(host, port, **options)
        self._sasl_plain_password: Any
        self._ssl_context: Any
        self.login_seconds = 0.0
        self.renewal: asyncio.TimerHandle | None = None

    async def connect(self) -> Any:
        """Connect and log in.

        Raises:
            KafkaConnectionError: it did not work; the message says why.
        """
        address = f"{self.host}:{self.port}"
        credentials = (
            self._ssl_context,
            self._sasl_plain_password,
            self._sasl_oauth_token_provider,
        )
        try:
            self._resolve()
            streams = await super().connect()
        except Exception as error:  # whatever it is, the next attempt may succeed
            self.close()
            why = _said(error, credentials)
            _failures.add(address, why)
            raise KafkaConnectionError(why) from error
        _failures.clear(address)
        return streams

    def send(self, request: Any, expect_response: bool = True) -> Any:
        """Send a request; of the answer to a login its lifetime is noted."""
        answer = super().send(request, expect_response)
        return self._noted(answer) if isinstance(request, SaslAuthenticateRequest) else answer

    def close(self, reason: Any = None, exc: BaseException | None = None) -> Any:
        """Close it, and replace it no more."""
        if self.renewal is not None:
            self.renewal.cancel()
        return super().close(reason, exc)

    def idle(self) -> bool:
        """Whether it waits for no answer."""
        return not self._requests

    def _resolve(self) -> None:
        if isinstance(self._sasl_plain_password, Credential):
            self._sasl_plain_password = self._sasl_plain_password.current()
        if isinstance(self._ssl_context, Credential):
            encrypted = self._security_protocol.endswith("SSL")
            self._ssl_context = self._ssl_context.current() if encrypted else None

    async def _noted(self, answer: Awaitable[Any]) -> Any:
        response = await answer
        self.login_seconds = getattr(response, "session_lifetime_ms", 0) / 1000
        return response


def _said(error: BaseException, credentials: tuple[object, ...]) -> str:
    for credential in credentials:
        explain = getattr(credential, "failed", None)
        if explain is not None and (words := explain(error)):
            return str(words)
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(error) or type(error).__name__


async def create_conn(host: str, port: int, *, on_close: Any = None, **options: Any) -> Connection:
    """Connect to a broker, as aiokafka's clients do.

    Args:
        host: Where.
        port: Where.
        on_close: The client's method that is told of its end.
        options: aiokafka's own.

    Raises:
        KafkaConnectionError: It did not work; the message says why.
    """
    connection = Connection(host, port, on_close=on_close, **options)
    await connection.connect()
    client = getattr(on_close, "__self__", None)
    if connection.login_seconds > 0 and client is not None:
        share = random.uniform(_RENEWED_FROM, _RENEWED_TO)  # noqa: S311 - not all at once, no secret
        ends = time.monotonic() + connection.login_seconds

        async def again() -> Connection:
            return await create_conn(host, port, on_close=on_close, **options)

        def renew() -> None:
            task = asyncio.get_running_loop().create_task(_renew(client, connection, again, ends))
            _tasks.add(task)
            task.add_done_callback(_tasks.discard)

        loop = asyncio.get_running_loop()
        connection.renewal = loop.call_later(share * connection.login_seconds, renew)
    return connection


async def _renew(client: Any, old: Connection, again: Any, ends: float) -> None:
    """Put a new connection in the place of one whose login ends soon."""
    while old.connected():
        try:
            new = await again()
            break
        except KafkaConnectionError as error:
            left = ends - time.monotonic()
            if left <= 0:
                return  # the broker closes it, and the client tries by itself
            _log.warning(
                "the login at %s:%s ends in %.0f s and could not be renewed: %s",
                old.host,
                old.port,
                left,
                error.args[0],
            )
            await asyncio.sleep(min(_AGAIN_SECONDS, max(0.1, left / 4)))
    else:
        return
    held = client._conns  # noqa: SLF001 - shown nowhere
    key = next((key for key, each in held.items() if each is old), None)
    if key is None or not old.connected():
        new.close()
        return
    held[key] = new
    # What is on its way is still answered. A closed client closes what it holds, this no more.
    while not old.idle() and old.connected() and client._sync_task is not None:  # noqa: ASYNC110, SLF001 - aiokafka has no event for either
        await asyncio.sleep(_DRAIN_SECONDS)
    old.close()


def causes(error: BaseException) -> list[BaseException]:
    """The error and what it came of, the outermost first."""
    chain: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in chain:
        chain.append(at)
        at = at.__cause__ or at.__context__
    return chain


# aiokafka's clients look it up at each connection.
aiokafka.client.create_conn = create_conn
