"""Gateways that poll, without Kafka: the table of open broadcasts in memory, and a clock of ours."""

import asyncio
from collections import defaultdict

from agents.gateway import observation, table
from agents.gateway.config import Config
from agents.gateway.heads import Head
from agents.gateway.metrics import GatewayMetrics
from agents.gateway.places import Places
from agents.gateway.polling.edge import Edge
from agents.gateway.polling.poller import Poller
from agents.gateway.sending import Unacknowledged
from agents.gateway.table import Channel
from streams.routing import partition_for

PARTITIONS = 12


class Clock:
    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


class Control:
    """What Kafka and the agent are to pollers: observations in, rows and viewer events out."""

    def __init__(self):
        self.rows = {}
        self.events = []
        self.away = False

    async def send(self, outputs, seconds, lost):
        if self.away:
            raise Unacknowledged
        for output in outputs:
            self.take(observation.decode(output.value))

    def take(self, seen):
        row = self.rows.setdefault(seen.key, Channel(seen.endpoint, seen.platform, seen.channel))
        self.events += table.apply(row, seen) or []

    def by_broadcast(self):
        found = defaultdict(list)
        for event in self.events:
            found[event.broadcast].append(event)
        return found


class Part:
    """The partitions of one gateway."""

    def __init__(self, control, owned):
        self.control = control
        self.owned = set(owned)

    def heads_of(self, endpoint):
        return {
            row.channel: head
            for key, row in self.control.rows.items()
            if row.endpoint == endpoint
            and partition_for(key, PARTITIONS) in self.owned
            and (head := Head.of(row)) is not None
        }


class Gateway:
    """The pollers of one gateway."""

    def __init__(self, config, control, clock, owned=range(PARTITIONS), seed=""):
        self.config = config
        self.clock = clock
        self.part = Part(control, owned)
        self.metrics = GatewayMetrics(config, lambda: 0, lambda: None)
        self.edges = [Edge(poll) for poll in config.poll]
        self.pollers = [
            Poller(
                poll,
                edge,
                control,
                "observations",
                self.part,
                lambda: PARTITIONS,
                Places(config),
                self.metrics,
                seed=seed,
                clock=clock,
            )
            for poll, edge in zip(config.poll, self.edges, strict=True)
        ]

    async def __aenter__(self):
        for edge in self.edges:
            await edge.start()
        return self

    async def __aexit__(self, *error):
        for edge in self.edges:
            await edge.stop()

    async def step(self):
        await asyncio.gather(
            *(poller.make(call) for poller in self.pollers for call in poller.due())
        )

    def value(self, name, **labels):
        return self.metrics.registry.get_sample_value(name, labels)


async def run(clock, gateways, seconds, *, step=1.0, each=lambda: None):
    """Let time pass."""
    for _ in range(int(seconds / step)):
        each()
        for gateway in gateways:
            await gateway.step()
        clock.now += step


def config_of(*polls, **more):
    return Config.model_validate({"poll": polls, **more})
