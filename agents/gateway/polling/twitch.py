"""Twitch: Helix `Get Streams`, by ids of users.

Its answers have no entity tags, so there is nothing to ask conditionally.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from agents.gateway.delivery import Unreadable
from agents.gateway.polling.platform import Answer, Found, PolledUsers, Verdict, pause_of
from agents.gateway.sources.base import document, name_of, time_of, title_of, viewers_of, within

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agents.gateway.sources.base import Sureness

_OK, _UNAUTHORIZED, _FORBIDDEN, _TOO_MANY = 200, 401, 403, 429


class Twitch(PolledUsers):
    """Streams; one that is missing is offline, or not in Twitch's cache yet, or any more."""

    name: ClassVar[str] = "twitch"
    about: ClassVar[str] = "Twitch Helix: streams"
    sureness: ClassVar[Sureness] = "documentation"
    api: ClassVar[str] = "https://api.twitch.tv"
    login: ClassVar[str] = "https://id.twitch.tv"
    units: ClassVar[int] = 800  # points

    def request(self, ids: Sequence[str]) -> tuple[str, list[tuple[str, str]]]:
        """`Get Streams` of up to 100 ids, on one page."""
        return "/helix/streams", [("first", "100"), *(("user_id", each) for each in ids)]

    def headers(self, secret: str, client_id: str) -> dict[str, str]:
        """The app's token, and its id."""
        return {"Authorization": f"Bearer {secret}", "Client-Id": client_id}

    def evaluate(self, answer: Answer, now: float) -> Verdict:
        """By the status; every answer says how many points are left."""
        remaining = _number(answer.headers, "ratelimit-remaining")
        if answer.status == _OK:
            return Verdict("answered", remaining=remaining)
        why = f"status {answer.status}"
        pause = pause_of(answer.headers, now)
        if answer.status == _TOO_MANY:
            reset = _number(answer.headers, "ratelimit-reset")
            if pause is None and reset is not None:
                pause = max(0.0, reset - now)
            return Verdict("limited", pause, 0 if remaining is None else remaining, why)
        outcome: Literal["refused", "failed"] = (
            "refused" if answer.status in {_UNAUTHORIZED, _FORBIDDEN} else "failed"
        )
        return Verdict(outcome, pause, remaining, why)

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
    started = time_of(within(row, "started_at"), "started_at")
    # An empty type stands for an error of theirs: what else the row says is not believed.
    is_right = within(row, "type") == "live"
    viewers = viewers_of(within(row, "viewer_count")) if is_right else None
    return Found(
        id=name_of(within(row, "user_id"), "user_id"),
        status="live",
        broadcast=name_of(within(row, "id"), "id"),
        started=started,
        viewers=viewers,
        title=title_of(within(row, "title")),
    )


def _number(headers: Mapping[str, str], name: str) -> float | None:
    value = headers.get(name, "")
    return float(value) if value.isascii() and value.isdigit() and len(value) < 12 else None  # noqa: PLR2004 - Unix seconds
