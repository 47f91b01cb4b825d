"""Meta: webhooks of the live videos of Facebook pages."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, ClassVar, Final

from agents.gateway.delivery import Delivery, Unreadable, Unverified, fields
from agents.gateway.signatures import check_hmac, from_hex
from agents.gateway.sources.base import (
    Answer,
    Reading,
    Source,
    Sureness,
    Verified,
    document,
    name_of,
    seconds_of,
    within,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from agents.gateway.config import Endpoint
    from agents.gateway.observation import Kind, Observation


class Meta(Source):
    """Signed with the app's secret; nothing but the body is, so a delivery can be sent again.

    What is repeated counts once, for each change is known by its video and status.
    """

    name: ClassVar[str] = "meta"
    about: ClassVar[str] = "Facebook pages: the field live_videos"
    sureness: ClassVar[Sureness] = "documentation"
    figures: ClassVar[str] = "starts and ends; webhooks tell no viewers"
    needs_path_secret: ClassVar[bool] = True

    _KINDS: Final[Mapping[str, Kind]] = {"live": "started", "live_stopped": "ended", "vod": "ended"}
    _MOST_CHANGES: Final = 1000
    _LONGEST_CHALLENGE: Final = 100

    def verify(
        self, delivery: Delivery, secrets: Sequence[bytes], endpoint: Endpoint, now: float
    ) -> Verified:
        """Check the header `X-Hub-Signature-256`; the handshake is proven by the path alone."""
        del endpoint, now
        if delivery.method == "GET":
            return Verified()
        given = delivery.required("x-hub-signature-256")
        if not given.startswith("sha256="):
            raise Unverified("malformed", "the signature does not begin with sha256=")
        check_hmac([from_hex(given.removeprefix("sha256="))], delivery.body, secrets)
        return Verified(hashlib.sha256(delivery.body).hexdigest())

    def read(self, delivery: Delivery, verified: Verified, endpoint: Endpoint) -> Reading:
        """Answer the handshake, or read the changes of live videos; others are of no interest."""
        del verified
        if delivery.method == "GET":
            return self._handshake(fields(delivery.query))
        entries = document(delivery.body).get("entry")
        if not isinstance(entries, list):
            raise Unreadable("entry: must be a list")
        return Reading([seen for entry in entries for seen in self._of_page(entry, endpoint)])

    def _handshake(self, query: dict[str, str]) -> Reading:
        challenge = query.get("hub.challenge", "")
        if query.get("hub.mode") != "subscribe" or not challenge:
            raise Unreadable("hub.mode: must be subscribe, with a challenge")
        if not challenge.isalnum() or len(challenge) > self._LONGEST_CHALLENGE:
            raise Unreadable("hub.challenge: must be letters and digits, up to 100")
        return Reading(answer=Answer(body=challenge.encode()))

    def _of_page(self, entry: Any, endpoint: Endpoint) -> Iterator[Observation]:
        changes = within(entry, "changes") if isinstance(entry, dict) else None
        if not isinstance(changes, list):
            return
        for change in changes[: self._MOST_CHANGES]:
            if not isinstance(change, dict) or change.get("field") != "live_videos":
                continue
            status = within(change, "value", "status")
            kind = self._KINDS.get(status.lower()) if isinstance(status, str) else None
            if kind is None:
                continue
            video = name_of(within(change, "value", "id"), "value.id")
            at = seconds_of(entry.get("time"), "entry.time")
            yield self.observe(
                endpoint,
                entry.get("id"),
                kind,
                at,
                id=f"{video} {kind} {at}",
                broadcast=video,
                started=at if kind == "started" else None,
            )
