"""The kinds of senders that the gateway knows: adding one is a file, and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agents.gateway.sources.base import Answer, Reading, Source, Verified
from agents.gateway.sources.cloudflare import Cloudflare
from agents.gateway.sources.clouds import Alibaba, Ivs, Tencent
from agents.gateway.sources.hooks import Icecast, NginxRtmp, NodeMediaServer
from agents.gateway.sources.kick import Kick
from agents.gateway.sources.livekit import LiveKit
from agents.gateway.sources.meta import Meta
from agents.gateway.sources.mux import Mux
from agents.gateway.sources.servers import MediaMtx, Owncast, Srs
from agents.gateway.sources.standard import Hmac, Standard
from agents.gateway.sources.twitch import Twitch
from agents.gateway.sources.websub import YouTube

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SOURCES", "Answer", "Reading", "Source", "Verified"]

SOURCES: Final[Mapping[str, Source]] = {
    source.name: source
    for source in (
        Standard(),
        Hmac(),
        LiveKit(),
        NginxRtmp(),
        Icecast(),
        NodeMediaServer(),
        Srs(),
        MediaMtx(),
        Owncast(),
        Cloudflare(),
        Mux(),
        Twitch(),
        Kick(),
        YouTube(),
        Tencent(),
        Alibaba(),
        Ivs(),
        Meta(),
    )
}
