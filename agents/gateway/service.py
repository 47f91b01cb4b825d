"""One gateway, put together: HTTP, the way to Kafka, and the agent that knows open broadcasts."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib.util
import secrets
from typing import TYPE_CHECKING, Any, Final

import mode
import structlog

from agents import logs
from agents.app import AppHealth, exact_settings
from agents.gateway.intake import Intake
from agents.gateway.metrics import GatewayMetrics
from agents.gateway.places import Places
from agents.gateway.polling.edge import Edge
from agents.gateway.polling.poller import Poller
from agents.gateway.processor import Processor, ProcessorFollowing, processor
from agents.gateway.rows import decode_row, encode_row
from agents.gateway.secrets import SecretError
from agents.gateway.sending import Sender
from agents.gateway.server import Health, Hooks, Listening
from agents.gateway.subscribing.subscribers import SUBSCRIBERS
from agents.gateway.topics import GatewayTopics, group_of
from agents.gateway.view import View
from agents.worker import Worker
from streams.errors import LiveAudienceError, PackagesMissingError
from streams.exact import ExactApp, Rows, Source

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Mapping

    from agents.gateway.config import Config
    from agents.gateway.heads import Table
    from agents.gateway.subscribing.subscriber import Subscriber
    from streams.exact import Batch
    from streams.settings import Settings

log = structlog.get_logger(__name__)

#: Senders must be answered however long Kafka is away, so the process never ends for that.
_PATIENCE: Final = 10 * 365 * 24 * 3600.0
#: What sources need beyond what is always installed: the extra `gateway`.
_PACKAGES: Final[Mapping[str, tuple[str, str]]] = {
    "livekit": ("jwt", "pyjwt"),
    "kick": ("cryptography", "cryptography"),
}


def run(settings: Settings, config: Config) -> None:
    """Run a gateway until SIGINT or SIGTERM.

    Raises:
        SystemExit: in the end; its code is 0 after a stop in good order, 1 after an error.
        LiveAudienceError: a package or a secret is missing.
    """
    logs.configure(settings)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    app = create_app(settings, config)
    Worker(app, loop=loop, loglevel="INFO", topics_checked=True).execute_from_commandline()


def intakes_of(config: Config, topics: GatewayTopics) -> dict[str, Intake]:
    """What takes the deliveries of each endpoint.

    Raises:
        LiveAudienceError: packages or secrets are missing; all of them are named.
    """
    problems = []
    intakes = {}
    for endpoint in config.endpoint:
        module, package = _PACKAGES.get(endpoint.source, ("", ""))
        if module and importlib.util.find_spec(module) is None:
            raise PackagesMissingError(
                f"endpoint {endpoint.name}: the source {endpoint.source} needs {package}: "
                "pip install 'live-audience[gateway]'"
            )
        try:
            intakes[endpoint.name] = Intake(endpoint, topics)
        except SecretError as error:
            problems.append(f"endpoint {endpoint.name}: {error}")
    if problems:
        raise LiveAudienceError("secrets are missing:\n  " + "\n  ".join(problems))
    return intakes


def edges_of(config: Config) -> dict[str, Edge]:
    """What asks the API of each poll.

    Raises:
        LiveAudienceError: secrets are missing, all of them are named; or certificates, or what a
            platform's time zone is.
    """
    problems = []
    edges = {}
    for poll in config.poll:
        poll.kind.budget(poll.units, poll.reserve)
        try:
            edges[poll.name] = Edge(poll)
        except SecretError as error:
            problems.append(f"poll {poll.name}: {error}")
    if problems:
        raise LiveAudienceError("secrets are missing:\n  " + "\n  ".join(problems))
    return edges


def subscribers_of(
    settings: Settings,
    config: Config,
    table: Table,
    partitions: Callable[[], int | None],
    sender: Sender,
    metrics: GatewayMetrics,
) -> list[Subscriber]:
    """What subscribes to the channels of each endpoint that has the table `subscribe`.

    Raises:
        LiveAudienceError: secrets are missing, all of them are named; or certificates.
    """
    problems = []
    found = []
    topic = GatewayTopics.of(settings).observations.name
    for endpoint in config.endpoint:
        if endpoint.subscribe is None:
            continue
        kind = SUBSCRIBERS[endpoint.source]
        try:
            found.append(kind(endpoint, config, table, partitions, sender, topic, metrics))
        except SecretError as error:
            problems.append(f"endpoint {endpoint.name}: subscribe: {error}")
    if problems:
        raise LiveAudienceError("secrets are missing:\n  " + "\n  ".join(problems))
    return found


def idle_subscribers(settings: Settings, config: Config) -> list[Subscriber]:
    """Subscribers that are not at work, to look at them.

    Raises:
        LiveAudienceError: as `subscribers_of`.
    """
    topics = GatewayTopics.of(settings)
    work = Processor(topics, Places(config), settings.partitioner, settings.partitions)
    return subscribers_of(
        settings,
        config,
        View(settings, topics.broadcasts.name, work, ()),
        lambda: None,
        Sender(settings),
        GatewayMetrics(config, lambda: 0, lambda: None),
    )


class Gateway(mode.Service):
    """HTTP and the way to Kafka, as one of the app's services.

    Args:
        settings: brokers and topics.
        config: the configuration in force.
        work: what knows open broadcasts.
        why_not_processing: what the agent's source still misses, or None.
        partitions: how many partitions the observations have; None while that is not known.
    """

    def __init__(
        self,
        settings: Settings,
        config: Config,
        work: Processor,
        why_not_processing: Callable[[], str | None],
        partitions: Callable[[], int | None],
    ) -> None:
        self._sender = Sender(settings)
        self._why_not_processing = why_not_processing
        self.metrics = GatewayMetrics(
            config,
            lambda: sum(map(len, work.open.values())),
            self.not_ready_reason,
        )
        intakes = intakes_of(config, GatewayTopics.of(settings))
        hooks = Hooks(config, intakes, self._sender, self.metrics)
        health = Health(self.metrics, self.not_ready_reason)
        self.listening = Listening(config, hooks.app(), health.app())
        places, edges = Places(config), edges_of(config)
        table = View(
            settings,
            GatewayTopics.of(settings).broadcasts.name,
            work,
            [poll.told for poll in config.poll],
        )
        self._pollers = [
            Poller(
                poll,
                edges[poll.name],
                self._sender,
                GatewayTopics.of(settings).observations.name,
                table,
                partitions,
                places,
                self.metrics,
                seed=secrets.token_hex(4),
            )
            for poll in config.poll
        ]
        self._table = table
        self._subscribers = subscribers_of(
            settings, config, table, partitions, self._sender, self.metrics
        )
        self._polling: list[asyncio.Task[None]] = []
        super().__init__()

    def not_ready_reason(self) -> str | None:
        """What is missing for taking webhooks and for processing them, or None."""
        reasons = (self._sender.not_ready_reason, self._why_not_processing())
        return "; ".join(filter(None, reasons)) or None

    async def on_start(self) -> None:
        """Begin to answer."""
        self._sender.start()
        await self.listening.start()
        log.info(
            "taking webhooks", port=self.listening.hooks_port, health=self.listening.health_port
        )
        asking: list[View | Poller | Subscriber] = [*self._pollers, *self._subscribers]
        if self._pollers:
            asking.append(self._table)
        self._polling = [asyncio.create_task(each.run()) for each in asking]

    async def on_stop(self) -> None:
        """Ask no more, answer what is there, then nothing."""
        for task in self._polling:
            task.cancel()
        await asyncio.gather(*self._polling, return_exceptions=True)
        await self.listening.stop()
        await self._sender.stop()


def create_app(settings: Settings, config: Config) -> ExactApp:
    """Put a gateway's app together.

    Raises:
        LiveAudienceError: a package or a secret is missing.
    """
    topics = GatewayTopics.of(settings)
    app = ExactApp(
        f"{settings.group}-gateway",
        broker="kafka://" + ";".join(settings.brokers),
    )
    app.settings_in_force = settings
    app.drain = settings.drain.total_seconds()
    group = group_of(settings)
    work = Processor(
        topics,
        Places(config),
        settings.partitioner,
        settings.partitions,
    )
    source: Source
    gateway = Gateway(
        settings,
        config,
        work,
        lambda: AppHealth(source).not_ready_reason(),
        lambda: source.partition_count(),  # noqa: PLW0108 - there is no source yet
    )
    source = Source(
        app,
        topics.observations.name,
        changelog=topics.broadcasts.name,
        outputs=[topics.events.name],
        rows=lambda: Rows(decode_row, encode_row),
        settings=dataclasses.replace(
            exact_settings(settings),
            group=group,
            transactional_id_prefix=f"{group}.",
            patience=_PATIENCE,
        ),
        listener=ProcessorFollowing(work, gateway.metrics.processed),
    )
    app.sources.append(source)
    app.services.append(gateway)

    @app.agent(source.channel, name="gateway")
    async def agent(batches: AsyncIterable[Batch[Any]]) -> None:
        await processor(batches, work)

    return app
