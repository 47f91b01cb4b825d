"""Asks platforms over HTTP: only at the addresses of the configuration, and bounded."""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import TYPE_CHECKING, Final

import aiohttp
import structlog

from agents.gateway.delivery import Unreadable
from agents.gateway.polling.platform import Answer, pause_of
from agents.gateway.secrets import Kept
from agents.gateway.sources.base import document
from streams.errors import LiveAudienceError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from agents.gateway.parts import SecretFrom
    from agents.gateway.polling.platform import Outcome

log = structlog.get_logger(__name__)

#: Largest answer: 100 streams take some 100 KB.
_MOST_BYTES: Final = 4 * 2**20
_HEAD_BYTES: Final = 16 * 1024
#: Connections to one platform.
_CONNECTIONS: Final = 8
#: A token is asked for once in so many seconds at most.
_TOKEN_PAUSE: Final = 10.0
#: A token is given up so many seconds before its end.
_TOKEN_MARGIN: Final = 300.0
_UNAUTHORIZED: Final = 401
_OK: Final = 200
#: What stands behind an answer to a request for a token; all else is a failure.
_REFUSALS: Final[Mapping[int, Outcome]] = {
    400: "refused",
    401: "refused",
    403: "refused",
    429: "limited",
}
_AGENT: Final = "live-audience"


class Unanswered(Exception):
    """No answer came, or one that is no answer; its message says why, without any secret.

    Args:
        why: one line.
        outcome: what became of the call.
        pause: for how many seconds the platform asks to be left alone, if it says so.
    """

    def __init__(self, why: str, outcome: Outcome = "failed", pause: float | None = None) -> None:
        super().__init__(why)
        self.outcome: Outcome = outcome
        self.pause = pause


class Client:
    """Asks one platform.

    Args:
        name: of the poll or the endpoint, for the log.
        secret: where its key is, or that of the app; None where it needs none.
        client_id: of the app, where the platform has one.
        login: base address from which tokens come; empty where a key is enough.
        token_path: where on it.
        timeout: seconds that an answer may take.
        tls_ca: certificates that are trusted, in a PEM file, instead of the system's.
        monotonic: a clock that nobody sets, in seconds.

    Raises:
        SecretError: its secret cannot be had.
        LiveAudienceError: its certificates cannot be read.
    """

    def __init__(
        self,
        name: str,
        secret: SecretFrom | None,
        *,
        client_id: str = "",
        login: str = "",
        token_path: str = "",
        timeout: float = 10.0,
        tls_ca: Path | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._client_id = client_id
        self._login, self._token_path = login, token_path
        self._timeout = timeout
        self._monotonic = monotonic
        self._secret = Kept([secret] if secret else [], _printable)
        self._tls = _tls_of(name, tls_ca)
        self._session: aiohttp.ClientSession | None = None
        self._token = ""
        self._token_until = 0.0
        self._token_next = -_TOKEN_PAUSE
        self._token_lock = asyncio.Lock()

    async def start(self) -> None:
        """Be ready to ask; nothing is asked yet."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls, limit=_CONNECTIONS),
            timeout=aiohttp.ClientTimeout(total=self._timeout),
            headers={"User-Agent": _AGENT, "Accept": "application/json"},
            cookie_jar=aiohttp.DummyCookieJar(),
            max_line_size=_HEAD_BYTES,
            max_field_size=_HEAD_BYTES,
        )

    async def stop(self) -> None:
        """Let go of all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def proven(self, call: Callable[[str], Awaitable[Answer]]) -> Answer:
        """Make a call with what proves who asks; a token that is not taken is replaced, once.

        Args:
            call: is given the key or the token.

        Raises:
            Unanswered: no answer came in time, or it was too large.
        """
        if not self._login:
            key = self._secret.current()
            return await call(key[0].decode() if key else "")
        token = await self._current_token()
        answer = await call(token)
        if answer.status != _UNAUTHORIZED:
            return answer
        renewed = await self._current_token(instead_of=token)
        return answer if renewed == token else await call(renewed)

    async def _current_token(self, instead_of: str = "") -> str:
        async with self._token_lock:
            now = self._monotonic()
            if self._token and self._token != instead_of and now < self._token_until:
                return self._token
            if now < self._token_next:
                if self._token:
                    return self._token
                raise Unanswered("no token was had a moment ago", "refused")
            self._token_next = now + _TOKEN_PAUSE
            form = {
                "client_id": self._client_id,
                "client_secret": self._secret.current()[0].decode(),
                "grant_type": "client_credentials",
            }
            answer = await self.fetch("POST", self._login, self._token_path, data=form)
            if answer.status != _OK:
                raise Unanswered(
                    f"no token: status {answer.status}",
                    _REFUSALS.get(answer.status, "failed"),
                    pause_of(answer.headers, time.time()),
                )
            self._token, seconds = _token_of(answer.body)
            self._token_until = now + max(_TOKEN_PAUSE, seconds - _TOKEN_MARGIN)
            log.info("a token was taken", name=self._name, seconds=seconds)
            return self._token

    async def fetch(
        self,
        method: str,
        base: str,
        path: str,
        *,
        params: list[tuple[str, str]] | None = None,
        headers: dict[str, str] | None = None,
        data: dict[str, str] | None = None,
        json: object = None,
    ) -> Answer:
        """Make one request.

        Args:
            method: of HTTP.
            base: address of the configuration or the platform's own.
            path: on it.
            params: the query.
            headers: besides the usual ones.
            data: a form.
            json: a document, in the place of a form.

        Raises:
            Unanswered: no answer came in time, or it was too large.
        """
        assert self._session is not None, "it was started"
        try:
            async with self._session.request(
                method,
                base.rstrip("/") + path,
                params=params,
                headers=headers,
                data=data,
                json=json,
                # An answer that leads elsewhere is not followed: it would carry the key there.
                allow_redirects=False,
            ) as response:
                body = bytearray()
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > _MOST_BYTES:
                        raise Unanswered(f"the answer has over {_MOST_BYTES} bytes")
                found = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status, found, bytes(body))
        except TimeoutError:
            raise Unanswered("no answer in time", "timeout") from None
        except (aiohttp.ClientError, OSError) as error:
            # (Only its kind: its text may hold the address with all that was asked.)
            raise Unanswered(f"no answer: {type(error).__name__}") from None


def _token_of(body: bytes) -> tuple[str, float]:
    try:
        given = document(body)
    except Unreadable:
        raise Unanswered("the token's answer is no JSON") from None
    token, seconds = given.get("access_token"), given.get("expires_in")
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise Unanswered("the token's answer holds none")
    return token, float(seconds) if isinstance(seconds, int) else 3600.0


def _printable(value: bytes) -> None:
    if not (value.isascii() and value.decode().isprintable() and b" " not in value):
        raise ValueError("must be one line of printable ASCII without spaces")


def _tls_of(name: str, tls_ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=None if tls_ca is None else str(tls_ca))
    except OSError as error:
        raise LiveAudienceError(f"{name}: tls_ca={tls_ca}: {error}") from error
