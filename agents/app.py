"""The Faust app: where the way of an event is put together.

    viewer-events ──▶ Source ──▶ agent `broadcasts` ──▶ rows, summaries, refused records
                                      │    │ differences by scope
                      what is durable │    ▼
                                      │ scope-deltas ──▶ Source ──▶ agent `scopes` ▶ rows, summaries
                                      ▼
                         view of what is owned ──▶ metrics, HTTP

`faust -A agents.app worker -l info` and `live-audience worker` start the same app.
"""

from __future__ import annotations

import dataclasses
import os
import socket
from typing import TYPE_CHECKING, Any

import mode
import structlog

from agents import logs
from agents.entries import broadcast_rows, scope_rows
from agents.kafka import client_options
from agents.pipeline.broadcasts.agent import BroadcastProcessor, broadcasts
from agents.pipeline.listeners import BroadcastsListener
from agents.pipeline.scopes.agent import BATCH_RECORDS, ScopeProcessor, ScopesListener, scopes
from agents.serving.live import LiveBroadcasts, LiveScopes
from agents.serving.metrics import STAGES, Metrics
from agents.serving.web import (
    GroupClient,
    GroupOwners,
    HttpServer,
    KafkaBlocks,
    Limits,
    Stage,
    Told,
)
from agents.serving.web.access import Access, Rules, Tokens
from agents.serving.web.tls import server_tls, trusted_tls
from agents.topics.owner import OutputOwnership
from agents.topics.remedies import REMEDIES
from agents.topics.watch import TopicWatch
from streams.clock import Clock, SystemClock
from streams.errors import LiveAudienceError
from streams.exact import ExactApp, ExactSettings, Source
from streams.names import Names
from streams.settings import load
from streams.topics import Topics

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterable, Callable

    from agents.serving.web.stage import StoreT
    from streams.exact import Batch
    from streams.settings import Settings

log = structlog.get_logger(__name__)


def create_app(settings: Settings, clock: Clock | None = None) -> ExactApp:
    """Put a worker's app together.

    Args:
        settings: The settings in force.
        clock: When broadcasts become final; this machine's if not given.
    """
    clock = clock or SystemClock()
    topics = Topics.of(settings)
    names = Names.of(settings)
    app = ExactApp(
        settings.group,
        broker="kafka://" + ";".join(settings.brokers),
        Worker="agents.worker.Worker",
    )
    app.settings_in_force = settings
    app.drain = 2 * settings.drain.total_seconds()  # the two sources stop one after the other
    live = LiveBroadcasts()
    live_scopes = LiveScopes()
    ownership = OutputOwnership(settings)
    work = BroadcastProcessor(settings, topics)
    scopes_work = ScopeProcessor(settings, topics)
    metrics = Metrics(
        live,
        live_scopes,
        top=settings.top_broadcasts,
        top_scopes=settings.top_scopes,
        assigned=lambda: len(source.partitions),
        not_ready_reason=lambda: AppHealth(source, scopes_source).not_ready_reason(),
        stages=lambda: dict(zip(STAGES, (source, scopes_source), strict=True)),
        clock=clock,
    )
    counted, scopes_counted = (
        metrics.pipeline.stages.of(stage, topic.name)
        for stage, topic in zip(STAGES, (topics.events, topics.scope_deltas), strict=True)
    )
    following = BroadcastsListener(work, live, metrics, clock, ownership, counted)
    source = Source(
        app,
        topics.events.name,
        changelog=topics.broadcasts_changelog.name,
        outputs=[
            topics.rejected.name,
            topics.broadcast_summaries.name,
            *([topics.broadcast_minutes.name] if topics.broadcast_minutes else []),
            topics.scope_deltas.name,
        ],
        rows=broadcast_rows,
        settings=exact_settings(settings),
        listener=following,
        clock=clock.time,
        guard=ownership.check,
        monotonic=clock.monotonic,
        told=lambda: Told(server.advertised_url).encode(),
    )
    following.source = source
    scopes_source = Source(
        app,
        topics.scope_deltas.name,
        changelog=topics.scopes_changelog.name,
        outputs=[topics.scope_summaries.name],
        rows=scope_rows,
        settings=scopes_settings(settings),
        listener=ScopesListener(scopes_work, live_scopes, metrics.pipeline, scopes_counted, clock),
        clock=clock.time,
        guard=ownership.check,
        monotonic=clock.monotonic,
        told=lambda: Told(server.advertised_url).encode(),
    )
    app.sources.extend([source, scopes_source])
    group = GroupClient(settings)
    minutes = topics.broadcast_minutes
    blocks = None if minutes is None else KafkaBlocks(settings, minutes.name)
    server = HttpServer(
        settings.http_host,
        settings.http_port,
        broadcasts=_stage(source, live, group, names.broadcasts_group),
        scopes=_stage(scopes_source, live_scopes, group, names.scopes_group),
        exposition=metrics.exposition,
        health=AppHealth(source, scopes_source),
        partitioner=settings.partitioner,
        limits=Limits(
            connections=settings.http_connections,
            answer=settings.http_timeout.total_seconds(),
        ),
        closed=metrics.worker.http_closed,
        advertised=settings.advertised_url,
        brokers=settings.brokers,
        seconds=settings.query_timeout.total_seconds(),
        access=_access(settings),
        tls=_tls(settings),
        trusted=trusted_tls(settings.http_ca).current,
        blocks=blocks,
    )
    app.services.append(Web(server, group, blocks))

    app.services.append(TopicWatch(settings, metrics.worker.set_topic_findings))

    @app.agent(source.channel, name="broadcasts")
    async def agent(batches: AsyncIterable[Batch[Any]]) -> None:
        await broadcasts(batches, work)

    @app.agent(scopes_source.channel, name="scopes")
    async def scopes_agent(batches: AsyncIterable[Batch[Any]]) -> None:
        await scopes(batches, scopes_work)

    return app


