"""Ports of this machine, and whether a broker answers on one.

The one question asked is Kafka's Metadata request, over a plain socket: a client library would
log the refused connections that are usual while a broker starts, and needs an event loop.
"""

from __future__ import annotations

import errno
import os
import random
import socket
import struct
from collections import deque
from typing import Final

from agents.broker.errors import EmbeddedBrokerError, PortInUseError

HOST: Final = "127.0.0.1"
# Below the ports that systems give to outgoing connections (32768 and up on Linux, 49152 on
# others). In that range a client that keeps trying a dead broker's port can come to be connected
# to itself, and then the broker cannot be started there again.
_PORTS: Final = range(20_000, 32_000)
_chosen: deque[int] = deque(maxlen=1_000)
# Length, then api 3 (Metadata), version 1, correlation id, client "ready", and no topic.
_METADATA: Final = struct.pack(">ihhih5si", 19, 3, 1, 1, 5, b"ready", 0)


def check_port(port: int) -> None:
    """Make sure that the port can be listened on.

    Raises:
        PortInUseError: it cannot; the message says why.
    """
    with socket.socket() as probe:
        if os.name == "posix":
            # As Kafka does: a port whose last connections are still closing is free. On Windows
            # the option would let us share a port that is in use.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen()
        except OSError as error:
            reason = "it is in use" if error.errno == errno.EADDRINUSE else str(error.strerror)
            raise PortInUseError(port, reason) from error


def free_port() -> int:
    """Choose a port that nobody listens on now, and that was not chosen here just before."""
    for port in random.sample(_PORTS, 100):
        # Several nodes start at once: each is to have its own, though none listens yet.
        if port in _chosen:
            continue
        _chosen.append(port)
        try:
            check_port(port)
        except PortInUseError:
            continue
        return port
    raise EmbeddedBrokerError(f"No free port on {HOST} between {_PORTS.start} and {_PORTS.stop}.")


def answers(port: int, timeout: float, brokers: int = 1) -> bool:
    """Whether a broker answers within `timeout` seconds and knows of so many, itself included."""
    try:
        with socket.create_connection((HOST, port), timeout) as connection:
            connection.settimeout(timeout)
            connection.sendall(_METADATA)
            with connection.makefile("rb") as answer:
                # Length, correlation id, and how many brokers the cluster has.
                head = answer.read(12)
    except OSError:
        return False
    size = 12
    return len(head) == size and struct.unpack(">iii", head)[2] >= brokers
