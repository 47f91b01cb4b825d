"""HTTP: metrics, health, the figures of this worker's broadcasts and scopes, a page for people."""

from __future__ import annotations

from agents.web.connections import Limits
from agents.web.health import Health
from agents.web.listener import raise_file_limit
from agents.web.server import HttpError, HttpServer, check_address

__all__ = ["Health", "HttpError", "HttpServer", "Limits", "check_address", "raise_file_limit"]
