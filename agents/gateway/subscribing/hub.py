"""Subscribes at a hub, as WebSub has it: each subscription lapses, and is renewed at half its time.

The hub's answer to a request says only that it was taken. Whether it holds is told by the hub's
handshake with the endpoint, at any of the gateways, which is written down by channel.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec
import structlog

from agents.gateway import observation
from agents.gateway.asking import Unanswered
from agents.gateway.polling.platform import Verdict, pause_of
from agents.gateway.sending import Output, Unacknowledged
from agents.gateway.subscribing import lease
from agents.gateway.subscribing.subscriber import Subscriber
from streams import rfc3339

if TYPE_CHECKING:
    from agents.gateway.observation import Observation
    from agents.gateway.polling.platform import Answer
    from agents.gateway.rows import Subscription

log = structlog.get_logger(__name__)

_PATH: Final = "/subscribe"
_FEED: Final = "https://www.youtube.com/feeds/videos.xml?channel_id="
_ACK_SECONDS: Final = 10.0
#: What was asked for a moment ago may not be in the table yet.
_ON_ITS_WAY: Final = 30 * rfc3339.SECOND
#: A channel that the hub does not take is asked for again after so many seconds.
_REFUSED: Final = 3600.0
#: WebSub's bound on a secret, in bytes.
_LONGEST_SECRET: Final = 199
_SUCCESS, _CLIENT, _TOO_MANY, _SERVER = 200, 400, 429, 500


class HubSubscriber(Subscriber):
    """Subscribes to the feeds of YouTube's channels."""

    api: ClassVar[str] = "https://pubsubhubbub.appspot.com"

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._asked: dict[str, int] = {}
        self._refused: dict[str, float] = {}

    async def step(self) -> None:
        """Ask for what is due of the channels that this gateway has."""
        states: Counter[str] = Counter()
        ends = math.inf
        digest = self._digest()
        for channel in self.endpoint.subscribed:
            wanted = self._observation(channel)
            if not self._has(wanted.key):
                self._asked.pop(channel, None)
                self._refused.pop(channel, None)
                continue
            known = self._table.ledger.subscription(wanted.key)
            now = self._clock()
            if now >= self._paused and self._is_due(channel, known, digest, now):
                await self._ask(channel, wanted, digest, now)
            state = lease.state_of(known, int(now * rfc3339.SECOND))
            states["refused" if channel in self._refused else state] += 1
            if known is not None and known.ends:
                ends = min(ends, known.ends / rfc3339.SECOND)
        self._told(states, ends)

    def _is_due(self, channel: str, known: Subscription | None, digest: str, now: float) -> bool:
        if now < self._refused.get(channel, 0.0):
            return False
        at = int(now * rfc3339.SECOND)
        asked = self._asked.get(channel, 0)
        if asked > (0 if known is None else known.asked) and at - asked < _ON_ITS_WAY:
            return False
        return lease.is_due(known, digest, self._subscribe.lease_seconds * rfc3339.SECOND, at)

    def _digest(self) -> str:
        told = f"{self._callback}\0{self._secret}".encode()
        return hashlib.blake2b(told, digest_size=8).hexdigest()

    async def _ask(self, channel: str, wanted: Observation, digest: str, now: float) -> None:
        """Ask the hub, and write down that it was asked."""
        at = int(now * rfc3339.SECOND)
        self._asked[channel] = at
        form = {
            "hub.mode": "subscribe",
            "hub.topic": _FEED + channel,
            "hub.callback": self._callback,
            "hub.secret": self._secret,
            "hub.lease_seconds": str(self._subscribe.lease_seconds),
            # Hubs of before WebSub want it, others pass it by.
            "hub.verify": "async",
        }
        if len(form["hub.secret"].encode()) > _LONGEST_SECRET:
            self._called("refused", f"the secret has over {_LONGEST_SECRET} bytes", channel=channel)
            self._refused[channel] = now + _REFUSED
            return
        try:
            verdict = _evaluated(await self.client.fetch("POST", self._base, _PATH, data=form), now)
        except Unanswered as error:
            verdict = Verdict(error.outcome, error.pause, why=str(error))
        self._called(verdict.outcome, verdict.why, channel=channel)
        if verdict.outcome == "answered":
            self._refused.pop(channel, None)
            await self._write(msgspec.structs.replace(wanted, at=at, digest=digest))
            log.info("a hub was asked", endpoint=self.endpoint.name, channel=channel)
        elif verdict.outcome == "refused":
            self._refused[channel] = now + _REFUSED
        else:
            self._asked.pop(channel)
            self._pause(verdict.pause)

    async def _write(self, seen: Observation) -> None:
        value = observation.encode(seen)
        output = Output(self._topic, seen.key, value, seen.at // 1000)
        try:
            await self._sender.send([output], _ACK_SECONDS, lambda: None)
        except Unacknowledged:
            # It is asked for once more, which a hub takes as a renewal.
            log.warning("Kafka did not store what a hub was asked", endpoint=self.endpoint.name)


def _evaluated(answer: Answer, now: float) -> Verdict:
    if _SUCCESS <= answer.status < _SUCCESS + 100:
        return Verdict("answered")
    why, pause = f"status {answer.status}", pause_of(answer.headers, now)
    if answer.status == _TOO_MANY:
        return Verdict("limited", pause, why=why)
    is_refusal = _CLIENT <= answer.status < _SERVER
    return Verdict("refused" if is_refusal else "failed", pause, why=why)
