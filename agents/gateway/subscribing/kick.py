"""Kick: `livestream.status.updated` of each user, by the app's token.

Where it sends to stands in the app's own settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from agents.gateway.delivery import Unreadable
from agents.gateway.polling.kick import Kick as Polled
from agents.gateway.polling.platform import Verdict, evaluated
from agents.gateway.sources.base import document, within
from agents.gateway.subscribing.listed import Listed, ListSubscriber, Wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.gateway.polling.platform import Answer

_PATH: Final = "/public/v1/events/subscriptions"
_OK, _CREATED, _BAD, _NOT_FOUND = 200, 201, 400, 404


class KickSubscriber(ListSubscriber):
    """Subscriptions of the app; what Kick lists is active."""

    api: ClassVar[str] = Polled.api
    login: ClassVar[str] = Polled.login
    token_path: ClassVar[str] = Polled.token_path
    types: ClassVar[Sequence[str]] = ("livestream.status.updated",)

    async def _page(self, cursor: str) -> Answer:
        del cursor
        return await self._call("GET")

    def _read(self, body: bytes) -> tuple[list[Listed], str]:
        rows = document(body).get("data")
        if not isinstance(rows, list):
            raise Unreadable("data: must be a list")
        found = []
        for row in rows:
            if not isinstance(row, dict) or row.get("method") != "webhook":
                continue
            channel, of = row.get("broadcaster_user_id"), row.get("event")
            if type(channel) is int and isinstance(of, str):
                found.append(Listed(Wanted(str(channel), of), "active", ""))
        return found, ""

    async def _make(self, wanted: Wanted) -> Answer:
        return await self._call(
            "POST",
            json={
                "broadcaster_user_id": int(wanted.channel),
                "events": [{"name": wanted.type, "version": 1}],
                "method": "webhook",
            },
        )

    async def _remove(self, listed: Listed) -> None:
        del listed  # what Kick gave up is not in its list

    def _evaluate(self, answer: Answer, now: float) -> Verdict:
        if answer.status not in {_OK, _CREATED}:
            verdict = evaluated(answer, now)
            is_refusal = answer.status in {_BAD, _NOT_FOUND}
            return verdict._replace(outcome="refused") if is_refusal else verdict
        try:
            rows = document(answer.body).get("data")
        except Unreadable as error:
            return Verdict("unreadable", why=str(error))
        # Each event that was asked for has an error of its own.
        made = rows if isinstance(rows, list) else []
        errors = [within(row, "error") for row in made if isinstance(row, dict)]
        if any(isinstance(error, str) and error for error in errors):
            return Verdict("refused", why="Kick answers with an error for this channel")
        return Verdict("answered")

    async def _call(self, method: str, *, json: object = None) -> Answer:
        async def call(token: str) -> Answer:
            return await self.client.fetch(
                method,
                self._base,
                _PATH,
                headers={"Authorization": f"Bearer {token}"},
                json=json,
            )

        return await self.client.proven(call)
