"""TLS of the HTTP server, and what it trusts when it asks other workers."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from agents.security.files import Reread
from streams.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path


def server_tls(certificate: Path, key: Path | None) -> Reread[ssl.SSLContext]:
    """The certificate that is shown, read anew when its files change.

    Args:
        certificate: AUDIENCE_HTTP_CERTIFICATE: PEM, with those between it and its CA.
        key: AUDIENCE_HTTP_KEY; None if it is in the same file.

    Raises:
        SettingsError: They cannot be used.
    """

    def make() -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            # (A password as text, even if there is none: else OpenSSL asks on the terminal.)
            context.load_cert_chain(certificate, key, password="")
        except (OSError, ValueError) as error:
            raise SettingsError(
                [f"AUDIENCE_HTTP_CERTIFICATE, AUDIENCE_HTTP_KEY: cannot be used: {error}"]
            ) from error
        return context

    return Reread((certificate, key), make, "certificates of HTTP")


def trusted_tls(ca: Path | None) -> Reread[ssl.SSLContext]:
    """What is trusted when other workers are asked by TLS.

    Args:
        ca: AUDIENCE_HTTP_CA: PEM; None for what the system trusts.

    Raises:
        SettingsError: It cannot be used.
    """

    def make() -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=ca)
        except (OSError, ValueError) as error:
            raise SettingsError([f"AUDIENCE_HTTP_CA={ca}: cannot be used: {error}"]) from error

    return Reread((ca,), make, "CAs of HTTP")
