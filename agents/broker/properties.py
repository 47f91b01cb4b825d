"""How the embedded broker is set up: one node, on this machine alone, quick to start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Where Kafka keeps its data, inside the broker's data folder. Relative to it, for Kafka is run
#: there: a comma or a letter beyond ASCII in the folder's own path then does no harm.
STORAGE: Final = "kafka"

_MESSAGE_BYTES: Final = 8 * 1024 * 1024

_DEFAULTS: Final = {
    # One node can hold one replica.
    "default.replication.factor": 1,
    "min.insync.replicas": 1,
    "offsets.topic.replication.factor": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
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


def properties(
    port: int, controller_port: int, overrides: Mapping[str, str], *, storage: str = STORAGE
) -> str:
    """Write the broker's `server.properties`.

    Args:
        port: where clients connect, on 127.0.0.1.
        controller_port: where the node's two roles talk to each other, on 127.0.0.1.
        overrides: Kafka's own settings by name; they win over ours.
        storage: the folder of Kafka's data, relative to the broker's data folder.
    """
    settings: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "listeners": f"CLIENTS://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"CLIENTS://127.0.0.1:{port}",
        "listener.security.protocol.map": "CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "CLIENTS",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "log.dirs": storage,
        **_DEFAULTS,
        **overrides,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())
