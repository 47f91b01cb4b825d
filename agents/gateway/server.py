"""The gateway's HTTP: `/hooks/…` for senders; health and metrics on an address of their own."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
import time
from typing import TYPE_CHECKING, Final, NamedTuple, Self

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from agents.gateway.delivery import Delivery, Unverified
from agents.gateway.reaching import HEALTHY
from agents.gateway.sending import Unacknowledged
from streams.errors import LiveAudienceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prometheus_client import Counter, Gauge, Histogram

    from agents.gateway.config import Config
    from agents.gateway.intake import Intake
    from agents.gateway.metrics import GatewayMetrics
    from agents.gateway.sending import Sender
    from agents.gateway.sources import Answer

log = structlog.get_logger(__name__)

#: A body must be there after so many seconds.
_BODY_SECONDS: Final = 10.0
#: Largest line and headers of a request, in bytes.
_HEAD_BYTES: Final = 16 * 1024
#: Refusals that are logged, a second: a flood of them is in the metrics.
_LOGGED: Final = 10


class _TooLarge(Exception):
    pass


class _Counts(NamedTuple):
    """What counts every delivery of one endpoint."""

    received: Counter
    verified: Counter
    newest: Gauge
    acknowledged: Histogram

    @classmethod
    def of(cls, metrics: GatewayMetrics, endpoint: str) -> Self:
        """Those of an endpoint."""
        return cls(
            metrics.received.labels(endpoint),
            metrics.verified.labels(endpoint),
            metrics.newest.labels(endpoint),
            metrics.acknowledged.labels(endpoint),
        )


class Hooks:
    """Answers senders.

    Args:
        config: the configuration in force.
        intakes: by the names of their endpoints.
        sender: what stores.
        metrics: what counts.
        clock: seconds since 1970 UTC.
    """

    def __init__(
        self,
        config: Config,
        intakes: Mapping[str, Intake],
        sender: Sender,
        metrics: GatewayMetrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._intakes = intakes
        self._sender = sender
        self._metrics = metrics
        self._clock = clock
        self._proxies = [ipaddress.ip_network(each) for each in config.trust_proxies]
        self._busy = dict.fromkeys(intakes, 0)
        self._logged = (0, 0)
        # Looked up once: it takes a thirtieth of a delivery's time.
        self._counts = {name: _Counts.of(metrics, name) for name in intakes}

    def app(self) -> web.Application:
        """The application, for aiohttp."""
        app = web.Application()
        for path in ("/hooks/{endpoint}", "/hooks/{endpoint}/{secret}"):
            app.router.add_post(path, self.handle)
            app.router.add_get(path, self.handle, allow_head=False)
        app.router.add_get("/healthz", _healthy)
        return app

    async def handle(self, request: web.Request) -> web.Response:
        """Take one delivery."""
        intake = self._intakes.get(request.match_info["endpoint"])
        if intake is None:
            raise web.HTTPNotFound
        name = intake.endpoint.name
        self._counts[name].received.inc()
        if not intake.is_addressed(request.match_info.get("secret", "")):
            # The answer is that of an endpoint that is not there.
            self._refuse(name, "address", "the secret in the path is missing or wrong")
            raise web.HTTPNotFound
        if not intake.is_allowed(self._address_of(request)):
            self._refuse(name, "network", "the sender's address is in none of the networks")
            raise web.HTTPForbidden
        if self._busy[name] >= intake.endpoint.concurrency:
            self._refuse(name, "busy", "as many deliveries as are allowed at once are waiting")
            self._lost(intake)
            return self._failed(intake, 503)
        self._busy[name] += 1
        try:
            return await self._take(request, intake)
        finally:
            self._busy[name] -= 1

    async def _take(self, request: web.Request, intake: Intake) -> web.Response:
        name = intake.endpoint.name
        try:
            body = await _body(request, intake.endpoint.body_bytes)
        except _TooLarge:
            self._refuse(name, "large", f"the body has over {intake.endpoint.body_bytes} bytes")
            self._lost(intake)
            return self._failed(intake, 413)
        except TimeoutError:
            self._refuse(name, "slow", f"the body was not there after {_BODY_SECONDS:g} s")
            self._lost(intake)
            return self._failed(intake, 408)
        began = time.monotonic()
        try:
            headers = [
                (each.decode("ascii").lower(), value.decode("latin-1"))
                for each, value in request.raw_headers
            ]
            delivery = Delivery(
                request.method, headers, request.query_string, body, int(self._clock() * 1e6)
            )
            verified = intake.verify(delivery)
        except Unverified as error:
            self._refuse(name, error.reason, error.detail)
            return self._failed(intake, 401)
        counts = self._counts[name]
        counts.verified.inc()
        counts.newest.set(self._clock())
        taken = intake.take(delivery, verified)
        if taken.unmapped:
            self._metrics.unmapped.labels(name).inc()
            log.warning("a webhook could not be mapped", endpoint=name, reason=taken.unmapped)
        if taken.warning:
            self._metrics.warnings.labels(name).inc()
            log.warning("a sender warns", endpoint=name, warning=taken.warning)
        if taken.clamped:
            self._metrics.clamped.labels(name).inc(taken.clamped)
        if taken.outputs:
            try:
                await self._sender.send(
                    taken.outputs, intake.endpoint.ack_seconds, lambda: self._lost(intake)
                )
            except Unacknowledged:
                self._metrics.unacknowledged.labels(name).inc()
                return self._failed(intake, 503)
            counts.acknowledged.observe(time.monotonic() - began)
        return _response(taken.answer)

    def _lost(self, intake: Intake) -> None:
        if intake.source.goes_on:
            self._metrics.lost.labels(intake.endpoint.name).inc()

    @staticmethod
    def _failed(intake: Intake, status: int) -> web.Response:
        """The answer when something is wrong: where it decides over the show, that goes on."""
        if intake.source.goes_on:
            return _response(intake.source.go_on)
        headers = {"Retry-After": "5"} if status == web.HTTPServiceUnavailable.status_code else {}
        return web.Response(status=status, headers=headers)

    def _refuse(self, endpoint: str, reason: str, detail: str) -> None:
        self._metrics.refused.labels(endpoint, reason).inc()
        second = int(time.monotonic())
        count = self._logged[1] + 1 if self._logged[0] == second else 1
        self._logged = (second, count)
        if count <= _LOGGED:
            log.warning("a webhook was refused", endpoint=endpoint, reason=reason, detail=detail)

    def _address_of(self, request: web.Request) -> str:
        """The sender's address: from a proxy that is trusted, the last one that it names."""
        address = request.remote or ""
        # All lines of it: the first one may be the stranger's own, with the proxy's behind it.
        line = ",".join(request.headers.getall("X-Forwarded-For", []))
        for header in reversed(line.split(",")):
            try:
                is_proxy = any(ipaddress.ip_address(address) in each for each in self._proxies)
            except ValueError:
                return address
            if not is_proxy or not header.strip():
                return address
            address = header.strip()
        return address


