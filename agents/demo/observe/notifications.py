"""Who tells of alerts: Alertmanager when it is asked, and by its notifications."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

_HERE: Final = "127.0.0.1"
_ASK_EVERY: Final = 0.5
_LARGEST: Final = 4 * 1024 * 1024


@asynccontextmanager
async def receiving(on_notification: Callable[[str, Any], None]) -> AsyncIterator[str]:
    """Take notifications in as a webhook does; yields the address to which they are posted.

    Args:
        on_notification: Told of each: the path below the address, and its JSON.
    """

    async def take(request: web.Request) -> web.Response:
        on_notification(request.path, await request.json())
        return web.Response()

    app = web.Application(client_max_size=_LARGEST)
    app.router.add_post("/{path:.*}", take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, _HERE, 0)
        await site.start()
        yield f"http://{_HERE}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def follow(
    alertmanager: str,
    on_fired: Callable[[dict[str, Any]], None],
    on_resolved: Callable[[dict[str, Any]], None],
) -> None:
    """Ask Alertmanager for its alerts again and again, and tell what has changed.

    Args:
        alertmanager: Its address.
        on_fired: Told of each alert that has come, as the API gives it.
        on_resolved: Told of each that is gone, as the API gave it last.
    """
    known: dict[str, dict[str, Any]] = {}
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        while True:
            try:
                async with session.get(f"{alertmanager}/api/v2/alerts") as answer:
                    answer.raise_for_status()
                    found = {alert["fingerprint"]: alert for alert in await answer.json()}
            except (aiohttp.ClientError, TimeoutError):
                # Whether it runs at all is looked at elsewhere.
                pass
            else:
                for name in found.keys() - known.keys():
                    on_fired(found[name])
                for name in known.keys() - found.keys():
                    on_resolved(known[name])
                known = found
            await asyncio.sleep(_ASK_EVERY)
