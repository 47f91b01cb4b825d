"""`live-audience top`: the board on a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import click
import msgspec
from aiohttp import hdrs
from rich.console import Console
from rich.live import Live

from agents.cli.help import Command
from agents.cli.screen import Screen, Snapshot
from agents.cli.settings import with_settings
from agents.serving.web.tls import trusted_tls
from streams.errors import LiveAudienceError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence

    from streams.settings import Settings

_PIPE_WIDTH: Final = 160
#: Seconds that one answer may take; a whole system answers within its own, shorter, time.
_TIMEOUT: Final = 10.0
#: Platforms at most: a system has few.
_PLATFORMS: Final = 100


class TopError(LiveAudienceError):
    """The worker that is asked does not answer, or not to us."""


@click.command(
    "top",
    cls=Command,
    examples=[
        "live-audience top",
        "live-audience top --url http://worker-1:9630",
        "live-audience top --once",
    ],
)
@click.option(
    "--url",
    metavar="URL",
    help="Any worker; each answers for the whole system.  [default: by AUDIENCE_HTTP_HOST, _PORT]",
)
@click.option(
    "--every",
    type=click.FloatRange(0.5, 3600),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="How often it is asked.",
)
@click.option("--once", is_flag=True, help="Print what there is now, and exit.")
@with_settings
def command(settings: Settings, url: str | None, every: float, once: bool) -> None:
    """Watch who is watching: the world, platforms and the largest broadcasts, until Ctrl-C.

    What is uncertain is marked: figures that are silent, peaks that were not held, and how much of
    the system has answered. Where AUDIENCE_HTTP_TOKEN or its file is set, it shows that token.
    Where the worker speaks TLS, AUDIENCE_HTTP_CA is trusted, or without it what the machine trusts.
    """
    scheme = "http" if settings.http_certificate is None else "https"
    address = (url or f"{scheme}://{settings.http_host}:{settings.http_port}").rstrip("/")
    trusted = trusted_tls(settings.http_ca).current()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_watch(address, every, settings.http_tokens(), trusted, once=once))


async def _watch(
    url: str, every: float, tokens: Sequence[str], trusted: ssl.SSLContext, *, once: bool
) -> None:
    terminal = sys.stdout.isatty()
    console = Console(width=None if terminal else _PIPE_WIDTH)
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(_TIMEOUT),
        connector=aiohttp.TCPConnector(ssl=trusted),
        headers={hdrs.AUTHORIZATION: f"Bearer {tokens[0]}"} if tokens else {},
    ) as session:
        last = await _ask(session, url, console.height)
        if once or not terminal:
            console.print(Screen(last, url, time.time()))
            return
        with Live(Screen(last, url, time.time()), console=console, screen=True) as live:
            while True:
                began = time.monotonic()
                trouble = ""
                try:
                    last = await _ask(session, url, console.height)
                except TopError as error:
                    trouble = str(error)
                live.update(Screen(last, url, time.time(), trouble), refresh=True)
                await asyncio.sleep(max(0.0, began + every - time.monotonic()))


async def _ask(session: aiohttp.ClientSession, url: str, height: int) -> Snapshot:
    """Ask for all that one screen shows.

    Raises:
        TopError: It cannot be had; the message says why and what to do.
    """
    limit = max(5, min(1_000, height))
    platforms, broadcasts = await asyncio.gather(
        _get(session, f"{url}/v1/scopes?scope=platform&limit={_PLATFORMS}"),
        _get(session, f"{url}/v1/broadcasts?status=live&limit={limit}"),
    )
    world = await _get(session, f"{url}/v1/scopes/world", missing=b"null")
    try:
        return Snapshot.decode(world, platforms, broadcasts, time.time())
    except msgspec.ValidationError as error:
        raise TopError(
            f"{url} answers, but not as a worker of live-audience does: {error}"
        ) from error


async def _get(session: aiohttp.ClientSession, url: str, missing: bytes | None = None) -> bytes:
    try:
        async with session.get(url) as answer:
            body = await answer.read()
            if answer.status == HTTPStatus.NOT_FOUND and missing is not None:
                return missing
            if answer.status != HTTPStatus.OK:
                raise TopError(f"{url}: {answer.status} {_detail(body) or answer.reason}")
            return body
    except aiohttp.ClientConnectorCertificateError as error:
        raise TopError(
            f"{url}: its certificate is not trusted ({error.certificate_error}): AUDIENCE_HTTP_CA "
            "names the CA that signed it, and --url must have a name that is in it"
        ) from error
    except (aiohttp.ClientError, TimeoutError) as error:
        reason = str(error) or "no answer in time"
        raise TopError(
            f"{url}: {reason}; --url, or AUDIENCE_HTTP_HOST and AUDIENCE_HTTP_PORT, say which "
            "worker is asked"
        ) from error


def _detail(body: bytes) -> str:
    try:
        problem: Any = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return ""
    return str(problem.get("detail", "")) if isinstance(problem, dict) else ""
