"""Tokens for OAUTHBEARER: from a file, from a command, or signed for Amazon MSK."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import importlib
import re
import shlex
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
from aiokafka.abc import AbstractTokenProvider

from agents.security.words import NoTokenError, said
from streams.errors import SettingsError

if TYPE_CHECKING:
    from streams.settings import Settings

#: How long a command, or AWS, may take to give a token.
SECONDS: Final = 15.0
# A token that does not say when it expires is asked for anew after so long.
_UNKNOWN_SECONDS: Final = 60.0
# The share of a token's time after which another one is asked for.
_SHARE: Final = 0.8
# RFC 6750, section 2.1. What else there could be would forge what is around it on the wire.
_TOKEN: Final = re.compile(r"[A-Za-z0-9\-._~+/:]+=*", re.ASCII)
MSK_MODULE: Final = "aws_msk_iam_sasl_signer.MSKAuthTokenProvider"


class Token(NamedTuple):
    """A token and for how long it is given out.

    Attributes:
        text: what is sent; never shown.
        until: `time.time()` from which on another one is asked for.
    """

    text: str
    until: float


class TokenProvider(AbstractTokenProvider):
    """Gives the token as it is now."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def token(self) -> str:
        """Return the token.

        Raises:
            NoTokenError: there is none; the message says what to do.
        """
        raise NotImplementedError

    def failed(self, error: BaseException) -> str | None:
        """Say why a connection failed and what to do."""
        return said(self._settings, error)


class FileTokens(TokenProvider):
    """The token in a file, read at each login."""

    async def token(self) -> str:
        """Read it."""
        file = self._settings.security_token_file
        assert file is not None
        name = f"AUDIENCE_SECURITY_TOKEN_FILE={file}"
        try:
            text = await asyncio.to_thread(file.read_text, encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise NoTokenError(f"{name}: {error}") from error
        return checked(text, name)


class _Kept(TokenProvider):
    """Tokens that take a while to get, each given out until shortly before it expires."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._token: Token | None = None
        self._asking = asyncio.Lock()

    async def token(self) -> str:
        """Return the token that there is, or another one."""
        async with self._asking:  # many connections at once ask for it once
            if self._token is None or time.time() >= self._token.until:
                self._token = await self._new()
            return self._token.text

    def failed(self, error: BaseException) -> str | None:
        """Ask for another one after a failure, for this one may have been the reason."""
        self._token = None
        return super().failed(error)

    async def _new(self) -> Token:
        raise NotImplementedError


class CommandTokens(_Kept):
    """The token that a command writes to its standard output. It is run without a shell."""

    async def _new(self) -> Token:
        command = self._settings.security_token_command
        name = f"AUDIENCE_SECURITY_TOKEN_COMMAND={command}"
        try:
            process = await asyncio.create_subprocess_exec(
                *shlex.split(command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                # What it complains of may hold what nobody is to see.
                stderr=asyncio.subprocess.DEVNULL,
            )
        except OSError as error:
            raise NoTokenError(f"{name}: cannot be run: {error}") from error
        try:
            async with asyncio.timeout(SECONDS):
                out, _ = await process.communicate()
        except TimeoutError as error:
            raise NoTokenError(f"{name}: gave no token within {SECONDS:g} s") from error
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode:
            raise NoTokenError(
                f"{name}: ended with {process.returncode}; run it by hand to see what it says"
            )
        text = checked(out.decode("utf-8", "replace"), name)
        return Token(text, _renewed_at(expiry(text)))


class MskTokens(_Kept):
    """Tokens for Amazon MSK, signed with the AWS credentials of the surroundings.

    Raises:
        SettingsError: the library that signs them is not installed.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        try:
            self._signer: Any = importlib.import_module(MSK_MODULE)
        except ImportError as error:
            problem = (
                "AUDIENCE_SECURITY_MECHANISM=AWS_MSK_IAM: the package "
                "aws-msk-iam-sasl-signer-python is missing; install live-audience with "
                "its extra: pip install 'live-audience[msk]'"
            )
            raise SettingsError([problem]) from error

    async def _new(self) -> Token:
        region = self._settings.security_region
        try:
            async with asyncio.timeout(SECONDS):
                # Signing is quick, but the credentials may come from over the network.
                text, expires_ms = await asyncio.to_thread(self._signer.generate_auth_token, region)
        except TimeoutError as error:
            raise NoTokenError(f"AWS gave no credentials within {SECONDS:g} s") from error
        except Exception as error:  # botocore's are many, and all of them mean the same
            raise NoTokenError(
                f"no token could be signed for AUDIENCE_SECURITY_REGION={region}: "
                f"{type(error).__name__}: {error}; see that AWS credentials can be found "
                "(environment, profile or role)"
            ) from error
        return Token(text, _renewed_at(expires_ms / 1000))


def checked(text: str, name: str) -> str:
    """Return a token without the white space around it.

    Raises:
        NoTokenError: it is none; it is not shown, for it may be nearly one.
    """
    text = text.strip()
    if not _TOKEN.fullmatch(text):
        what = "is empty" if not text else "holds something else than a token (RFC 6750)"
        raise NoTokenError(f"{name}: {what}")
    return text


def expiry(token: str) -> float | None:
    """When a token expires, in seconds since 1970, if it is a JWT that says so.

    Nothing is verified: that is for the broker to do.
    """
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004 - head, claims, signature
        return None
    try:
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        claims = orjson.loads(base64.urlsafe_b64decode(padded))
    except (binascii.Error, ValueError):
        return None
    expires = claims.get("exp") if isinstance(claims, dict) else None
    return float(expires) if isinstance(expires, int | float) else None


def _renewed_at(expires: float | None) -> float:
    now = time.time()
    return now + (_UNKNOWN_SECONDS if expires is None else _SHARE * max(0.0, expires - now))
