"""How the embedded broker is set up: on this machine alone, quick to start."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from agents.broker.ready import HOST

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Where Kafka keeps its data, inside the broker's data folder. Relative to it, for Kafka is run
#: there: a comma or a letter beyond ASCII in the folder's own path then does no harm.
STORAGE: Final = "kafka"

_MESSAGE_BYTES: Final = 8 * 1024 * 1024

_MAX_COPIES: Final = 3

_DEFAULTS: Final = {
    # Fifty partitions each by default, all of which are made at the first use.
    "offsets.topic.num.partitions": 8,
    "transaction.state.log.num.partitions": 8,
    # A topic that is written wrong shall fail, not come to be.
    "auto.create.topics.enable": "false",
    # Records of up to 8 MiB; Kafka's own batches around them are a little larger.
    "message.max.bytes": _MESSAGE_BYTES,
    "replica.fetch.max.bytes": _MESSAGE_BYTES,
    # Nobody else is going to join the group while it waits.
    "group.initial.rebalance.delay.ms": 0,
    # Tests of a worker's death wait for its session to end; Kafka's own least is 6 s.
    "group.min.session.timeout.ms": 1000,
    # After `kill -9` the node registers anew, which waits until its earlier session has ended.
    "broker.session.timeout.ms": 3000,
    "broker.heartbeat.interval.ms": 500,
    # Sized for one machine: fewer threads, a smaller buffer for compaction (128 MiB by default,
    # from the heap), and index files that do not claim 10 MiB for each small segment.
    "num.network.threads": 2,
    "num.io.threads": 4,
    "background.threads": 4,
    "log.cleaner.dedupe.buffer.size": 32 * 1024 * 1024,
    "log.index.size.max.bytes": 1024 * 1024,
}


@dataclass(frozen=True, slots=True)
class Listener:
    """One more way for clients to connect, beside the one in the clear.

    Attributes:
        name: its name, e.g. `SASL`: letters, digits and `_`.
        protocol: `SSL`, `SASL_SSL` or `SASL_PLAINTEXT`.
        config: Kafka's settings of this listener alone, without `listener.name.….` before them.
    """

    name: str
    protocol: str
    config: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Member:
    """What a node knows of the cluster that it belongs to.

    Attributes:
        node: its id, from 1.
        controllers: the port on which each node's controller listens, by the node's id.
        cluster: the cluster's id, in Kafka's form.
    """

    node: int
    controllers: Mapping[int, int]
    cluster: str


def properties(
    port: int,
    member: Member,
    overrides: Mapping[str, str],
    listeners: Mapping[Listener, int] | None = None,
    *,
    storage: str = STORAGE,
) -> str:
    """Write a node's `server.properties`.

    Args:
        port: where clients connect in the clear, and the nodes to each other.
        member: the node and its cluster.
        overrides: Kafka's own settings by name; they win over ours.
        listeners: other ways to connect, each with its port.
        storage: the folder of Kafka's data, relative to the broker's data folder.
    """
    ways: list[tuple[Listener, int]] = [
        (Listener("CLIENTS", "PLAINTEXT"), port),
        *(listeners or {}).items(),
    ]
    advertised = [f"{way.name}://{HOST}:{where}" for way, where in ways]
    controller = f"CONTROLLER://{HOST}:{member.controllers[member.node]}"
    protocols = [f"{way.name}:{way.protocol}" for way, _ in ways]
    settings: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": member.node,
        "listeners": ",".join([*advertised, controller]),
        "advertised.listeners": ",".join(advertised),
        "listener.security.protocol.map": ",".join([*protocols, "CONTROLLER:PLAINTEXT"]),
        "inter.broker.listener.name": "CLIENTS",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": ",".join(
            f"{node}@{HOST}:{where}" for node, where in member.controllers.items()
        ),
        "log.dirs": storage,
        **_copies(len(member.controllers)),
        **_DEFAULTS,
        **{
            f"listener.name.{way.name.lower()}.{name}": value
            for way, _ in ways
            for name, value in way.config.items()
        },
        **overrides,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def _copies(nodes: int) -> dict[str, int]:
    """As many copies as there are nodes, three at most, of which all but one are waited for."""
    copies = min(nodes, _MAX_COPIES)
    waited_for = max(1, copies - 1)
    return {
        "default.replication.factor": copies,
        "min.insync.replicas": waited_for,
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": waited_for,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": waited_for,
    }
