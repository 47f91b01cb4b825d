"""Passwords and tokens as they are now: from their setting, or from its file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import SecretStr

PREFIX: Final = "AUDIENCE_"


class SecretValues:
    """What the settings know of secrets: a field `x` and its file, `x_file`."""

    def password(self) -> str:
        """The password to log in with, read from its file if it is in one.

        Raises:
            SettingsError: the file cannot be read, or is empty.
        """
        return self._secret("security_password")

    def key_password(self) -> str:
        """The password of our certificate's key, read from its file if it is in one; may be empty.

        Raises:
            SettingsError: the file cannot be read, or is empty.
        """
        return self._secret("security_key_password")

    def http_tokens(self) -> list[str]:
        """The tokens with which one may look, the one to show to others first.

        Raises:
            SettingsError: their file cannot be read, or is empty.
        """
        return self._secret("http_token").split()

    def metrics_tokens(self) -> list[str]:
        """The tokens for the metrics alone.

        Raises:
            SettingsError: their file cannot be read, or is empty.
        """
        return self._secret("metrics_token").split()

    def _secret(self, field: str) -> str:
        file: Path | None = getattr(self, f"{field}_file")
        if file is None:
            given: SecretStr = getattr(self, field)
            return given.get_secret_value()
        name = f"{PREFIX}{field.upper()}_FILE={file}"
        try:
            text = file.read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise SettingsError([f"{name}: {error.strerror or error}"]) from error
        except UnicodeDecodeError as error:
            # (The error itself shows what it met.)
            raise SettingsError([f"{name}: is no UTF-8 text"]) from error
        if not text:
            raise SettingsError([f"{name}: is empty"])
        return text
