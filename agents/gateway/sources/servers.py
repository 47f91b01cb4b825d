"""More media servers that sign nothing: SRS, MediaMTX and Owncast."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from agents.gateway.delivery import Delivery, Unreadable
from agents.gateway.sources.base import (
    Answer,
    Reading,
    Sureness,
    Verified,
    document,
    name_of,
    time_of,
    title_of,
    within,
)
from agents.gateway.sources.hooks import Unsigned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agents.gateway.config import Endpoint
    from agents.gateway.observation import Kind

_A_DAY: Final = 24 * 3600


class Srs(Unsigned):
    """SRS: it asks before a client may connect, publish or play, and takes only `0` for a yes."""

    name: ClassVar[str] = "srs"
    about: ClassVar[str] = "SRS: on_publish, on_unpublish, on_play, on_stop"
    sureness: ClassVar[Sureness] = "documentation"
    figures: ClassVar[str] = "starts, ends, viewers and joins, counted from its hooks"

    _PRESENT: ClassVar[int] = _A_DAY
    _KINDS: Final[Mapping[str, Kind]] = {
        "on_publish": "started",
        "on_unpublish": "ended",
        "on_play": "joined",
        "on_stop": "left",
    }
    #: The host that SRS names where a client has asked for none.
    _ANY_HOST: Final = "__defaultVhost__"

    @property
    def go_on(self) -> Answer:
        """What lets a client go on: an empty body would not."""
        return Answer(body=b"0")

    def read(self, delivery: Delivery, verified: Verified, endpoint: Endpoint) -> Reading:
        """Read the JSON that SRS posts."""
        del verified
        body = document(delivery.body)
        action = body.get("action")
        if not isinstance(action, str):
            raise Unreadable("action: is missing")
        kind = self._KINDS.get(action)
        if kind is None:  # such as on_connect, on_close, on_dvr, on_hls
            return Reading(answer=self.go_on)
        channel = f"{name_of(body.get('app'), 'app')}/{name_of(body.get('stream'), 'stream')}"
        host = body.get("vhost")
        if host is not None and host != self._ANY_HOST:
            channel = f"{name_of(host, 'vhost')}/{channel}"
        viewer = ""
        if kind in {"joined", "left"}:
            viewer = name_of(body.get("client_id"), "client_id")
        return Reading(
            [self.seen(endpoint, channel, kind, delivery.received, viewer=viewer)], self.go_on
        )


class MediaMtx(Unsigned):
    """MediaMTX: it runs commands, and these post a form to us."""

    name: ClassVar[str] = "mediamtx"
    about: ClassVar[str] = "MediaMTX: runOnReady, runOnNotReady, runOnRead, runOnUnread by curl"
    sureness: ClassVar[Sureness] = "documentation"
    figures: ClassVar[str] = "starts, ends, viewers and joins, counted from its hooks"

    _PRESENT: ClassVar[int] = _A_DAY
    _KINDS: Final[Mapping[str, Kind]] = {
        "ready": "started",
        "notready": "ended",
        "read": "joined",
        "unread": "left",
    }

    def read(self, delivery: Delivery, verified: Verified, endpoint: Endpoint) -> Reading:
        """Read the form that the configured commands post."""
        del verified
        form = delivery.form()
        kind = self._KINDS.get(form.get("event", ""))
        if kind is None:
            raise Unreadable("event: must be ready, notready, read or unread")
        viewer = name_of(form.get("reader"), "reader") if kind in {"joined", "left"} else ""
        path = name_of(form.get("path"), "path")
        return Reading([self.seen(endpoint, path, kind, delivery.received, viewer=viewer)])


class Owncast(Unsigned):
    """Owncast: one server is one channel. Its USER_JOINED is about its chat, not its viewers."""

    name: ClassVar[str] = "owncast"
    about: ClassVar[str] = "Owncast: STREAM_STARTED and STREAM_STOPPED"
    sureness: ClassVar[Sureness] = "documentation"
    figures: ClassVar[str] = "starts and ends; its webhooks tell no viewers"

    _PRESENT: ClassVar[int] = 0
    _KINDS: Final[Mapping[str, Kind]] = {"STREAM_STARTED": "started", "STREAM_STOPPED": "ended"}
    _CHANNEL: Final = "live"

    def read(self, delivery: Delivery, verified: Verified, endpoint: Endpoint) -> Reading:
        """Read the JSON that Owncast posts."""
        del verified
        body = document(delivery.body)
        named = body.get("type")
        if not isinstance(named, str):
            raise Unreadable("type: is missing")
        kind = self._KINDS.get(named)
        if kind is None:
            return Reading()
        at = time_of(within(body, "eventData", "timestamp"), "eventData.timestamp")
        return Reading(
            [
                self.observe(
                    endpoint,
                    self._CHANNEL,
                    kind,
                    at,
                    id=name_of(within(body, "eventData", "id"), "eventData.id"),
                    title=title_of(within(body, "eventData", "streamTitle")),
                    resume=endpoint.resume_seconds,
                )
            ]
        )
