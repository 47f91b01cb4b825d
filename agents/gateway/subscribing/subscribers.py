"""What subscribes at which platform: adding one is a file, and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agents.gateway.subscribing.hub import HubSubscriber
from agents.gateway.subscribing.kick import KickSubscriber
from agents.gateway.subscribing.twitch import TwitchSubscriber

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agents.gateway.subscribing.subscriber import Subscriber

#: By the source of the endpoint.
SUBSCRIBERS: Final[Mapping[str, type[Subscriber]]] = {
    "youtube": HubSubscriber,
    "twitch": TwitchSubscriber,
    "kick": KickSubscriber,
}
