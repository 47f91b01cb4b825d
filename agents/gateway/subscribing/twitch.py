"""Twitch's EventSub: `stream.online` and `stream.offline` of each channel, by the app's token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from agents.gateway.delivery import Unreadable
from agents.gateway.polling.platform import Verdict
from agents.gateway.polling.twitch import Twitch as Polled
from agents.gateway.sources.base import document, within
from agents.gateway.subscribing.listed import Listed, ListSubscriber, Wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.gateway.polling.platform import Answer

_PATH: Final = "/helix/eventsub/subscriptions"
_ENABLED, _PENDING = "enabled", "webhook_callback_verification_pending"
_MADE, _NO_CONTENT, _BAD, _CONFLICT = 202, 204, 400, 409
_helix = Polled()


class TwitchSubscriber(ListSubscriber):
    """Subscriptions that name our address; those of other programs are left alone."""

    api: ClassVar[str] = Polled.api
    login: ClassVar[str] = Polled.login
    token_path: ClassVar[str] = Polled.token_path
    types: ClassVar[Sequence[str]] = ("stream.online", "stream.offline")

    async def _page(self, cursor: str) -> Answer:
        return await self._call("GET", params=[("after", cursor)] if cursor else [])

    def _read(self, body: bytes) -> tuple[list[Listed], str]:
        given = document(body)
        rows = given.get("data")
        if not isinstance(rows, list):
            raise Unreadable("data: must be a list")
        cursor = within(given, "pagination", "cursor")
        found = [listed for row in rows if (listed := self._listed(row)) is not None]
        return found, cursor if isinstance(cursor, str) else ""

    def _listed(self, row: Any) -> Listed | None:
        if not isinstance(row, dict) or within(row, "transport", "callback") != self._callback:
            return None
        channel, of = within(row, "condition", "broadcaster_user_id"), row.get("type")
        status, identity = row.get("status"), row.get("id")
        if not all(isinstance(each, str) for each in (channel, of, status, identity)):
            return None
        state: Literal["active", "pending", "failed"] = (
            "active" if status == _ENABLED else "pending" if status == _PENDING else "failed"
        )
        return Listed(Wanted(str(channel), str(of)), state, str(identity))

    async def _make(self, wanted: Wanted) -> Answer:
        return await self._call(
            "POST",
            json={
                "type": wanted.type,
                "version": "1",
                "condition": {"broadcaster_user_id": wanted.channel},
                "transport": {
                    "method": "webhook",
                    "callback": self._callback,
                    "secret": self._secret,
                },
            },
        )

    async def _remove(self, listed: Listed) -> Answer:
        return await self._call("DELETE", params=[("id", listed.id)])

    def _evaluate(self, answer: Answer, now: float) -> Verdict:
        if answer.status in {_MADE, _NO_CONTENT, _CONFLICT}:
            # (A conflict: it is there already.)
            return Verdict("answered")
        verdict = _helix.evaluate(answer, now)
        return verdict._replace(outcome="refused") if answer.status == _BAD else verdict

    async def _call(
        self, method: str, *, params: list[tuple[str, str]] | None = None, json: object = None
    ) -> Answer:
        async def call(token: str) -> Answer:
            headers = _helix.headers(token, self._subscribe.client_id)
            return await self.client.fetch(
                method, self._base, _PATH, params=params, headers=headers, json=json
            )

        return await self.client.proven(call)
