"""YouTube's WebSub: its hub tells that a channel has a new video, or one that was changed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, Final
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

from agents.gateway.delivery import Delivery, Unreadable, Unverified, fields
from agents.gateway.signatures import check_hmac, from_hex
from agents.gateway.sources.base import Answer, Reading, Source, Sureness, Verified
from streams import rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.gateway.config import Endpoint

_ATOM: Final = "{http://www.w3.org/2005/Atom}"
_YOUTUBE: Final = "{http://www.youtube.com/xml/schemas/2015}"
_VIDEO: Final = re.compile(r"[A-Za-z0-9_-]{11}", re.ASCII)
#: Pages name the feed with and without `/xml`.
_FEEDS: Final = frozenset({"/feeds/videos.xml", "/xml/feeds/videos.xml"})
_DIGESTS: Final = frozenset({"sha1", "sha256", "sha384", "sha512"})
_LONGEST_CHALLENGE: Final = 512
_LONGEST_REASON: Final = 200
_LONGEST_LEASE: Final = 9  # digits: 30 years


class YouTube(Source):
    """A hint and no more: a video that may be live, or be live some day, or never.

    What it names is polled until it is over, by the poll of this endpoint. Nothing but the body is
    signed; a hint that is repeated changes nothing.
    """

    name: ClassVar[str] = "youtube"
    about: ClassVar[str] = "YouTube's WebSub: new videos of channels, for the poll to look at"
    sureness: ClassVar[Sureness] = "foreign vectors"
    figures: ClassVar[str] = "nothing by itself: the poll of this endpoint does"
    needs_path_secret: ClassVar[bool] = True

    def verify(
        self, delivery: Delivery, secrets: Sequence[bytes], endpoint: Endpoint, now: float
    ) -> Verified:
        """Check the header `X-Hub-Signature`; the handshake is proven by the path alone."""
        del endpoint, now
        if delivery.method == "GET":
            return Verified()
        digest, equals, given = delivery.required("x-hub-signature").partition("=")
        if not equals or digest not in _DIGESTS:
            raise Unverified("malformed", "the signature does not begin with sha1= or the like")
        check_hmac([from_hex(given)], delivery.body, secrets, digest)
        return Verified()

    def read(self, delivery: Delivery, verified: Verified, endpoint: Endpoint) -> Reading:
        """Answer the handshake for what was asked for, or read the videos of a feed."""
        del verified
        if delivery.method == "GET":
            return self._handshake(delivery, endpoint)
        if b"<!DOCTYPE" in delivery.body:
            raise Unreadable("the feed declares entities")
        try:
            # It is signed, of a bounded size, and declares no entities.
            feed = ET.fromstring(delivery.body)  # noqa: S314 - see above
        except (ET.ParseError, ValueError, LookupError) as error:
            raise Unreadable(f"the body is no feed: {error}") from None
        if feed.tag != f"{_ATOM}feed":
            raise Unreadable("the body is no Atom feed")
        found = (entry.findtext(f"{_YOUTUBE}videoId", "") for entry in feed.iter(f"{_ATOM}entry"))
        videos = dict.fromkeys(each for each in found if _VIDEO.fullmatch(each))
        return Reading(
            [self.observe(endpoint, each, "announced", delivery.received) for each in videos]
        )

    def _handshake(self, delivery: Delivery, endpoint: Endpoint) -> Reading:
        """The hub asks whether we have asked: yes for our channels' feeds, else there is nothing.

        How long it holds is written down before the hub is answered; so is that it was denied.
        """
        query = fields(delivery.query)
        channel = _channel_of(query.get("hub.topic", ""))
        if channel is None or channel not in endpoint.subscribed:
            return Reading(answer=Answer(status=404))
        now, mode = delivery.received, query.get("hub.mode")
        if mode == "denied":
            why = query.get("hub.reason", "")[:_LONGEST_REASON]
            denied = self.observe(endpoint, channel, "denied", now, title=why)
            return Reading([denied], warning=f"the hub denies a subscription to {channel}")
        challenge = query.get("hub.challenge", "")
        if mode != "subscribe" or not 0 < len(challenge) <= _LONGEST_CHALLENGE:
            return Reading(answer=Answer(status=404))
        answer = Answer(body=challenge.encode(errors="replace"))
        seconds = query.get("hub.lease_seconds", "")
        if not (seconds.isascii() and seconds.isdigit() and len(seconds) <= _LONGEST_LEASE):
            return Reading(answer=answer)
        until = now + int(seconds) * rfc3339.SECOND
        return Reading([self.observe(endpoint, channel, "subscribed", now, until=until)], answer)


def _channel_of(topic: str) -> str | None:
    try:
        parts = urlsplit(topic)
    except ValueError:
        return None
    if parts.hostname != "www.youtube.com" or parts.path not in _FEEDS:
        return None
    named = parse_qs(parts.query).get("channel_id", [])
    return named[0] if len(named) == 1 else None
