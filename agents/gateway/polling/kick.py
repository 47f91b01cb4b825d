"""Kick: the live streams of users, by their ids.

The API that lists all streams is another one, and one of its versions is deprecated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from agents.gateway.delivery import Unreadable
from agents.gateway.polling.platform import Answer, Found, PolledUsers, Verdict, evaluated
from agents.gateway.rows import broadcast_id
from agents.gateway.sources.base import document, name_of, time_of, title_of, viewers_of, within

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.gateway.sources.base import Sureness


class Kick(PolledUsers):
    """Streams that are live; one that is missing is offline, or not there yet, or not any more.

    Its webhooks tell a user and a start, and no id, so the id is made of these here too.
    """

    name: ClassVar[str] = "kick"
    about: ClassVar[str] = "Kick: live streams of users"
    sureness: ClassVar[Sureness] = "documentation"
    api: ClassVar[str] = "https://api.kick.com"
    login: ClassVar[str] = "https://id.kick.com"
    token_path: ClassVar[str] = "/oauth/token"  # noqa: S105 - a path
    # No limit is published: this is ours, and 429 is obeyed.
    units: ClassVar[int] = 60

    def request(self, ids: Sequence[str]) -> tuple[str, list[tuple[str, str]]]:
        """The live streams of up to 100 users."""
        return "/public/v1/users/livestreams", [("user_id", each) for each in ids]

    def headers(self, secret: str, client_id: str) -> dict[str, str]:
        """The app's token."""
        del client_id
        return {"Authorization": f"Bearer {secret}"}

    def evaluate(self, answer: Answer, now: float) -> Verdict:
        """By the status alone: no header tells what is left."""
        return evaluated(answer, now)

    def read(self, body: bytes) -> list[Found]:
        """The streams that are live."""
        rows = document(body).get("data")
        if not isinstance(rows, list):
            raise Unreadable("data: must be a list")
        found = []
        for row in rows:
            try:
                found.append(_stream(row))
            except Unreadable:
                continue
        return found


def _stream(row: Any) -> Found:
    if not isinstance(row, dict):
        raise Unreadable("data: must hold objects")
    user = name_of(within(row, "broadcaster_user", "id"), "broadcaster_user.id")
    started = time_of(within(row, "started_at"), "started_at")
    return Found(
        id=user,
        status="live",
        broadcast=broadcast_id(user, started),
        started=started,
        viewers=viewers_of(within(row, "viewer_count")),
        title=title_of(within(row, "title")),
    )
