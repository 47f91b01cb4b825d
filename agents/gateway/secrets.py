"""Secrets of endpoints: from files or the environment, two at once, read anew when changed."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

import structlog

from agents.gateway.sources.kick import public_key
from agents.gateway.sources.standard import standard_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agents.gateway.config import Endpoint, SecretFrom

log = structlog.get_logger(__name__)

#: A file is looked at again after so many seconds.
_LOOK: Final = 1.0
_LARGEST: Final = 64 * 1024
#: Characters that a secret has at least.
_SHORTEST: Final = 10
_SHORTEST_IN_PATH: Final = 16


class SecretError(ValueError):
    """A secret cannot be had; the message names its place, never what is there."""


def read(place: SecretFrom) -> bytes:
    """The secret that is at a place, without white space around it.

    Raises:
        SecretError: there is none.
    """
    if place.env is not None:
        value = os.environ.get(place.env, "").strip().encode()
    else:
        assert place.file is not None, "the configuration was checked"
        try:
            with place.file.open("rb") as file:
                value = file.read(_LARGEST).strip()
        except OSError as error:
            raise SecretError(f"{place}: {error.strerror or error}") from None
    if not value:
        raise SecretError(f"{place}: is empty")
    return value


class Kept:
    """The secrets of one list: files are read anew when they have changed.

    While a changed file cannot be read, or holds what is no secret, the former one stays.

    Args:
        places: where they are.
        check: raises ValueError for what is no such secret.
        monotonic: a clock that nobody sets, in seconds.

    Raises:
        SecretError: one of them cannot be had.
    """

    def __init__(
        self,
        places: Sequence[SecretFrom],
        check: Callable[[bytes], object],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._places = places
        self._check = check
        self._monotonic = monotonic
        self._looked = monotonic()
        self._states = [_state(place) for place in places]
        self._values = [self._read(place) for place in places]

    def current(self) -> Sequence[bytes]:
        """Those in force."""
        now = self._monotonic()
        if now - self._looked >= _LOOK:
            self._looked = now
            for number, place in enumerate(self._places):
                state = _state(place)
                if state == self._states[number]:
                    continue
                try:
                    self._values[number] = self._read(place)
                except SecretError as error:
                    log.warning("a changed secret was not taken", reason=str(error))
                else:
                    log.info("a secret was read anew", place=str(place))
                self._states[number] = state
        return self._values

    def _read(self, place: SecretFrom) -> bytes:
        value = read(place)
        try:
            self._check(value)
        except ValueError as error:
            raise SecretError(f"{place}: {error}") from None
        return value


def _state(place: SecretFrom) -> tuple[int, int, int] | None:
    if place.file is None:
        return None
    try:
        found = place.file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def check_secret(endpoint: Endpoint) -> Callable[[bytes], object]:
    """What tells whether a secret fits an endpoint's source: it raises ValueError."""
    checks: dict[str, Callable[[bytes], object]] = {
        "standard-webhooks": standard_secret,
        "kick": public_key,
        "livekit": _key_and_secret,
    }
    return checks.get(endpoint.source, _long_enough)


def check_path_secret(value: bytes) -> None:
    """Does nothing for a secret that may stand in an address.

    Raises:
        ValueError: it is short, or has characters that would be escaped.
    """
    text = value.decode(errors="replace")
    if len(text) < _SHORTEST_IN_PATH:
        raise ValueError(f"must have at least {_SHORTEST_IN_PATH} characters")
    if not all(each.isascii() and (each.isalnum() or each in "-_") for each in text):
        raise ValueError("must be of A-Z, a-z, 0-9, - and _")


def _long_enough(value: bytes) -> None:
    if len(value) < _SHORTEST:
        raise ValueError(f"must have at least {_SHORTEST} characters")


def _key_and_secret(value: bytes) -> None:
    key, colon, secret = value.partition(b":")
    if not (key and colon and len(secret) >= _SHORTEST and value.isascii()):
        raise ValueError("must be the API key and its secret, as KEY:SECRET")
