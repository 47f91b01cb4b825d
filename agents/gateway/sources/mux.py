"""Mux Video: webhooks of its live streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from agents.gateway.delivery import Delivery, Unreadable, Unverified
from agents.gateway.signatures import check_hmac, check_window, from_hex, unix_seconds
from agents.gateway.sources.base import (
    Reading,
    Source,
    Sureness,
    Verified,
    document,
    name_of,
    time_of,
    within,
)
from streams import rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.gateway.config import Endpoint
    from agents.gateway.observation import Kind

_LIVE = "video.live_stream."
# `connected` and `recording` come before anybody can watch; `disconnected` may be taken back
# within the reconnect window, and `idle` follows if it is not.
_KINDS: dict[str, Kind] = {"active": "started", "idle": "ended"}
_MOST_PARTS = 10


class Mux(Source):
    """Signed as Stripe's are: a time and a list of HMACs in one header."""

    name: ClassVar[str] = "mux"
    about: ClassVar[str] = "Mux Video: video.live_stream.active and .idle"
    sureness: ClassVar[Sureness] = "real program"
    figures: ClassVar[str] = "starts and ends; Mux tells no viewers in webhooks"

    def verify(
        self, delivery: Delivery, secrets: Sequence[bytes], endpoint: Endpoint, now: float
    ) -> Verified:
        """Check the header `mux-signature`."""
        del endpoint
        parts = delivery.required("mux-signature").split(",")
        if len(parts) > _MOST_PARTS:
            raise Unverified("malformed", f"over {_MOST_PARTS} parts in the signature's header")
        pairs = [part.partition("=")[::2] for part in parts]
        stamps = [value for name, value in pairs if name == "t"]
        if len(stamps) != 1:
            raise Unverified("malformed", "the signature's header must have one t=")
        given = [from_hex(value) for name, value in pairs if name == "v1"]
        at = unix_seconds(stamps[0])
        check_hmac(given, f"{stamps[0]}.".encode() + delivery.body, secrets)
        check_window(at, now)
        return Verified(at=at * rfc3339.SECOND)

    def read(self, delivery: Delivery, verified: Verified, endpoint: Endpoint) -> Reading:
        """Read the events of live streams; others are of no interest."""
        del verified
        body = document(delivery.body)
        named = body.get("type")
        if not isinstance(named, str):
            raise Unreadable("type: is missing")
        kind = _KINDS.get(named.removeprefix(_LIVE)) if named.startswith(_LIVE) else None
        if kind is None:
            return Reading()
        # A live stream lives on over many broadcasts; each that is recorded has an asset of its
        # own. An end may tell another one, or none: the table finds it by its time.
        asset = within(body, "data", "active_asset_id") if kind == "started" else None
        at = time_of(body.get("created_at"), "created_at")
        return Reading(
            [
                self.observe(
                    endpoint,
                    within(body, "data", "id"),
                    kind,
                    at,
                    id=name_of(body.get("id"), "id"),
                    broadcast=None if asset is None else name_of(asset, "active_asset_id"),
                    started=at if kind == "started" else None,
                )
            ]
        )
