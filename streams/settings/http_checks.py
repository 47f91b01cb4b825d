"""What the settings of HTTP must have in common."""

from __future__ import annotations

import os
from ipaddress import ip_address
from typing import TYPE_CHECKING

from streams.settings.conflict import Conflict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streams.settings.fields import Fields


def http_conflicts(settings: Fields) -> Iterator[Conflict]:
    """What cannot work."""
    for name in ("http_token", "metrics_token"):
        if getattr(settings, name).get_secret_value() and getattr(settings, f"{name}_file"):
            yield Conflict(
                (f"{name}_file", name),
                f"AUDIENCE_{name.upper()}_FILE and AUDIENCE_{name.upper()}: give one of them",
            )
    hashed = bool(settings.http_password_hash.get_secret_value())
    for one, other in (
        ("http_user", "http_password_hash"),
        ("http_proxy_header", "http_proxies"),
    ):
        there = {
            "http_user": bool(settings.http_user),
            "http_password_hash": hashed,
            "http_proxy_header": bool(settings.http_proxy_header),
            "http_proxies": bool(settings.http_proxies),
        }
        if there[one] is not there[other]:
            missing, given = (other, one) if there[one] else (one, other)
            yield Conflict(
                (missing, given),
                f"AUDIENCE_{missing.upper()} is empty: AUDIENCE_{given.upper()} needs it",
            )
    if (hashed or settings.http_proxy_header) and not _has_token(settings):
        yield Conflict(
            ("http_token_file", "http_password_hash", "http_proxy_header"),
            "AUDIENCE_HTTP_TOKEN_FILE is empty: workers ask each other, and show a token for it "
            "where not everybody may look",
        )
    if settings.http_key and not settings.http_certificate:
        yield Conflict(
            ("http_certificate", "http_key"),
            "AUDIENCE_HTTP_CERTIFICATE is empty: AUDIENCE_HTTP_KEY is the key of which?",
        )
    for name in (
        "http_token_file",
        "metrics_token_file",
        "http_certificate",
        "http_key",
        "http_ca",
    ):
        path: Path | None = getattr(settings, name)
        if path is not None and not (path.is_file() and os.access(path, os.R_OK)):
            yield Conflict(
                (name,), f"AUDIENCE_{name.upper()}={path}: must be a file that can be read"
            )


def http_doubts(settings: Fields) -> Iterator[Conflict]:
    """What works, but seldom as it was meant."""
    if not _is_local(settings.http_host) and not _has_token(settings):
        if settings.http_anonymous != "all":
            yield Conflict(
                ("http_token_file", "http_host", "http_anonymous"),
                f"AUDIENCE_HTTP_HOST={settings.http_host}: beyond this machine nobody is told "
                "figures, other workers neither: set AUDIENCE_HTTP_TOKEN_FILE (docs/security.md)",
            )
    elif _has_token(settings) and settings.http_anonymous == "all":
        yield Conflict(
            ("http_anonymous", "http_token", "http_token_file"),
            "AUDIENCE_HTTP_ANONYMOUS=all: everybody may look, so that nobody is asked for a token",
        )


def _has_token(settings: Fields) -> bool:
    return bool(settings.http_token.get_secret_value() or settings.http_token_file)


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
