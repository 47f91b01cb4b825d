"""Gateways that poll, without Kafka: the table of broadcasts in memory, and a clock of ours."""

import asyncio
import functools
from collections import defaultdict

from agents.gateway import observation, table
from agents.gateway.config import Config
from agents.gateway.heads import Head
from agents.gateway.ledger import Ledger
from agents.gateway.metrics import GatewayMetrics
from agents.gateway.places import Places
from agents.gateway.polling.edge import Edge
from agents.gateway.polling.poller import Poller
from agents.gateway.rows import Channel
from agents.gateway.sending import Unacknowledged
from streams.routing import partition_for

PARTITIONS = 12


@functools.cache
def partition_of(key):
    return partition_for(key, PARTITIONS)


class Clock:
    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


class Control:
    """What Kafka and the agent are to pollers: observations in, rows and viewer events out."""

    def __init__(self):
        self.rows = {}
        self.heads = defaultdict(dict)
        self.version = 0
        self.taken = 0
        self.events = []
        self.away = False

    async def send(self, outputs, seconds, lost):
        if self.away:
            raise Unacknowledged
        for output in outputs:
            self.take(observation.decode(output.value))

    def take(self, seen):
        self.taken += 1
        row = self.rows.setdefault(seen.key, Channel(seen.endpoint, seen.platform, seen.channel))
        self.events += table.apply(row, seen) or []
        if row.broadcasts:
            heads, head = self.heads[row.endpoint], Head.of(row)
            before = heads.get(row.channel)
            self.version += before is None or before.is_open != head.is_open
            heads[row.channel] = head

    def by_broadcast(self):
        found = defaultdict(list)
        for event in self.events:
            found[event.broadcast].append(event)
        return found


class Part:
    """The partitions of one gateway, and the heads of all."""

    is_complete = True

    def __init__(self, control, owned):
        self.control = control
        self.owned = set(owned)
        self._ledger = (), Ledger()

    @property
    def ledger(self):
        seen = self.control.taken, *sorted(self.owned)
        if self._ledger[0] != seen:
            self._ledger = seen, Ledger()
            for key, row in self.control.rows.items():
                if partition_of(key) in self.owned:
                    self._ledger[1].note(partition_of(key), key, row)
        return self._ledger[1]

    @property
    def version(self):
        return hash((self.control.version, *sorted(self.owned)))

    def heads_of(self, endpoint):
        return self.control.heads[endpoint]


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
