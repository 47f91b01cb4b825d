"""HTTP: metrics, health, the figures of this worker's broadcasts and scopes, a page for people."""

from __future__ import annotations

from agents.serving.web.connections import Limits
from agents.serving.web.health import Health
from agents.serving.web.listener import raise_file_limit
from agents.serving.web.server import HttpError, HttpServer, check_address

__all__ = ["Health", "HttpError", "HttpServer", "Limits", "check_address", "raise_file_limit"]