class AppHealth:
    """How the worker is, for `/healthz` and `/readyz`."""

    def __init__(self, *sources: Source) -> None:
        self._sources = sources

    def unhealthy_reason(self) -> str | None:
        """Return what only a restart mends, or None."""
        reasons = (source.unhealthy_reason() for source in self._sources)
        return "; ".join(filter(None, reasons)) or None

    def not_ready_reason(self) -> str | None:
        """Return what is missing, or None."""
        reasons = (source.not_ready_reason() for source in self._sources)
        return "; ".join(filter(None, reasons)) or None


def _stage(source: Source, store: StoreT, client: GroupClient, group: str) -> Stage[StoreT]:
    """What the API sees of a source."""
    owners = GroupOwners(client, group, source.topic)
    return Stage(store, source.partition_count, source.is_current, owners)


def _access(settings: Settings) -> Access:
    """Who may look, as the settings say."""
    return Access(
        Rules(
            tokens=Tokens(settings.http_tokens),
            metrics_tokens=Tokens(settings.metrics_tokens),
            user=settings.http_user,
            password_hash=settings.http_password_hash.get_secret_value(),
            proxies=settings.http_proxies,
            proxy_header=settings.http_proxy_header,
            anonymous=settings.http_anonymous,
            names=settings.http_names,
        )
    )


def _tls(settings: Settings) -> Callable[[], ssl.SSLContext] | None:
    """The certificate to show; None for HTTP without TLS."""
    if settings.http_certificate is None:
        return None
    return server_tls(settings.http_certificate, settings.http_key).current


class Web(mode.Service):
    """The HTTP server as one of the app's services, with what it asks Kafka by."""

    def __init__(
        self, server: HttpServer, group: GroupClient, blocks: KafkaBlocks | None = None
    ) -> None:
        self._server = server
        self._group = group
        self._blocks = blocks
        super().__init__()

    async def on_start(self) -> None:
        """Begin to answer."""
        await self._server.start()
        log.info(
            "http server started", url=self._server.url, advertised=self._server.advertised_url
        )

    async def on_stop(self) -> None:
        """Answer no more."""
        await self._server.stop()
        await self._group.close()
        if self._blocks is not None:
            await self._blocks.close()


def exact_settings(settings: Settings) -> ExactSettings:
    """Say to the exactly-once layer what the settings say."""
    options = client_options(settings)
    names = Names.of(settings)
    return ExactSettings(
        client={name: value for name, value in options.items() if name != "client_id"},
        client_id=f"{options['client_id']}-{socket.gethostname()}-{os.getpid()}",
        group=names.broadcasts_group,
        transactional_id_prefix=f"{names.broadcasts_group}.",
        instance=settings.instance or None,
        instance_setting="AUDIENCE_INSTANCE",
        batch_records=settings.batch_records,
        batch_bytes=settings.batch_bytes,
        deadline=settings.deadline.total_seconds(),
        patience=settings.patience.total_seconds(),
        drain=settings.drain.total_seconds(),
        session_timeout=settings.session_timeout.total_seconds(),
        rebalance_timeout=settings.rebalance_timeout.total_seconds(),
        transaction_timeout=settings.transaction_timeout.total_seconds(),
        fetch_bytes=settings.fetch_bytes,
        rack=settings.client_rack or None,
        remedies=REMEDIES,
    )


def scopes_settings(settings: Settings) -> ExactSettings:
    """Say the same for the scopes' stage."""
    group = Names.of(settings).scopes_group
    return dataclasses.replace(
        exact_settings(settings),
        group=group,
        transactional_id_prefix=f"{group}.",
        batch_records=min(settings.batch_records, BATCH_RECORDS),
    )


def __getattr__(name: str) -> Any:
    """Make `agents.app.app`, for `faust -A agents.app`, when it is asked for."""
    if name != "app":
        raise AttributeError(name)
    try:
        loaded = load()
    except LiveAudienceError as error:
        # Faust would show where this was called from, at length.
        raise SystemExit(f"Error: {error}") from None
    logs.configure(loaded.settings)
    for warning in loaded.warnings:
        log.warning(warning)
    app = create_app(loaded.settings)
    globals()["app"] = app
    return app
