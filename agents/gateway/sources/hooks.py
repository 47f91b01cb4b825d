"""Media servers that ask by HTTP whether a show may go on: they sign nothing.

Whoever knows the secret in the endpoint's path is believed; `networks` bounds from where.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from agents.gateway.delivery import Delivery, Unreadable
from agents.gateway.sources.base import (
    Answer,
    Reading,
    Source,
    Sureness,
    Verified,
    document,
    milliseconds_of,
    name_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agents.gateway.config import Endpoint
    from agents.gateway.observation import Kind, Observation


class Unsigned(Source):
    """What these have in common: nothing to verify but the secret in the path."""

    signed: ClassVar[bool] = False
    goes_on: ClassVar[bool] = True

    _PRESENT: ClassVar[int]
    """Seconds for which a viewer counts without being seen again."""

    def seen(
        self,
        endpoint: Endpoint,
        channel: str,
        kind: Kind,
        at: int,
        *,
        viewer: str = "",
        id: str = "",  # noqa: A002 - as `observe` calls it
    ) -> Observation:
        """Observe what a hook says, with the bounds that all of these have."""
        return self.observe(
            endpoint,
            channel,
            kind,
            at,
            id=id,
            viewer=viewer,
            present_for=self._PRESENT,
            resume=endpoint.resume_seconds,
        )

    def verify(
        self, delivery: Delivery, secrets: Sequence[bytes], endpoint: Endpoint, now: float
    ) -> Verified:
        """Nothing is signed: the server has compared the secret in the path."""
        del delivery, secrets, endpoint, now
        return Verified()


class NginxRtmp(Unsigned):
    """nginx with its RTMP module.

    `on_update` (every `notify_update_timeout`, 30 s) tells of publishers and of players: a viewer
    whose end was lost is let go of after three of them.
    """

    name: ClassVar[str] = "nginx-rtmp"
    about: ClassVar[str] = "nginx-rtmp: on_publish(_done), on_play(_done) and on_update"
    sureness: ClassVar[Sureness] = "real program"
    figures: ClassVar[str] = "starts, ends, viewers and joins, counted from its hooks"

    _PRESENT: ClassVar[int] = 90
    _KINDS: Final[Mapping[str, Kind]] = {
        "publish": "started",
        "publish_done": "ended",
        "play": "joined",
        "play_done": "left",
        "update_publish": "sample",
        "update_play": "joined",
    }

    def read(self, delivery: Delivery, verified: Verified, endpoint: Endpoint) -> Reading:
        """Read the form that nginx posts."""
        del verified
        form = delivery.form()
        kind = self._KINDS.get(form.get("call", ""))
        if kind is None:
            raise Unreadable("call: is none of nginx-rtmp's hooks")
        channel = f"{name_of(form.get('app'), 'app')}/{name_of(form.get('name'), 'name')}"
        viewer = ""
        if kind in {"joined", "left"}:
            # Numbers of clients begin anew with nginx: the address tells two of them apart.
            client = name_of(form.get("clientid"), "clientid")
            viewer = f"{client}@{form.get('addr', '')[:64]}"
        return Reading([self.seen(endpoint, channel, kind, delivery.received, viewer=viewer)])


class Icecast(Unsigned):
    """Icecast with URL authentication: it asks before each listener is let in."""

    name: ClassVar[str] = "icecast"
    about: ClassVar[str] = "Icecast: mount_add, mount_remove, listener_add, listener_remove"
    sureness: ClassVar[Sureness] = "real program"
    figures: ClassVar[str] = "starts, ends, viewers and joins, counted from its hooks"

    _PRESENT: ClassVar[int] = 24 * 3600
    _KINDS: Final[Mapping[str, Kind]] = {
        "mount_add": "started",
        "mount_remove": "ended",
        "listener_add": "joined",
        "listener_remove": "left",
    }

    @property
    def go_on(self) -> Answer:
        """What lets a listener in."""
        return Answer(headers={"icecast-auth-user": "1"})

    def read(self, delivery: Delivery, verified: Verified, endpoint: Endpoint) -> Reading:
        """Read the form that Icecast posts."""
        del verified
        form = delivery.form()
        kind = self._KINDS.get(form.get("action", ""))
        if kind is None:
            raise Unreadable("action: is none of Icecast's")
        viewer = name_of(form.get("client"), "client") if kind in {"joined", "left"} else ""
        # A listener's mount comes with the query of its address.
        mount = name_of(form.get("mount"), "mount").partition("?")[0]
        return Reading(
            [self.seen(endpoint, mount, kind, delivery.received, viewer=viewer)],
            self.go_on,
        )


class NodeMediaServer(Unsigned):
    """node-media-server 4: one address for all of its hooks."""

    name: ClassVar[str] = "node-media-server"
    about: ClassVar[str] = "node-media-server: postPublish, donePublish, postPlay, donePlay"
    sureness: ClassVar[Sureness] = "real program"
    figures: ClassVar[str] = "starts, ends, viewers and joins, counted from its hooks"

    _PRESENT: ClassVar[int] = 24 * 3600
    _KINDS: Final[Mapping[str, Kind]] = {
        "postPublish": "started",
        "donePublish": "ended",
        "postPlay": "joined",
        "donePlay": "left",
    }

    def read(self, delivery: Delivery, verified: Verified, endpoint: Endpoint) -> Reading:
        """Read the JSON that node-media-server posts, whatever type it says it has."""
        del verified
        body = document(delivery.body)
        action = body.get("action")
        if not isinstance(action, str):
            raise Unreadable("action: is missing")
        if action in {"prePublish", "prePlay"}:  # the same again, before it is sure
            return Reading()
        kind = self._KINDS.get(action)
        if kind is None:
            raise Unreadable("action: is none of node-media-server's")
        session = name_of(body.get("id"), "id")
        # It waits 30 s for a publisher to come back before it tells of the end, which was then.
        moment = "endtime" if action in {"donePublish", "donePlay"} else "createtime"
        at = milliseconds_of(body.get(moment), moment)
        return Reading(
            [
                self.seen(
                    endpoint,
                    f"{name_of(body.get('app'), 'app')}/{name_of(body.get('name'), 'name')}",
                    kind,
                    at,
                    id=f"{session} {action}",
                    viewer=session if kind in {"joined", "left"} else "",
                )
            ]
        )
