"""Whether senders can reach the gateway at the address that they were told."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Final

import aiohttp

from streams.errors import LiveAudienceError

if TYPE_CHECKING:
    from agents.gateway.config import Config, Endpoint

_SECONDS: Final = 10.0
#: What a gateway says at /healthz.
HEALTHY: Final = "healthy\n"
_MOST_BYTES: Final = 1024
_OK, _UNAUTHORIZED = 200, 401


async def unreached(config: Config) -> list[str]:
    """What of the public address does not lead here, in words; nothing if all is well.

    It is seen from this host: a name, a certificate or a proxy that is wrong shows, a firewall
    before the outside world may not. A signed endpoint is sent an unsigned webhook, which it must
    refuse; one whose only proof is in its path is not asked, for that would be a delivery.

    Args:
        config: its `public` is where senders come in.

    Raises:
        LiveAudienceError: `public_ca` cannot be read.
    """
    try:
        authority = None if config.public_ca is None else str(config.public_ca)
        context = ssl.create_default_context(cafile=authority)
    except OSError as error:
        raise LiveAudienceError(f"public_ca={config.public_ca}: {error}") from error
    base = config.public.rstrip("/")
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context),
        timeout=aiohttp.ClientTimeout(total=_SECONDS),
    ) as session:
        status, text = await _asked(session, "GET", f"{base}/healthz")
        if (status, text) != (_OK, HEALTHY):
            return [f"public: {base}/healthz is not answered by a gateway: {_said(status, text)}"]
        signed = [each for each in config.endpoint if each.kind.signed and not each.path_secrets]
        answers = await asyncio.gather(*(_asked(session, "POST", _at(base, e)) for e in signed))
    return [
        f"public: {_at(base, endpoint)} should refuse an unsigned webhook: {_said(status, text)}"
        for endpoint, (status, text) in zip(signed, answers, strict=True)
        if status != _UNAUTHORIZED
    ]


def _at(base: str, endpoint: Endpoint) -> str:
    return f"{base}/hooks/{endpoint.name}"


def _said(status: int, text: str) -> str:
    return f"status {status}" if status else text


async def _asked(session: aiohttp.ClientSession, method: str, url: str) -> tuple[int, str]:
    """Status and text of an answer; 0 and why where there is none."""
    try:
        async with session.request(method, url, allow_redirects=False) as answer:
            body = await answer.content.read(_MOST_BYTES)
            return answer.status, body.decode(errors="replace")
    except TimeoutError:
        return 0, "no answer in time"
    except (aiohttp.ClientError, OSError) as error:
        return 0, f"no answer: {error}"
