"""LiveKit: webhooks of its rooms, a room being one broadcast."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING, ClassVar

from agents.gateway.delivery import Delivery, Unverified
from agents.gateway.signatures import check_window
from agents.gateway.sources.base import (
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
    from collections.abc import Sequence

    from agents.gateway.config import Endpoint

# A viewer is there until LiveKit says that it left; what is lost is let go of after so long.
_PRESENT = 12 * 3600
# LiveKit sends a delivery again with its old token, 15 s after the first try at the latest, and
# others of the room wait behind it.
_LEEWAY = 60
_EVENTS = frozenset(
    {
        "room_started",
        "room_finished",
        "participant_joined",
        "participant_left",
        "participant_connection_aborted",
    }
)


class LiveKit(Source):
    """A token (JWT, HS256) in `Authorization` that holds the SHA-256 of the body.

    A secret of the endpoint is written `KEY:SECRET`.
    """

    name: ClassVar[str] = "livekit"
    about: ClassVar[str] = "LiveKit: rooms, and participants who publish nothing as viewers"
    sureness: ClassVar[Sureness] = "real program"
    figures: ClassVar[str] = "starts, ends, viewers and joins, counted from joins and leaves"

    def verify(
        self, delivery: Delivery, secrets: Sequence[bytes], endpoint: Endpoint, now: float
    ) -> Verified:
        """Check the token, and the body against it."""
        # Imported here: the package is an extra that only this source needs.
        import jwt  # noqa: PLC0415 - see above

        del endpoint
        token = delivery.required("authorization").removeprefix("Bearer ")
        _check_canonical(token)
        claims = None
        for secret in secrets:
            key, _, shared = secret.decode().partition(":")
            try:
                claims = jwt.decode(
                    token,
                    shared,
                    algorithms=["HS256"],
                    issuer=key,
                    # The times are checked below, by the clock that we are given.
                    options={
                        "verify_exp": False,
                        "verify_nbf": False,
                        "verify_iat": False,
                        "verify_aud": False,
                        "require": ["iss", "exp", "sha256"],
                    },
                )
            except jwt.InvalidTokenError:
                continue
        if claims is None:
            raise Unverified("signature", "the token fits no key of this endpoint")
        given = claims["sha256"]
        wanted = base64.b64encode(hashlib.sha256(delivery.body).digest()).decode()
        if not isinstance(given, str) or not hmac.compare_digest(given.encode(), wanted.encode()):
            raise Unverified("signature", "the token is of another body")
        expires = claims["exp"]
        if not isinstance(expires, int | float) or now > expires + _LEEWAY:
            raise Unverified("time", "the token has expired")
        # An hour ahead: what LiveKit gives a webhook is 5 minutes.
        check_window(min(expires, now + 3600.5) if expires > now else now, now, 3600)
        return Verified()

    def read(self, delivery: Delivery, verified: Verified, endpoint: Endpoint) -> Reading:
        """Read rooms and participants."""
        del verified
        body = document(delivery.body)
        event = body.get("event")
        if not isinstance(event, str) or event not in _EVENTS:
            return Reading()
        room = name_of(within(body, "room", "sid"), "room.sid")
        channel = within(body, "room", "name")
        at = seconds_of(body.get("createdAt"), "createdAt")
        created = within(body, "room", "creationTime")
        start = None if created is None else seconds_of(created, "room.creationTime")
        fields = {
            "id": name_of(body.get("id"), "id"),
            "broadcast": room,
            "started": start,
            "present_for": _PRESENT,
        }
        if event == "room_started":
            observation = self.observe(endpoint, channel, "started", at, **fields)
        elif event == "room_finished":
            observation = self.observe(endpoint, channel, "ended", at, **fields)
        else:
            if _publishes(within(body, "participant")):
                return Reading()
            viewer = name_of(within(body, "participant", "sid"), "participant.sid")
            kind = "joined" if event == "participant_joined" else "left"
            observation = self.observe(endpoint, channel, kind, at, viewer=viewer, **fields)  # type: ignore[arg-type]  # one of two kinds
        return Reading([observation])


def _publishes(participant: object) -> bool:
    """Whether a participant is on the air, or is one of LiveKit's own, and so no viewer."""
    if not isinstance(participant, dict):
        return False
    permission = participant.get("permission")
    may_publish = isinstance(permission, dict) and permission.get("canPublish") is True
    return (
        participant.get("isPublisher") is True
        or may_publish
        or participant.get("kind", "STANDARD") != "STANDARD"
    )


def _check_canonical(token: str) -> None:
    """Refuse a token whose parts could be written otherwise: one token has one way to be written.

    Raises:
        Unverified: spare bits of its Base64 are set, or it has not three parts.
    """
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, claims and signature
        raise Unverified("malformed", "the token has not three parts")
    for part in parts:
        try:
            raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        except ValueError:
            raise Unverified("malformed", "the token is not in Base64") from None
        if base64.urlsafe_b64encode(raw).decode().rstrip("=") != part:
            raise Unverified("malformed", "the token is not in canonical Base64")
