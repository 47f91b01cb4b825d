"""An embedded Apache Kafka for the demo, the tests and for trying things out.

It is the same Kafka as in production, so that all of them run the same path. No Java and no Docker
is needed: the Java runtime is a Python wheel, the jars come from Maven's repositories by way of a
Python package, and `kafka.lock` holds their sums. It is an extra of this package, `broker`; whoever
has a Kafka of their own names it in AUDIENCE_BROKERS and needs none of this.
"""

from agents.broker.cluster import Cluster
from agents.broker.errors import (
    BrokerDiedError,
    EmbeddedBrokerError,
    FolderInUseError,
    JarError,
    PortInUseError,
    RuntimeMissingError,
)
from agents.broker.jars import Progress, kafka_version, no_progress
from agents.broker.properties import Listener
from agents.broker.serve import serve
from agents.broker.server import Broker

__all__ = [
    "Broker",
    "BrokerDiedError",
    "Cluster",
    "EmbeddedBrokerError",
    "FolderInUseError",
    "JarError",
    "Listener",
    "PortInUseError",
    "Progress",
    "RuntimeMissingError",
    "kafka_version",
    "no_progress",
    "serve",
]
