"""Passwords as hashes (scrypt, RFC 7914): made once, and compared without holding up the loop."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
from typing import Final

from agents.serving.web.responses import unavailable

#: Cost as OWASP advises for logins: 32 MiB and some 50 ms.
_LOG_N: Final = 15
_BLOCK: Final = 8
_PARALLEL: Final = 3
_SALT: Final = 16
_LENGTH: Final = 32
_MEMORY: Final = 64 * 1024 * 1024
_LONGEST: Final = 1024
#: Bounds of what a hash may ask for, so that a setting cannot stop the worker.
_LARGEST_LOG_N: Final = 17
#: Guesses that may wait for their turn: one is looked at after the other.
_WAITING: Final = 8


def hash_password(password: str) -> str:
    """The hash of a password, for AUDIENCE_HTTP_PASSWORD_HASH: nothing in it needs quoting."""
    salt = secrets.token_bytes(_SALT)
    digest = _scrypt(password.encode(), salt, _LOG_N, _BLOCK, _PARALLEL)
    return f"scrypt:{_LOG_N}:{_BLOCK}:{_PARALLEL}:{_text(salt)}:{_text(digest)}"


def _scrypt(password: bytes, salt: bytes, log_n: int, block: int, parallel: int) -> bytes:
    return hashlib.scrypt(
        password,
        salt=salt,
        n=1 << log_n,
        r=block,
        p=parallel,
        dklen=_LENGTH,
        maxmem=_MEMORY * (1 << max(0, log_n - _LOG_N)),
    )


class Passwords:
    """Compares passwords with a hash, one at a time.

    Args:
        hashed: What `hash_password` gave; empty: none is right.

    Raises:
        ValueError: It is no such hash.
    """

    def __init__(self, hashed: str) -> None:
        self._parts = read_hash(hashed) if hashed else None
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def match(self, password: bytes) -> bool:
        """Whether it is the one.

        Raises:
            ProblemError: Too many are being tried; the status is 503.
        """
        if self._parts is None or len(password) > _LONGEST:
            return False
        if self._waiting >= _WAITING:
            raise unavailable("too many passwords are being tried: ask again later")
        log_n, block, parallel, salt, digest = self._parts
        self._waiting += 1
        try:
            async with self._turn:
                found = await asyncio.to_thread(_scrypt, password, salt, log_n, block, parallel)
        finally:
            self._waiting -= 1
        return hmac.compare_digest(found, digest)


def read_hash(hashed: str) -> tuple[int, int, int, bytes, bytes]:
    """The parts of a hash: cost, block size, parallelism, salt and digest.

    Raises:
        ValueError: It is none.
    """
    kind, *parts = hashed.split(":")
    if kind != "scrypt" or len(parts) != 5:  # noqa: PLR2004  # as `hash_password` writes them
        raise ValueError("not a hash")
    log_n, block, parallel = (int(part) for part in parts[:3])
    if not (10 <= log_n <= _LARGEST_LOG_N and block == _BLOCK and 1 <= parallel <= 4):  # noqa: PLR2004  # the bounds are here
        raise ValueError("not a cost that is allowed")
    salt, digest = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in parts[3:])
    if len(digest) != _LENGTH:
        raise ValueError("not a digest")
    return log_n, block, parallel, salt, digest


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
