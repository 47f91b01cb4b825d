"""Passwords and certificates in files, read anew when the files have changed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from aiokafka.helpers import create_ssl_context

from agents.security.words import said
from streams.errors import SettingsError

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    from streams.settings import Settings

_log: Final = logging.getLogger(__name__)
_TLS_NAMES: Final = ", ".join(
    f"AUDIENCE_SECURITY_{part}" for part in ("CA", "CERTIFICATE", "KEY", "KEY_PASSWORD")
)


class Password:
    """The password to log in with, as it is now.

    Raises:
        SettingsError: it is in a file that cannot be read, or that is empty.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._last = settings.password()

    def current(self) -> str:
        """Read it; while its file cannot be read, the last one that could stands."""
        try:
            self._last = self._settings.password()
        except SettingsError as error:
            _log.warning("the password as it was is used: %s", "; ".join(error.problems))
        return self._last

    def failed(self, error: BaseException) -> str | None:
        """Say why a connection failed and what to do."""
        return said(self._settings, error)


class Tls:
    """The SSL context for our certificate and those that we trust, as their files are now.

    Raises:
        SettingsError: they cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._seen = self._state()
        self._last = _context(settings) if settings.security.endswith("SSL") else None

    def current(self) -> ssl.SSLContext | None:
        """Make it anew if a file has changed; while they do not fit, the last one stands.

        A certificate and its key are two files, and between their changes they do not fit.
        """
        state = self._state()
        if state != self._seen and self._last is not None:
            try:
                self._last = _context(self._settings)
            except SettingsError as error:
                _log.warning("the certificates as they were are used: %s", error.problems[0])
            else:
                _log.info("the certificates have changed and hold for new connections")
            self._seen = state
        return self._last

    def failed(self, error: BaseException) -> str | None:
        """Say why a connection failed and what to do."""
        return said(self._settings, error)

    def _state(self) -> list[tuple[int, int, int] | None]:
        settings = self._settings
        files = (
            settings.security_ca,
            settings.security_certificate,
            settings.security_key,
            settings.security_key_password_file,
        )
        return [_stat(file) for file in files]


def _stat(file: Path | None) -> tuple[int, int, int] | None:
    """What differs once a file was written or another was put in its place."""
    if file is None:
        return None
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def _context(settings: Settings) -> ssl.SSLContext:
    try:
        context: ssl.SSLContext = create_ssl_context(
            cafile=settings.security_ca,
            certfile=settings.security_certificate,
            keyfile=settings.security_key,
            # A text even if there is none: else OpenSSL asks for it on the terminal.
            password=settings.key_password(),
        )
    except (OSError, ValueError) as error:
        raise SettingsError([f"{_TLS_NAMES}: cannot be used as they are: {error}"]) from error
    return context
