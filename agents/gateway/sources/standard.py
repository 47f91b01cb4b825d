"""Standard Webhooks, and any sender that signs its body with HMAC: the mapping is configured."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING, Any, ClassVar

from agents.gateway.delivery import Delivery, Unreadable, Unverified
from agents.gateway.signatures import (
    check_hmac,
    check_window,
    from_base64,
    from_hex,
    unix_seconds,
)
from agents.gateway.sources.base import (
    Reading,
    Source,
    Sureness,
    Verified,
    count_of,
    document,
    name_of,
    seconds_of,
    time_of,
    title_of,
    within,
)
from streams import rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.gateway.endpoint_config import Endpoint, Mapped

_PREFIX = "whsec_"
# A list of signatures is short: two secrets, perhaps two versions.
_MOST_SIGNATURES = 20


class Standard(Source):
    """The specification of standardwebhooks.com, version 1.0.0, with symmetric signatures (v1)."""

    name: ClassVar[str] = "standard-webhooks"
    about: ClassVar[str] = "Standard Webhooks (also Svix): what is in the body is configured"
    sureness: ClassVar[Sureness] = "foreign vectors"
    figures: ClassVar[str] = "what the mapping names"

    def verify(
        self, delivery: Delivery, secrets: Sequence[bytes], endpoint: Endpoint, now: float
    ) -> Verified:
        """Check headers `webhook-id`, `webhook-timestamp` and `webhook-signature`."""
        del endpoint
        prefix = "webhook"
        if delivery.header("webhook-id") is None and delivery.header("svix-id") is not None:
            prefix = "svix"
        identity = delivery.required(f"{prefix}-id")
        if "." in identity:
            # It is joined with dots: with one inside, a byte could move from id to time.
            raise Unverified("malformed", "the id has a dot in it")
        stamp = delivery.required(f"{prefix}-timestamp")
        listed = delivery.required(f"{prefix}-signature").split(" ")
        if len(listed) > _MOST_SIGNATURES:
            raise Unverified("malformed", f"over {_MOST_SIGNATURES} signatures")
        given = []
        for each in listed:
            version, comma, signature = each.partition(",")
            if comma and version == "v1":
                given.append(from_base64(signature))
        signed = f"{identity}.{stamp}.".encode() + delivery.body
        check_hmac(given, signed, [standard_secret(secret) for secret in secrets])
        at = unix_seconds(stamp)
        check_window(at, now)
        return Verified(identity, at * rfc3339.SECOND)

    def read(self, delivery: Delivery, verified: Verified, endpoint: Endpoint) -> Reading:
        """Read the fields that the configuration names."""
        return mapped(self, delivery, verified, endpoint)


def standard_secret(secret: bytes) -> bytes:
    """The key that a secret is written for: `whsec_` and Base64.

    Raises:
        ValueError: it is not written so.
    """
    try:
        return base64.b64decode(secret.decode().removeprefix(_PREFIX), validate=True)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise ValueError("must be whsec_ and Base64") from None


class Hmac(Source):
    """A header with the HMAC of the body, perhaps of a time and the body."""

    name: ClassVar[str] = "hmac"
    about: ClassVar[str] = "any sender that signs its body with HMAC, headers as configured"
    sureness: ClassVar[Sureness] = "documentation"
    figures: ClassVar[str] = "what the mapping names"

    def verify(
        self, delivery: Delivery, secrets: Sequence[bytes], endpoint: Endpoint, now: float
    ) -> Verified:
        """Check the header that the configuration names."""
        options = endpoint.hmac
        assert options is not None, "the configuration was checked"
        given = delivery.required(options.header.lower())
        if not given.startswith(options.prefix):
            raise Unverified("malformed", f"the signature does not begin with {options.prefix}")
        given = given.removeprefix(options.prefix)
        decoded = from_hex(given) if options.encoding == "hex" else from_base64(given)
        # The parts are joined by a separator, so it must not be within the first ones.
        parts = []
        identity = stamp = ""
        if options.id_header:
            identity = delivery.required(options.id_header.lower())
        if options.time_header:
            stamp = delivery.required(options.time_header.lower())
            parts.append(stamp)
        if options.id_signed:
            parts.insert(0, identity)
        if options.separator and any(options.separator in part for part in parts):
            raise Unverified("malformed", "the separator is in the id or the time")
        head = "".join(part + options.separator for part in parts).encode()
        check_hmac([decoded], head + delivery.body, secrets, options.digest)
        at = None
        if stamp:
            seconds = unix_seconds(stamp)
            check_window(seconds, now, options.window)
            at = seconds * rfc3339.SECOND
        # An id that is not signed proves nothing: whoever sends again could change it.
        if not options.id_signed:
            identity = hashlib.sha256(head + delivery.body).hexdigest()
        return Verified(identity, at)

    def read(self, delivery: Delivery, verified: Verified, endpoint: Endpoint) -> Reading:
        """Read the fields that the configuration names."""
        return mapped(self, delivery, verified, endpoint)


def mapped(source: Source, delivery: Delivery, verified: Verified, endpoint: Endpoint) -> Reading:
    """What a JSON body means by the configuration's mapping.

    Raises:
        Unreadable: a field is missing or is not what it should be.
    """
    mapping = endpoint.mapping
    assert mapping is not None, "the configuration was checked"
    body = document(delivery.body)
    kind = mapping.kind_of(_at_path(body, mapping.kind) if mapping.kind else None)
    if kind is None:
        return Reading()
    at = _time(body, mapping.at, mapping) if mapping.at else verified.at
    broadcast = _at_path(body, mapping.broadcast) if mapping.broadcast else None
    return Reading(
        [
            source.observe(
                endpoint,
                _at_path(body, mapping.channel),
                kind,
                delivery.received if at is None else at,
                id=verified.id,
                broadcast=None if broadcast is None else name_of(broadcast, mapping.broadcast),
                started=_time(body, mapping.started, mapping) if mapping.started else None,
                viewers=_count(body, mapping.viewers),
                views=_count(body, mapping.views, 10**12),
                title=title_of(_at_path(body, mapping.title)) if mapping.title else None,
                resume=endpoint.resume_seconds,
            )
        ]
    )


def _at_path(body: dict[str, Any], path: str) -> Any:
    return within(body, *path.split("."))


def _count(body: dict[str, Any], path: str, most: int = 10**10) -> int | None:
    return count_of(_at_path(body, path), path, most) if path else None


def _time(body: dict[str, Any], path: str, mapping: Mapped) -> int | None:
    value = _at_path(body, path)
    if value is None:
        if path == mapping.at:
            raise Unreadable(f"{path}: is missing")
        return None
    return time_of(value, path) if isinstance(value, str) else seconds_of(value, path)
