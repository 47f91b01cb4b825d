"""Asks other workers over HTTP: connections are kept, and every wait has an end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import aiohttp
from yarl import URL

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

#: The longest answer that is read of a worker: a page of 1,000 broadcasts has some 700 kB.
_LARGEST: Final = 16 * 1024 * 1024
#: Connections to one worker, and how long one is kept that is not used, in seconds. It is less than
#: the time after which a worker closes it.
_CONNECTIONS: Final = 16
_KEPT: Final = 30.0


class PeerError(Exception):
    """A worker did not answer; the message says why, for people."""


class PeerAnswer(NamedTuple):
    """What a worker answered: its HTTP status and body."""

    status: int
    body: bytes


class Peers:
    """Asks other workers.

    Args:
        seconds: How long one of them may take to answer.
        headers: What is sent along to be let in; asked each time.
        tls: What is trusted where they speak TLS; asked each time.
    """

    def __init__(
        self,
        seconds: float,
        headers: Callable[[], Mapping[str, str]] = dict,
        tls: Callable[[], ssl.SSLContext | bool] = lambda: True,
    ) -> None:
        self._seconds = seconds
        self._headers = headers
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, url: str, path: str, query: Mapping[str, str]) -> PeerAnswer:
        """What a worker answers to a request for its own part.

        Args:
            url: Where it answers.
            path: As it stands in the request's first line, percent-encoded.
            query: The parameters.

        Raises:
            PeerError: It does not answer, or not in time.
        """
        session = self._session
        if session is None:
            session = self._session = _new_session()
        whole = URL(url + path, encoded=True).with_query({**query, "local": "true"})
        try:
            async with session.get(
                whole,
                headers=dict(self._headers()),
                timeout=aiohttp.ClientTimeout(total=self._seconds),
                ssl=self._tls(),
                allow_redirects=False,
            ) as response:
                body = await response.content.read(_LARGEST)
                if not response.content.at_eof():
                    body += await _rest(response.content, _LARGEST - len(body), url)
                return PeerAnswer(response.status, body)
        except TimeoutError:
            raise PeerError(f"{url} did not answer within {self._seconds:g} s") from None
        except aiohttp.ClientConnectorError as error:
            raise PeerError(f"{url} cannot be reached: {error.strerror or error}") from None
        except (aiohttp.ClientError, OSError) as error:
            raise PeerError(f"{url} broke off: {error or type(error).__name__}") from None

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


async def _rest(content: aiohttp.StreamReader, most: int, url: str) -> bytes:
    parts: list[bytes] = []
    async for chunk in content.iter_any():
        parts.append(chunk)
        most -= len(chunk)
        if most < 0:
            raise PeerError(f"{url} answered with more than {_LARGEST} bytes")
    return b"".join(parts)


def _new_session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=0, limit_per_host=_CONNECTIONS, keepalive_timeout=_KEPT
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept": "application/json", "User-Agent": "live-audience"},
    )
