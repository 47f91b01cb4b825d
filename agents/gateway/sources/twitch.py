"""Twitch: EventSub by webhooks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from agents.gateway.delivery import Delivery, Unreadable, Unverified
from agents.gateway.signatures import check_hmac, check_window, from_hex
from agents.gateway.sources.base import (
    Answer,
    Reading,
    Source,
    Sureness,
    Verified,
    document,
    name_of,
    time_of,
    title_of,
    within,
)
from streams import rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.gateway.config import Endpoint

# Twitch's own advice: 10 minutes. It retries, with the time of the first attempt.
_WINDOW = 600
_PRINTABLE = re.compile(r"[ -~]{1,200}", re.ASCII)


class Twitch(Source):
    """Ids, times and bodies are signed together, with nothing between."""

    name: ClassVar[str] = "twitch"
    about: ClassVar[str] = "Twitch EventSub: stream.online and stream.offline"
    sureness: ClassVar[Sureness] = "foreign vectors"
    figures: ClassVar[str] = "starts and ends; EventSub tells no viewers"

    def verify(
        self, delivery: Delivery, secrets: Sequence[bytes], endpoint: Endpoint, now: float
    ) -> Verified:
        """Check the header `Twitch-Eventsub-Message-Signature`."""
        del endpoint
        identity = delivery.required("twitch-eventsub-message-id")
        stamp = delivery.required("twitch-eventsub-message-timestamp")
        given = delivery.required("twitch-eventsub-message-signature")
        if not given.startswith("sha256="):
            raise Unverified("malformed", "the signature does not begin with sha256=")
        if not _PRINTABLE.fullmatch(identity):
            raise Unverified("malformed", "the id is no short printable text")
        check_hmac(
            [from_hex(given.removeprefix("sha256="))],
            identity.encode() + stamp.encode() + delivery.body,
            secrets,
        )
        try:
            at = rfc3339.microseconds(stamp)
        except ValueError as error:
            raise Unverified("malformed", f"the time stamp is {error}") from None
        check_window(at / rfc3339.SECOND, now, _WINDOW)
        return Verified(identity, at)

    def read(self, delivery: Delivery, verified: Verified, endpoint: Endpoint) -> Reading:
        """Answer the challenge, warn of a revocation, read starts and ends.

        The type of the message is in a header that is not signed, so the body decides.
        """
        body = document(delivery.body)
        kind = within(body, "subscription", "type")
        if "challenge" in body:
            return Reading(answer=Answer(body=name_of(body["challenge"], "challenge").encode()))
        if "event" not in body:
            status = within(body, "subscription", "status")
            return Reading(warning=f"Twitch revoked a subscription to {kind}: {status}")
        event = body["event"]
        assert verified.at is not None, "the time stamp was verified"
        channel = within(event, "broadcaster_user_id")
        if kind == "stream.online":
            start = time_of(within(event, "started_at"), "event.started_at")
            return Reading(
                [
                    self.observe(
                        endpoint,
                        channel,
                        "started",
                        start,
                        id=verified.id,
                        broadcast=name_of(within(event, "id"), "event.id"),
                        started=start,
                        title=title_of(within(event, "title")),
                    )
                ]
            )
        if kind == "stream.offline":
            # It tells neither stream nor time: the table of open broadcasts knows the stream.
            return Reading([self.observe(endpoint, channel, "ended", verified.at, id=verified.id)])
        if not isinstance(kind, str):
            raise Unreadable("subscription.type: is missing")
        return Reading()
