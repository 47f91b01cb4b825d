"""Kick: webhooks signed with its RSA key."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, ClassVar

from agents.gateway.delivery import Delivery, Unverified
from agents.gateway.signatures import check_window, from_base64
from agents.gateway.sources.base import (
    Reading,
    Source,
    Sureness,
    Verified,
    document,
    time_of,
    title_of,
    within,
)
from streams import rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from agents.gateway.config import Endpoint

# With these two shapes, no dot can move from one part of what is signed to another.
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", re.ASCII)


class Kick(Source):
    """One public key for all apps: the endpoint's secret is that key, as PEM."""

    name: ClassVar[str] = "kick"
    about: ClassVar[str] = "Kick: livestream.status.updated"
    sureness: ClassVar[Sureness] = "documentation"
    figures: ClassVar[str] = "starts and ends; webhooks tell no viewers"

    def verify(
        self, delivery: Delivery, secrets: Sequence[bytes], endpoint: Endpoint, now: float
    ) -> Verified:
        """Check the header `Kick-Event-Signature`."""
        del endpoint
        identity = delivery.required("kick-event-message-id")
        stamp = delivery.required("kick-event-message-timestamp")
        signature = from_base64(delivery.required("kick-event-signature"))
        if not _ULID.fullmatch(identity):
            raise Unverified("malformed", "the id is no ULID")
        signed = f"{identity}.{stamp}.".encode() + delivery.body
        # A list, so that each key is tried.
        if not any([_fits(key, signature, signed) for key in secrets]):  # noqa: C419 - see above
            raise Unverified("signature", "the signature fits no key of this endpoint")
        try:
            at = rfc3339.microseconds(stamp)
        except ValueError as error:
            raise Unverified("malformed", f"the time stamp is {error}") from None
        check_window(at / rfc3339.SECOND, now)
        return Verified(identity, at)

    def read(self, delivery: Delivery, verified: Verified, endpoint: Endpoint) -> Reading:
        """Read starts and ends.

        The type of the event is in a header that is not signed, so the body decides: no other
        event has `is_live`.
        """
        body = document(delivery.body)
        is_live = body.get("is_live")
        if not isinstance(is_live, bool):
            return Reading()
        start = time_of(body.get("started_at"), "started_at")
        at = start if is_live else time_of(body.get("ended_at"), "ended_at")
        return Reading(
            [
                self.observe(
                    endpoint,
                    within(body, "broadcaster", "user_id"),
                    "started" if is_live else "ended",
                    at,
                    id=verified.id,
                    started=start,
                    title=title_of(body.get("title")),
                )
            ]
        )


def _fits(pem: bytes, signature: bytes, signed: bytes) -> bool:
    # Imported here: the package is an extra that only this source needs.
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.asymmetric import padding  # noqa: PLC0415 - see above

    try:
        public_key(pem).verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


@functools.lru_cache(maxsize=8)
def public_key(pem: bytes) -> RSAPublicKey:
    """The RSA key that a PEM text holds.

    Raises:
        ValueError: it holds none.
    """
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - as above
        load_pem_public_key,
    )

    try:
        found = load_pem_public_key(pem)
    except (ValueError, TypeError):
        raise ValueError("must be a public key as PEM") from None
    if not isinstance(found, rsa.RSAPublicKey):
        raise ValueError("must be an RSA key")  # noqa: TRY004 - the value is wrong, not its type
    return found
