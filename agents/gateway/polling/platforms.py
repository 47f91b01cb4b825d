"""The APIs that can be polled: adding one is a file, and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agents.gateway.polling.kick import Kick
from agents.gateway.polling.peertube import PeerTube
from agents.gateway.polling.twitch import Twitch
from agents.gateway.polling.youtube import YouTube

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agents.gateway.polling.platform import PolledPlatform

PLATFORMS: Final[Mapping[str, PolledPlatform]] = {
    platform.name: platform for platform in (YouTube(), Twitch(), Kick(), PeerTube())
}
