"""Passwords and certificates in files, read anew when the files have changed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from aiokafka.helpers import create_ssl_context

from agents.security.words import said
from streams.errors import SettingsError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence
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


T = TypeVar("T")


class Reread(Generic[T]):
    """What is made of files, made anew when one of them has changed.

    While they do not fit, the last that did stands: a certificate and its key are two files, and
    between their changes they do not fit.

    Args:
        files: The files; None for one that there is not.
        make: Makes it of them; raises SettingsError if it cannot.
        name: What it is, for the log.

    Raises:
        SettingsError: They cannot be used.
    """

    def __init__(self, files: Sequence[Path | None], make: Callable[[], T], name: str) -> None:
        self._files = files
        self._make = make
        self._name = name
        self._seen = self._state()
        self._last = make()

    def current(self) -> T:
        """It, as the files are now."""
        state = self._state()
        if state != self._seen:
            try:
                self._last = self._make()
            except SettingsError as error:
                _log.warning("the %s as they were are used: %s", self._name, error.problems[0])
            else:
                _log.info("the %s have changed and hold for new connections", self._name)
            self._seen = state
        return self._last

    def _state(self) -> list[tuple[int, int, int] | None]:
        return [_stat(file) for file in self._files]


class Tls:
    """The SSL context for our certificate and those that we trust, as their files are now.

    Raises:
        SettingsError: they cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        files = (
            settings.security_ca,
            settings.security_certificate,
            settings.security_key,
            settings.security_key_password_file,
        )
        self._context = (
            Reread(files, lambda: _context(settings), "certificates")
            if settings.security.endswith("SSL")
            else None
        )

    def current(self) -> ssl.SSLContext | None:
        """It, made anew if a file has changed; None without TLS."""
        return None if self._context is None else self._context.current()

    def failed(self, error: BaseException) -> str | None:
        """Say why a connection failed and what to do."""
        return said(self._settings, error)


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
