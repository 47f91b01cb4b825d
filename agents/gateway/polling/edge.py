"""Asks the API of a poll."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from agents.gateway.asking import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agents.gateway.poll_config import Poll
    from agents.gateway.polling.platform import Answer


class Edge(Client):
    """Asks one API.

    Args:
        poll: as configured.
        monotonic: a clock that nobody sets, in seconds.

    Raises:
        SecretError: its secret cannot be had.
        LiveAudienceError: its certificates cannot be read.
    """

    def __init__(self, poll: Poll, monotonic: Callable[[], float] = time.monotonic) -> None:
        kind = self._kind = poll.kind
        self._poll = poll
        super().__init__(
            f"poll {poll.name}",
            poll.secret,
            client_id=poll.client_id,
            login=(poll.login or kind.login) if kind.needs_login else "",
            token_path=kind.token_path,
            timeout=poll.timeout_seconds,
            tls_ca=poll.tls_ca,
            monotonic=monotonic,
        )

    async def ask(self, ids: Sequence[str]) -> Answer:
        """Ask for some channels.

        Raises:
            Unanswered: no answer came in time, or it was too large.
        """
        path, query = self._kind.request(ids)
        base = self._poll.api or self._kind.api

        async def call(secret: str) -> Answer:
            headers = self._kind.headers(secret, self._poll.client_id)
            return await self.fetch("GET", base, path, params=query, headers=headers)

        return await self.proven(call)
