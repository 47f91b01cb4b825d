"""YouTube: the Data API's `videos.list`, by ids of videos.

A call costs one unit, however many parts and ids it asks for. `If-None-Match` would not save any:
an answer of 304 costs as much, and with 50 videos that people watch there hardly is one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from agents.gateway.delivery import Unreadable
from agents.gateway.polling.budget import Budget, DayBudget
from agents.gateway.polling.platform import Answer, Found, PolledPlatform, Verdict, pause_of
from agents.gateway.sources.base import document, time_of, title_of, viewers_of, within
from streams.errors import LiveAudienceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.gateway.sources.base import Sureness

_VIDEO: Final = re.compile(r"[A-Za-z0-9_-]{11}", re.ASCII)
#: Whose midnight ends the day of the budget.
_ZONE: Final = "America/Los_Angeles"
_FIELDS: Final = (
    "items(id,snippet(title,liveBroadcastContent),"
    "liveStreamingDetails(actualStartTime,actualEndTime,scheduledStartTime,concurrentViewers),"
    "statistics(viewCount))"
)
_USED_UP: Final = frozenset({"quotaExceeded", "dailyLimitExceeded"})
_TOO_FAST: Final = frozenset({"rateLimitExceeded", "userRateLimitExceeded"})
_OK, _BAD, _UNAUTHORIZED, _FORBIDDEN, _TOO_MANY = 200, 400, 401, 403, 429
#: When the units of a day are used up, it is tried again after so long.
_USED_UP_PAUSE: Final = 3600.0


class YouTube(PolledPlatform):
    """Videos; an absent count is unknown, for it is hidden, or nobody watches, or it is over."""

    name: ClassVar[str] = "youtube"
    about: ClassVar[str] = "YouTube Data API: videos.list"
    sureness: ClassVar[Sureness] = "documentation"
    figures: ClassVar[str] = "starts, ends, viewers, views"
    api: ClassVar[str] = "https://www.googleapis.com"
    batch: ClassVar[int] = 50
    units: ClassVar[int] = 10_000
    per: ClassVar[Literal["day", "minute"]] = "day"
    waiting_minutes: ClassVar[int] = 5
    ids_are: ClassVar[str] = "ids of videos, of 11 characters"
    an_id: ClassVar[str] = "00000000000"

    def is_id(self, channel: str) -> bool:
        """Whether it is an id of a video."""
        return _VIDEO.fullmatch(channel) is not None

    def budget(self, units: int, reserve: float) -> Budget:
        """Units a day, from midnight to midnight in California."""
        try:
            return DayBudget(units, ZoneInfo(_ZONE), reserve)
        except ZoneInfoNotFoundError:
            raise LiveAudienceError(
                f"this system does not know the time zone {_ZONE}, whose midnight ends the day of "
                "YouTube's budget: install tzdata"
            ) from None

    def request(self, ids: Sequence[str]) -> tuple[str, list[tuple[str, str]]]:
        """`videos.list` of up to 50 ids."""
        return "/youtube/v3/videos", [
            ("part", "snippet,liveStreamingDetails,statistics"),
            ("fields", _FIELDS),
            ("id", ",".join(ids)),
        ]

    def headers(self, secret: str, client_id: str) -> dict[str, str]:
        """The key, in a header: addresses are written into logs on their way."""
        del client_id
        return {"X-Goog-Api-Key": secret}

    def evaluate(self, answer: Answer, now: float) -> Verdict:
        """Told apart by status, and for 400 and 403 by the reason in the body."""
        if answer.status == _OK:
            return Verdict("answered")
        reason = _reason_of(answer.body)
        why = f"status {answer.status}, {reason or 'no reason'}"
        pause = pause_of(answer.headers, now)
        if reason in _USED_UP:
            return Verdict("limited", max(pause or 0.0, _USED_UP_PAUSE), 0, why)
        if answer.status == _TOO_MANY or reason in _TOO_FAST:
            return Verdict("limited", pause, why=why)
        if answer.status in {_BAD, _UNAUTHORIZED, _FORBIDDEN}:
            return Verdict("refused", pause, why=why)
        return Verdict("failed", pause, why=why)

    def read(self, body: bytes) -> list[Found]:
        """The videos that are there: those that were deleted or made private are not."""
        items = document(body).get("items", [])
        if not isinstance(items, list):
            raise Unreadable("items: must be a list")
        found = []
        for item in items:
            try:
                found.append(_video(item))
            except Unreadable:
                continue
        return found


def _video(item: Any) -> Found:
    video = within(item, "id") if isinstance(item, dict) else None
    if not isinstance(video, str) or not _VIDEO.fullmatch(video):
        raise Unreadable("id: must be an id of a video")
    details = within(item, "liveStreamingDetails") or {}

    def at(name: str) -> int | None:
        value = within(details, name)
        return None if value is None else time_of(value, name)

    started, ended, scheduled = at("actualStartTime"), at("actualEndTime"), at("scheduledStartTime")
    content = within(item, "snippet", "liveBroadcastContent")
    status: Literal["upcoming", "live", "over"]
    if ended is not None:
        status = "over"
    elif started is not None or content == "live":
        status = "live"
    else:
        # A video that never was a broadcast has no details at all.
        status = "upcoming" if details or content == "upcoming" else "over"
    return Found(
        id=video,
        status=status,
        broadcast=video,
        started=started,
        ended=ended,
        viewers=viewers_of(within(details, "concurrentViewers")),
        views=viewers_of(within(item, "statistics", "viewCount")),
        title=title_of(within(item, "snippet", "title")),
        scheduled=scheduled,
    )


def _reason_of(body: bytes) -> str:
    """The reason of an error: one word, or nothing."""
    try:
        error = document(body).get("error")
    except Unreadable:
        return ""
    errors = within(error, "errors") if isinstance(error, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    reason = within(first, "reason") if isinstance(first, dict) else None
    is_word = isinstance(reason, str) and reason.isalnum() and len(reason) <= 64  # noqa: PLR2004 - it goes into the log
    return str(reason) if is_word else ""
