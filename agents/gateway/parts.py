"""What parts of the configuration have in common."""

from __future__ import annotations

import ipaddress
from pathlib import Path  # noqa: TC003 - pydantic looks at it
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

_SLUG: Final = r"^[a-z0-9][a-z0-9-]*$"
Slug = Annotated[str, Field(pattern=_SLUG, max_length=64)]
Platform = Annotated[str, Field(pattern=_SLUG, max_length=32)]


class Part(BaseModel):
    """A part of the configuration: what it does not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SecretFrom(Part):
    """Where a secret is: a file, or a variable of the environment."""

    file: Path | None = None
    env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.file is None) == (self.env is None):
            raise ValueError("give either file or env")
        return self

    def __str__(self) -> str:
        """Name the place, never what is there."""
        return f"file {self.file}" if self.file else f"environment {self.env}"


def wrong_base(address: str) -> str | None:
    """Why nothing may be asked at an address, or None."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        return str(error)
    if parts.scheme not in {"https", "http"} or not host:
        return "must be https://HOST or https://HOST:PORT"
    if parts.path not in {"", "/"} or parts.query or parts.fragment or parts.username is not None:
        return "must be no more than https://HOST or https://HOST:PORT"
    if parts.scheme == "http" and not _is_here(host):
        return "must begin with https://, for keys are sent there"
    return None


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
