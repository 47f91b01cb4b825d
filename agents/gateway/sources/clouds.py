"""Live streaming of large clouds: Tencent CSS, Alibaba Cloud Live, and Amazon IVS.

None of them signs what it tells. Whoever knows the secret in the endpoint's path is believed;
`networks` bounds from where.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, ClassVar, Final

from agents.gateway.delivery import Delivery, Unreadable, Unverified, fields
from agents.gateway.signatures import check_window, unix_seconds
from agents.gateway.sources.base import (
    Answer,
    Reading,
    Sureness,
    Verified,
    document,
    name_of,
    seconds_of,
    time_of,
    within,
)
from agents.gateway.sources.hooks import Unsigned
from streams import rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agents.gateway.config import Endpoint
    from agents.gateway.observation import Kind


class Tencent(Unsigned):
    """Tencent Cloud CSS: a push that begins or is interrupted; `sequence` is the same in both.

    With a key, each body proves that its sender knows it, but not what else is in the body: the
    secret in the path is needed all the same.
    """

    name: ClassVar[str] = "tencent"
    about: ClassVar[str] = "Tencent Cloud CSS: push and interruption callbacks"
    sureness: ClassVar[Sureness] = "documentation"
    figures: ClassVar[str] = "starts and ends; callbacks tell no viewers"
    goes_on: ClassVar[bool] = False
    has_key: ClassVar[bool] = True

    _PRESENT: ClassVar[int] = 0
    _KINDS: Final[Mapping[int, Kind]] = {1: "started", 0: "ended"}
    #: The time that is signed is when the signature expires: this long after it was made.
    _VALID: Final = 600

    def verify(
        self, delivery: Delivery, secrets: Sequence[bytes], endpoint: Endpoint, now: float
    ) -> Verified:
        """Check `sign` in the body, where there is a key: MD5 over the key and `t`."""
        del endpoint
        if not secrets:
            return Verified()
        try:
            body = document(delivery.body)
        except Unreadable as error:
            raise Unverified("malformed", str(error)) from None
        expires, given = body.get("t"), body.get("sign")
        if expires is None or not isinstance(given, str) or not given:
            raise Unverified("missing", "t or sign is missing in the body")
        stamp = str(expires) if type(expires) is int else expires
        if not isinstance(stamp, str):
            raise Unverified("malformed", "t is no time")
        until = unix_seconds(stamp)
        check_md5(given, [key + stamp.encode() for key in secrets])
        # Neither past, nor further ahead than it may be, but for clocks that differ.
        if not now - _CLOCKS <= until <= now + self._VALID + _CLOCKS:
            raise Unverified("time", "the signature has expired, or is from ahead")
        return Verified()

    def read(self, delivery: Delivery, verified: Verified, endpoint: Endpoint) -> Reading:
        """Read pushes and interruptions; other events are of no interest."""
        del verified
        answer = Answer(body=b'{"code":0}', content_type="application/json")
        body = document(delivery.body)
        event = body.get("event_type")
        if type(event) is not int:
            raise Unreadable("event_type: must be a whole number")
        kind = self._KINDS.get(event)
        if kind is None:
            return Reading(answer=answer)
        sequence = name_of(body.get("sequence"), "sequence")
        at = seconds_of(body.get("event_time"), "event_time")
        parts = (name_of(body.get(each), each) for each in ("app", "appname", "stream_id"))
        seen = self.observe(
            endpoint,
            "/".join(parts),
            kind,
            at,
            id=f"{sequence} {event}",
            broadcast=sequence,
            started=at if kind == "started" else None,
        )
        return Reading([seen], answer)


class Alibaba(Unsigned):
    """Alibaba Cloud Live: a push that begins or ends, by GET; no id tells one push from the next.

    With a key, two headers prove that the sender knows it, but the query is not signed.
    """

    name: ClassVar[str] = "alibaba"
    about: ClassVar[str] = "Alibaba Cloud Live: publish and publish_done callbacks"
    sureness: ClassVar[Sureness] = "documentation"
    figures: ClassVar[str] = "starts and ends; callbacks tell no viewers"
    goes_on: ClassVar[bool] = False
    has_key: ClassVar[bool] = True

    _PRESENT: ClassVar[int] = 0
    _KINDS: Final[Mapping[str, Kind]] = {"publish": "started", "publish_done": "ended"}

    def verify(
        self, delivery: Delivery, secrets: Sequence[bytes], endpoint: Endpoint, now: float
    ) -> Verified:
        """Check the header `ALI-LIVE-SIGNATURE`: MD5 over ingest domain, time and key."""
        del endpoint
        if not secrets:
            return Verified()
        stamp = delivery.required("ali-live-timestamp")
        given = delivery.required("ali-live-signature")
        at = unix_seconds(stamp)
        try:
            domain = fields(delivery.query).get("app", "")
        except Unreadable as error:
            raise Unverified("malformed", str(error)) from None
        head = f"{domain}|{stamp}|".encode()
        check_md5(given, [head + key for key in secrets])
        check_window(at, now)
        return Verified(at=at * rfc3339.SECOND)

    def read(self, delivery: Delivery, verified: Verified, endpoint: Endpoint) -> Reading:
        """Read the query: all of it is there."""
        del verified
        query = fields(delivery.query)
        action = query.get("action", "")
        kind = self._KINDS.get(action)
        if kind is None:
            raise Unreadable("action: must be publish or publish_done")
        at = seconds_of(query.get("time"), "time")
        parts = [name_of(query.get(each), each) for each in ("app", "appname", "id")]
        channel = "/".join(parts)
        # Sent again, it is the same: up to five times, a second apart.
        identity = f"{channel} {action} {at}"
        resume = endpoint.resume_seconds
        return Reading([self.observe(endpoint, channel, kind, at, id=identity, resume=resume)])


class Ivs(Unsigned):
    """Amazon IVS, by an API destination of EventBridge: events may be hours late or out of order.

    Each names its stream, so their order does not matter.
    """

    name: ClassVar[str] = "ivs"
    about: ClassVar[str] = "Amazon IVS: Stream Start and Stream End by EventBridge"
    sureness: ClassVar[Sureness] = "documentation"
    figures: ClassVar[str] = "starts and ends; events tell no viewers"
    goes_on: ClassVar[bool] = False

    _PRESENT: ClassVar[int] = 0
    _TYPE: Final = "IVS Stream State Change"
    _KINDS: Final[Mapping[str, Kind]] = {"Stream Start": "started", "Stream End": "ended"}

    def read(self, delivery: Delivery, verified: Verified, endpoint: Endpoint) -> Reading:
        """Read changes of streams; other events are of no interest."""
        del verified
        body = document(delivery.body)
        if body.get("source") != "aws.ivs" or body.get("detail-type") != self._TYPE:
            return Reading()
        event = within(body, "detail", "event_name")
        resources = body.get("resources")
        channel = resources[0] if isinstance(resources, list) and resources else None
        if event == "Stream Failure":
            return Reading(warning=f"IVS tells of a failed stream of {str(channel)[:200]!a}")
        kind = self._KINDS.get(event) if isinstance(event, str) else None
        if kind is None:
            return Reading()
        at = time_of(body.get("time"), "time")
        seen = self.observe(
            endpoint,
            channel,
            kind,
            at,
            id=name_of(body.get("id"), "id"),
            broadcast=name_of(within(body, "detail", "stream_id"), "detail.stream_id"),
            started=at if kind == "started" else None,
        )
        return Reading([seen])


#: How far clocks may be apart, in seconds.
_CLOCKS: Final = 60


def check_md5(given: str, signed: Sequence[bytes]) -> None:
    """Does nothing if a hexadecimal MD5 is that of one of the texts, each with its key.

    MD5 over a key and a text can be lengthened by who knows neither; so what is signed here has a
    shape of its own, digits alone.

    Raises:
        Unverified: it is of none.
    """
    fits = False
    for each in signed:
        wanted = hashlib.md5(each, usedforsecurity=False).hexdigest()
        fits |= hmac.compare_digest(wanted.encode(), given.encode(errors="replace"))
    if not fits:
        raise Unverified("signature", "no signature fits a key of this endpoint")
