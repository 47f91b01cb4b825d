"""HTTP: metrics, health, the figures of broadcasts and scopes, a page for people."""

from __future__ import annotations

from agents.serving.web.blocks import KafkaBlocks
from agents.serving.web.connections import Limits
from agents.serving.web.health import Health
from agents.serving.web.listener import raise_file_limit
from agents.serving.web.owners import GroupClient, GroupOwners, Told
from agents.serving.web.server import HttpError, HttpServer, check_address
from agents.serving.web.stage import Stage

__all__ = [
    "GroupClient",
    "GroupOwners",
    "Health",
    "HttpError",
    "HttpServer",
    "KafkaBlocks",
    "Limits",
    "Stage",
    "Told",
    "check_address",
    "raise_file_limit",
]
