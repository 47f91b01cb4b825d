"""YouTube's WebSub: its hub tells that a channel has a new video, or one that was changed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, Final
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

from agents.gateway.delivery import Delivery, Unreadable, Unverified, fields
from agents.gateway.signatures import check_hmac, from_hex
from agents.gateway.sources.base import Answer, Reading, Source, Sureness, Verified

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
            return _handshake(fields(delivery.query), endpoint)
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


def _handshake(query: dict[str, str], endpoint: Endpoint) -> Reading:
    """The hub asks whether we have asked: yes for our channels' feeds, else there is nothing."""
    challenge = query.get("hub.challenge", "")
    channel = _channel_of(query.get("hub.topic", ""))
    is_ours = query.get("hub.mode") == "subscribe" and channel in endpoint.subscribed
    if not is_ours or not 0 < len(challenge) <= _LONGEST_CHALLENGE:
        return Reading(answer=Answer(status=404))
    return Reading(answer=Answer(body=challenge.encode(errors="replace")))


def _channel_of(topic: str) -> str | None:
    try:
        parts = urlsplit(topic)
    except ValueError:
        return None
    if parts.hostname != "www.youtube.com" or parts.path not in _FEEDS:
        return None
    named = parse_qs(parts.query).get("channel_id", [])
    return named[0] if len(named) == 1 else None
