"""PeerTube: live videos of a server of one's own; it has no webhooks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from agents.gateway.delivery import Unreadable
from agents.gateway.polling.budget import Budget, MinuteBudget
from agents.gateway.polling.platform import Answer, Found, PolledPlatform, Verdict, evaluated
from agents.gateway.sources.base import document, title_of, viewers_of, within

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.gateway.sources.base import Sureness

_VIDEO: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_NOT_FOUND: Final = 404
#: Of a live video: on the air, waiting for its publisher, over.
_STATUSES: Final[dict[int, Literal["live", "upcoming", "over"]]] = {
    1: "live",
    4: "upcoming",
    5: "over",
}


class PeerTube(PolledPlatform):
    """One video a call. A viewer counts for two minutes after its last sign of life.

    No start is told to the public, so a broadcast begins when it is seen first. A permanent live
    keeps its id from show to show: the workers tell its runs apart.
    """

    name: ClassVar[str] = "peertube"
    about: ClassVar[str] = "PeerTube: live videos of your server"
    sureness: ClassVar[Sureness] = "documentation"
    figures: ClassVar[str] = "viewers, views; ends once a video is not live for a while"
    api: ClassVar[str] = ""  # each server has its own
    needs_secret: ClassVar[bool] = False
    batch: ClassVar[int] = 1
    # A server allows 50 calls in 10 s from one address, unless configured otherwise.
    units: ClassVar[int] = 200
    per: ClassVar[Literal["day", "minute"]] = "minute"
    waiting_minutes: ClassVar[int] = 1
    ids_are: ClassVar[str] = "long ids of videos, as 9c9de5e8-0a1e-484a-b099-e80766180a6d"
    an_id: ClassVar[str] = "00000000-0000-4000-8000-000000000000"

    def is_id(self, channel: str) -> bool:
        """Whether it is a long id of a video."""
        return _VIDEO.fullmatch(channel) is not None

    def budget(self, units: int, reserve: float) -> Budget:
        """Calls a minute."""
        return MinuteBudget(units, reserve)

    def request(self, ids: Sequence[str]) -> tuple[str, list[tuple[str, str]]]:
        """One video."""
        (video,) = ids
        return f"/api/v1/videos/{video}", []

    def headers(self, secret: str, client_id: str) -> dict[str, str]:
        """Nothing proves who asks: the video is public."""
        del secret, client_id
        return {}

    def evaluate(self, answer: Answer, now: float) -> Verdict:
        """A video that is not there is an answer: it is private, or was deleted."""
        if answer.status == _NOT_FOUND:
            return Verdict("answered")
        return evaluated(answer, now)

    def read(self, body: bytes) -> list[Found]:
        """The video, if it is a live one."""
        video = document(body)
        uuid = video.get("uuid")
        if uuid is None and "status" in video:  # the answer of one that is not there
            return []
        if not isinstance(uuid, str) or not _VIDEO.fullmatch(uuid):
            raise Unreadable("uuid: must be a long id of a video")
        state = within(video, "state", "id")
        status = _STATUSES.get(state) if isinstance(state, int) else None
        # One that is being transcoded or moved is none of these: nothing is known of it.
        if video.get("isLive") is not True or status is None:
            return []
        return [
            Found(
                id=uuid,
                # An end has no time here: as one that is missing, it has ended when seen last.
                status="upcoming" if status == "over" else status,
                broadcast=uuid,
                viewers=viewers_of(video.get("viewers")) if status == "live" else None,
                views=viewers_of(video.get("views")),
                title=title_of(video.get("name")),
            )
        ]
