"""Checks that several sources share: signatures in constant time, and the replay window."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from typing import TYPE_CHECKING, Final

from agents.gateway.delivery import Unverified

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Either way, in seconds: what Stripe, Mux, Svix and Standard Webhooks use.
WINDOW: Final = 300
_SECONDS: Final = re.compile(r"[0-9]{1,11}", re.ASCII)


def unix_seconds(text: str) -> int:
    """A time that is written as whole seconds since 1970 UTC.

    Raises:
        Unverified: it is not.
    """
    if not _SECONDS.fullmatch(text):
        raise Unverified("malformed", "the time is no whole number of seconds")
    return int(text)


def check_window(at: float, now: float, window: float = WINDOW) -> None:
    """Does nothing for a time that is near to now.

    Args:
        at: when the sender says it signed, in seconds since 1970 UTC.
        now: the time at which it came.
        window: how far apart they may be, either way.

    Raises:
        Unverified: it is too old or too far ahead.
    """
    if abs(now - at) > window:
        ago = round(now - at)
        age_text = f"{ago} s old" if ago >= 0 else f"{-ago} s ahead"
        raise Unverified("time", f"it was signed {age_text}, over the {window:g} s allowed")


def check_hmac(
    given: Iterable[bytes], signed: bytes, secrets: Sequence[bytes], digest: str = "sha256"
) -> None:
    """Does nothing if one of the signatures fits one of the secrets.

    All pairs are compared, so the time tells nothing about which of them fitted.

    Args:
        given: signatures, decoded.
        signed: what was signed.
        secrets: those in force: two while one is being replaced.
        digest: a name that `hashlib` knows.

    Raises:
        Unverified: none fits.
    """
    given = list(given)
    fits = False
    for secret in secrets:
        wanted = hmac.digest(secret, signed, digest)
        for each in given:
            fits |= hmac.compare_digest(wanted, each)
    if not fits:
        raise Unverified("signature", "no signature fits a secret of this endpoint")


def from_hex(text: str) -> bytes:
    """The bytes of lower-case hexadecimal digits.

    Raises:
        Unverified: other characters are in it. (Upper case is refused too: one signature has one
            way to be written, so a changed byte is always a changed signature.)
    """
    if len(text) % 2 or not re.fullmatch(r"[0-9a-f]*", text, re.ASCII):
        raise Unverified("malformed", "the signature is not in lower-case hexadecimal")
    return bytes.fromhex(text)


def from_base64(text: str) -> bytes:
    """The bytes of Base64, in its one canonical form.

    Raises:
        Unverified: it is not: other characters, missing padding, or spare bits that are set.
    """
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Unverified("malformed", "the signature is not in Base64") from None
    if base64.b64encode(decoded).decode() != text:
        raise Unverified("malformed", "the signature is not in canonical Base64")
    return decoded
