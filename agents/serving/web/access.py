"""Who may look: whoever is on this machine, or shows a token or password, or comes by a proxy.

Health is told to everybody, for probes have no secrets. Nothing else is told beyond this machine
until the settings say to whom. Whom nothing is asked of must come by one of this worker's own names
(see `hosts`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import structlog
from aiohttp import hdrs, web

from agents.serving.web.hosts import host_of, is_own
from agents.serving.web.passwords import Passwords
from agents.serving.web.responses import Problem, ProblemError
from streams.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

log = structlog.get_logger(__name__)

#: For probes.
_OPEN: Final = frozenset({"/healthz", "/readyz"})
_METRICS: Final = "/metrics"
#: So often files are looked at, in seconds.
_LOOK: Final = 1.0

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Tokens:
    """Tokens as they are now: read anew, at most once a second.

    Args:
        read: Gives them, the one to show to others first; raises SettingsError if it cannot.
        monotonic: A clock that nobody sets, in seconds.
    """

    def __init__(
        self,
        read: Callable[[], Sequence[str]] = tuple,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._monotonic = monotonic
        self._looked = monotonic()
        self._last = [token.encode() for token in read()]

    def current(self) -> list[bytes]:
        """Those in force; while they cannot be read, the last ones that could stand."""
        now = self._monotonic()
        if now - self._looked >= _LOOK:
            self._looked = now
            try:
                self._last = [token.encode() for token in self._read()] or self._last
            except SettingsError as error:
                log.warning("the tokens as they were are used", reason="; ".join(error.problems))
        return self._last

    def match(self, given: bytes) -> bool:
        """Whether it is one of them."""
        # Of one length and all of them, so that time tells nothing.
        digest = hashlib.sha256(given).digest()
        found = False
        for each in self.current():
            found |= hmac.compare_digest(digest, hashlib.sha256(each).digest())
        return found


@dataclass(frozen=True, slots=True)
class Rules:
    """Who may look.

    Attributes:
        tokens: Bearer tokens for everything.
        metrics_tokens: Such for `/metrics` alone.
        user: Who has the password; empty for nobody.
        password_hash: The hash of the password.
        proxies: Whose word is taken for who is logged in.
        proxy_header: Where they say it; empty if there are none.
        anonymous: What anybody may see.
        names: Of this worker, by which browsers come, beside its address.
    """

    tokens: Tokens = field(default_factory=Tokens)
    metrics_tokens: Tokens = field(default_factory=Tokens)
    user: str = ""
    password_hash: str = ""
    proxies: tuple[Network, ...] = ()
    proxy_header: str = ""
    anonymous: Literal["none", "metrics", "all"] = "none"
    names: tuple[str, ...] = ()


class Access:
    """Lets requests in, or not.

    Args:
        rules: Who may look.

    Attributes:
        own_names: More names of this worker, which are known once it is found.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.own_names: Callable[[], Iterable[str]] = tuple
        self._passwords = Passwords(rules.password_hash)
        # What was right once is remembered as what only this process can make of it.
        self._key = secrets.token_bytes(32)
        self._right: set[bytes] = set()
        self._closed = bool(rules.tokens.current() or rules.user or rules.proxy_header)

    def headers(self) -> dict[str, str]:
        """What this worker shows to others."""
        tokens = self._rules.tokens.current()
        return {hdrs.AUTHORIZATION: f"Bearer {tokens[0].decode()}"} if tokens else {}

    @web.middleware
    async def guard(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        """Let a request through if it may."""
        if self._is_open(request):
            if not (self._is_named(request) or await self._is_let_in(request)):
                raise _misnamed(request)
        elif not await self._is_let_in(request):
            raise self._refusal(request)
        return await handler(request)

    def _is_named(self, request: web.Request) -> bool:
        """Whether it comes by one of our names; probes and scrapes may come by any."""
        header = request.headers.get(hdrs.HOST)  # which each browser sends
        if header is None or request.path in _OPEN or request.path == _METRICS:
            return True
        return is_own(header, (*self._rules.names, *self.own_names()))

    def _is_open(self, request: web.Request) -> bool:
        path, rules = request.path, self._rules
        if path in _OPEN or rules.anonymous == "all":
            return True
        if path == _METRICS:
            if rules.anonymous == "metrics":
                return True
            if rules.metrics_tokens.current():
                return False  # it has a token of its own, on this machine too
        return not self._closed and _is_loopback(request.remote)

    async def _is_let_in(self, request: web.Request) -> bool:
        rules = self._rules
        if rules.proxy_header and request.headers.get(rules.proxy_header):
            address = _address(request.remote)
            if address is not None and any(address in network for network in rules.proxies):
                return True
        scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        shown = given.strip().encode(errors="surrogateescape")
        if scheme.lower() == "bearer":
            return rules.tokens.match(shown) or (
                request.path == _METRICS and rules.metrics_tokens.match(shown)
            )
        if scheme.lower() == "basic" and rules.user:
            return await self._is_password(shown)
        return False

    async def _is_password(self, shown: bytes) -> bool:
        """Whether it is the user and the password; a hash takes long, so a right one is kept."""
        mark = hmac.digest(self._key, shown, "sha256")
        if mark in self._right:
            return True
        try:
            user, _, password = base64.b64decode(shown, validate=True).partition(b":")
        except binascii.Error:
            return False
        right = await self._passwords.match(password)
        if right and hmac.compare_digest(user, self._rules.user.encode()):
            self._right = {mark}
            return True
        return False

    def _refusal(self, request: web.Request) -> ProblemError:
        if not self._closed and not (
            request.path == _METRICS and self._rules.metrics_tokens.current()
        ):
            return ProblemError(
                Problem(
                    title="Forbidden",
                    status=403,
                    detail="Beyond its own machine this worker tells nobody anything: "
                    "AUDIENCE_HTTP_TOKEN_FILE, AUDIENCE_HTTP_PASSWORD_HASH or "
                    "AUDIENCE_HTTP_PROXY_HEADER says who may look, AUDIENCE_HTTP_ANONYMOUS what "
                    "anybody may see.",
                )
            )
        schemes = ["Bearer"]
        if self._rules.user and request.path != _METRICS:
            schemes.insert(0, "Basic")  # browsers ask for the first that they know
        challenge = ", ".join(f'{scheme} realm="live-audience"' for scheme in schemes)
        return ProblemError(
            Problem(
                title="Unauthorized", status=401, detail="A token or a password is asked for here."
            ),
            {hdrs.WWW_AUTHENTICATE: challenge},
        )


def _misnamed(request: web.Request) -> ProblemError:
    """Whoever is led here under a strange name is told of the settings, and of nothing else."""
    named = host_of(request.headers[hdrs.HOST])[:253].encode("ascii", "backslashreplace").decode()
    return ProblemError(
        Problem(
            title="Misdirected Request",
            status=421,
            detail=f"{named} is no name of this worker, so a page of somebody else's may be asking "
            "(DNS rebinding): ask by its address, by localhost or the host in "
            "AUDIENCE_ADVERTISED_URL, or say in AUDIENCE_HTTP_NAMES that it is one. Where a token "
            "is asked for, any name is right.",
        )
    )


def _address(remote: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address((remote or "").partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def _is_loopback(remote: str | None) -> bool:
    address = _address(remote)
    return address is not None and address.is_loopback
