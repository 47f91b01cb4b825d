"""A platform of the demo's own: it signs its webhooks, and sends some of them twice."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from agents.demo.errors import DemoError
from streams import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterator

    import aiohttp

MINUTES: Final = 30
#: The show's platform and channel.
PLATFORM, CHANNEL = "demo-platform", "gallery"
_MINUTE: Final = 60
_ALL_TAKEN, _REFUSED = 200, 401
#: Of each so many deliveries, one comes twice.
_TWICE: Final = 7


class Delivery(NamedTuple):
    """One webhook: its id and its body."""

    id: str
    body: dict[str, Any]


class Truth(NamedTuple):
    """What the figures must be: viewers, and viewers times minutes."""

    peak: int
    viewer_minutes: int
    events: int


def secret() -> tuple[bytes, str]:
    """A new key, and how it is written for people and files."""
    key = secrets.token_bytes(24)
    return key, f"whsec_{base64.b64encode(key).decode()}"


def show(now: float) -> tuple[list[Delivery], Truth]:
    """A show of half an hour that has just ended, and its figures.

    Args:
        now: Seconds since 1970 UTC.
    """
    # It begins with a minute, so that each sample has one of its own.
    begin = (int(now) // _MINUTE - MINUTES - 1) * _MINUTE
    viewers = [1000 + 150 * minute - 4 * minute * minute for minute in range(MINUTES)]
    return list(_deliveries(begin, viewers)), Truth(max(viewers), sum(viewers), len(viewers) + 2)


def _deliveries(begin: int, viewers: list[int]) -> Iterator[Delivery]:
    started = _text(begin)
    end = begin + MINUTES * _MINUTE - 5
    both: dict[str, Any] = {"channel": CHANNEL, "started": started}
    yield Delivery("start", {**both, "kind": "started", "at": started})
    for minute, count in enumerate(viewers):
        at = _text(begin + minute * _MINUTE + 5)
        yield Delivery(f"minute-{minute}", {**both, "kind": "sample", "at": at, "viewers": count})
    yield Delivery("end", {**both, "kind": "ended", "at": _text(end)})


class Platform:
    """Sends webhooks.

    Args:
        session: For HTTP.
        address: Of the endpoint.
        key: What it signs with.
    """

    def __init__(self, session: aiohttp.ClientSession, address: str, key: bytes) -> None:
        self._session = session
        self._address = address
        self._key = key

    async def send(self, deliveries: list[Delivery]) -> int:
        """Send them in order, some twice; returns how many webhooks that were.

        Raises:
            DemoError: one was not taken.
        """
        sent = 0
        for number, each in enumerate(deliveries):
            for _ in range(2 if number % _TWICE == 0 else 1):
                status = await self._post(each, self._key)
                sent += 1
                if status != _ALL_TAKEN:
                    raise DemoError(f"The webhook {each.id} was answered with {status}.")
        return sent

    async def forge(self, delivery: Delivery) -> bool:
        """Send one that somebody else has signed; returns whether it was refused."""
        return await self._post(delivery, secrets.token_bytes(24)) == _REFUSED

    async def _post(self, delivery: Delivery, key: bytes) -> int:
        stamp = str(int(time.time()))
        body = json.dumps(delivery.body).encode()
        signed = f"{delivery.id}.{stamp}.".encode() + body
        signature = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
        headers = {
            "webhook-id": delivery.id,
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{signature}",
        }
        async with self._session.post(self._address, data=body, headers=headers) as answer:
            return answer.status


def _text(at: int) -> str:
    return rfc3339.text(at * rfc3339.SECOND)