class Health:
    """Health and metrics.

    Args:
        metrics: what is exported.
        not_ready_reason: what is missing, or None.
    """

    def __init__(self, metrics: GatewayMetrics, not_ready_reason: Callable[[], str | None]) -> None:
        self._metrics = metrics
        self._not_ready_reason = not_ready_reason

    def app(self) -> web.Application:
        """The application, for aiohttp."""
        app = web.Application()
        app.router.add_get("/healthz", _healthy)
        app.router.add_get("/readyz", self._ready)
        app.router.add_get("/metrics", self._scrape)
        return app

    async def _ready(self, request: web.Request) -> web.Response:
        del request
        why = self._not_ready_reason()
        return web.Response(text=f"{why or 'ready'}\n", status=503 if why else 200)

    async def _scrape(self, request: web.Request) -> web.Response:
        del request
        return web.Response(
            body=generate_latest(self._metrics.registry),
            headers={"Content-Type": CONTENT_TYPE_LATEST},
        )


class Listening:
    """Both addresses, served.

    Args:
        config: where.
        hooks: for senders.
        health: for operators.

    Attributes:
        hooks_port: the port that senders reach; known from the start on.
        health_port: the port of health and metrics; likewise.
    """

    def __init__(self, config: Config, hooks: web.Application, health: web.Application) -> None:
        self._config = config
        self._runners = [
            web.AppRunner(
                app,
                access_log=None,
                max_line_size=_HEAD_BYTES,
                max_field_size=_HEAD_BYTES,
                keepalive_timeout=30,
            )
            for app in (hooks, health)
        ]
        self.hooks_port = 0
        self.health_port = 0

    async def start(self) -> None:
        """Begin to answer.

        Raises:
            LiveAudienceError: an address cannot be had, or the certificate cannot be read.
        """
        config = self._config
        hooks, health = self._runners
        self.hooks_port = await _serve(hooks, config.host, config.port, tls_of(config))
        self.health_port = await _serve(health, config.health_host, config.health_port, None)

    async def stop(self) -> None:
        """Let deliveries that are there come to their end, and answer no more."""
        for runner in self._runners:
            await runner.cleanup()


def tls_of(config: Config) -> ssl.SSLContext | None:
    """The TLS that the configuration asks for.

    Raises:
        LiveAudienceError: its files cannot be read.
    """
    if config.tls_certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(config.tls_certificate, config.tls_key)
    except OSError as error:
        raise LiveAudienceError(
            f"tls_certificate={config.tls_certificate}, tls_key={config.tls_key}: {error}"
        ) from error
    return context


async def _serve(runner: web.AppRunner, host: str, port: int, tls: ssl.SSLContext | None) -> int:
    await runner.setup()
    site = web.TCPSite(runner, host, port, ssl_context=tls)
    try:
        await site.start()
    except OSError as error:
        raise LiveAudienceError(f"{host}:{port} cannot be served: {error}") from error
    found: int = runner.addresses[0][1]
    return found


async def _body(request: web.Request, most: int) -> bytes:
    if (request.content_length or 0) > most:
        raise _TooLarge
    content = request.content
    if content.is_eof() and content.exception() is None:
        # It came together with its headers, as nearly all do: nothing is waited for.
        whole = content.read_nowait()
        if len(whole) > most:
            raise _TooLarge
        return whole
    body = bytearray()
    async with asyncio.timeout(_BODY_SECONDS):
        async for chunk in content.iter_any():
            body += chunk
            if len(body) > most:
                raise _TooLarge
    return bytes(body)


async def _healthy(request: web.Request) -> web.Response:
    del request
    return web.Response(text=HEALTHY)


def _response(answer: Answer) -> web.Response:
    return web.Response(
        status=answer.status,
        body=answer.body,
        content_type=answer.content_type,
        headers=answer.headers,
    )
