"""What subscribers have in common: whose turn it is, what is asked, what is seen of it."""

from __future__ import annotations

import abc
import asyncio
import time
from typing import TYPE_CHECKING, ClassVar, Final

import structlog

from agents.gateway.asking import Client
from agents.gateway.observation import Observation
from agents.gateway.polling.backoff import Backoff
from agents.gateway.secrets import Kept, check_path_secret, check_secret
from agents.gateway.subscribing.lease import STATES
from streams.routing import partition_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agents.gateway.config import Config, Endpoint
    from agents.gateway.heads import Table
    from agents.gateway.metrics import GatewayMetrics
    from agents.gateway.polling.platform import Outcome
    from agents.gateway.sending import Sender
    from agents.gateway.subscribing.settings import Subscribe

log = structlog.get_logger(__name__)

#: How often it is looked whether something is to be asked, in seconds.
_LOOK: Final = 1.0


class Subscriber(abc.ABC):
    """Subscribes to the channels of one endpoint.

    Args:
        endpoint: with the table `subscribe`.
        config: its `public` is where senders come in.
        table: the part of the table of open broadcasts that this gateway has.
        partitions: how many partitions the observations have; None while that is not known.
        sender: what stores.
        topic: of the observations.
        metrics: what counts.
        clock: seconds since 1970 UTC.

    Raises:
        SecretError: a secret cannot be had.
        LiveAudienceError: certificates cannot be read.
    """

    #: Base addresses of the platform, and where tokens come from.
    api: ClassVar[str]
    login: ClassVar[str] = ""
    token_path: ClassVar[str] = ""

    def __init__(
        self,
        endpoint: Endpoint,
        config: Config,
        table: Table,
        partitions: Callable[[], int | None],
        sender: Sender,
        topic: str,
        metrics: GatewayMetrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        assert endpoint.subscribe is not None, "the configuration was checked"
        self.endpoint = endpoint
        self._subscribe: Subscribe = endpoint.subscribe
        self._public = config.public.rstrip("/")
        self._table = table
        self._partitions = partitions
        self._sender = sender
        self._topic = topic
        self._metrics = metrics
        self._clock = clock
        self._secrets = Kept(endpoint.secrets, check_secret(endpoint))
        self._path_secrets = Kept(endpoint.path_secrets, check_path_secret)
        self._backoff = Backoff(endpoint.name)
        self._paused = 0.0
        self._base = self._subscribe.api or self.api
        self.client = Client(
            f"endpoint {endpoint.name}",
            self._subscribe.secret,
            client_id=self._subscribe.client_id,
            login=(self._subscribe.login or self.login) if self.login else "",
            token_path=self.token_path,
            timeout=self._subscribe.timeout_seconds,
            tls_ca=self._subscribe.tls_ca,
        )

    async def run(self) -> None:
        """Subscribe until cancelled; an error of ours is logged, and all is tried anew."""
        await self.client.start()
        try:
            while True:
                try:
                    await self.step()
                except Exception:  # our own error must not end the subscriptions of all channels
                    log.exception("subscribing failed; it goes on", endpoint=self.endpoint.name)
                    self._pause(None)
                await asyncio.sleep(_LOOK)
        finally:
            await self.client.stop()

    @abc.abstractmethod
    async def step(self) -> None:
        """See what is to be asked for now, and ask for it."""

    @property
    def _callback(self) -> str:
        """The address to which is to be sent: the first secrets are those to come."""
        paths = self._path_secrets.current()
        secret = f"/{paths[0].decode()}" if paths else ""
        return f"{self._public}/hooks/{self.endpoint.name}{secret}"

    @property
    def _secret(self) -> str:
        return self._secrets.current()[0].decode()

    def _observation(self, channel: str) -> Observation:
        platform = self.endpoint.platform or self.endpoint.kind.platform
        return Observation(self.endpoint.name, platform, channel, "asked", 0)

    def _has(self, key: bytes) -> bool:
        count = self._partitions()
        return count is not None and partition_for(key, count) in self._table.owned

    def _pause(self, asked: float | None) -> None:
        self._paused = self._clock() + self._backoff.failed(asked)

    def _called(self, outcome: Outcome, why: str = "", **more: str) -> None:
        """Count a call, and say what went wrong with it."""
        self._metrics.subscription_calls.labels(self.endpoint.name, outcome).inc()
        if outcome == "answered":
            self._backoff.worked()
            return
        log.warning(
            "a subscription could not be asked for",
            endpoint=self.endpoint.name,
            outcome=outcome,
            reason=why,
            **more,
        )

    def _told(self, states: Mapping[str, int], ends: float) -> None:
        """Say how many subscriptions stand how, and when the first of them lapses."""
        for state in STATES:
            self._metrics.subscriptions.labels(self.endpoint.name, state).set(states.get(state, 0))
        self._metrics.subscription_ends.labels(self.endpoint.name).set(ends)
