"""Cloudflare Stream: notifications of its live inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from agents.gateway.sources.base import Reading, Sureness, Verified, document, time_of, within
from agents.gateway.sources.hooks import Unsigned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agents.gateway.config import Endpoint
    from agents.gateway.delivery import Delivery
    from agents.gateway.observation import Kind


class Cloudflare(Unsigned):
    """It signs nothing: its header `cf-webhook-auth` is a secret that is sent along, as a path is.

    It asks for no permission, so that it is told when something is wrong.
    """

    name: ClassVar[str] = "cloudflare-stream"
    about: ClassVar[str] = "Cloudflare Stream: live_input.connected and .disconnected"
    sureness: ClassVar[Sureness] = "documentation"
    figures: ClassVar[str] = "starts and ends; its notifications tell no viewers"
    goes_on: ClassVar[bool] = False

    _PRESENT: ClassVar[int] = 0
    _KINDS: Final[Mapping[str, Kind]] = {
        "live_input.connected": "started",
        "live_input.disconnected": "ended",
    }

    def read(self, delivery: Delivery, verified: Verified, endpoint: Endpoint) -> Reading:
        """Read the JSON of a notification; the one by which it tries an address says nothing."""
        del verified
        body = document(delivery.body)
        event = within(body, "data", "event_type")
        channel = within(body, "data", "input_id")
        if event == "live_input.errored":
            return Reading(warning=f"Cloudflare could not take the input {str(channel)[:64]!a}")
        kind = self._KINDS.get(event) if isinstance(event, str) else None
        if kind is None:
            return Reading()
        at = time_of(within(body, "data", "updated_at"), "data.updated_at")
        return Reading([self.observe(endpoint, channel, kind, at, resume=endpoint.resume_seconds)])
