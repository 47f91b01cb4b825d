"""The body of `live-audience broker`: one broker, or some nodes of one, in the foreground."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING

import click

from agents.broker.cluster import Cluster
from agents.broker.errors import BrokerDiedError
from agents.broker.jars import kafka_version, no_progress
from agents.broker.server import Broker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from agents.broker.jars import Progress


async def serve(
    data: Path,
    port: int = 9092,
    heap: str = "512m",
    nodes: int = 1,
    *,
    progress: Progress = no_progress,
    say: Callable[[str], None] = click.echo,
) -> None:
    """Run an Apache Kafka until SIGINT or SIGTERM, and then stop it in order.

    Args:
        data: folder of its data and log; made if missing, found again the next time.
        port: where clients connect on 127.0.0.1; 0 takes a free one.
        heap: the most that its Java heap may grow to, as Java writes it; that of each node.
        nodes: how many nodes; the second one listens one port higher, and so on.
        progress: told of the steps of the start.
        say: prints a line; the first one holds the address for clients.

    Raises:
        EmbeddedBrokerError: it cannot be started here, or it died.
    """
    task = asyncio.current_task()
    assert task is not None
    stopping = False

    def stop() -> None:
        nonlocal stopping
        if not stopping:  # a second Ctrl-C would break off the orderly stop
            stopping = True
            task.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Windows has no such handlers; there asyncio itself cancels the task on Ctrl-C.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop)
    try:
        broker: Broker | Cluster = (
            Broker(data, port, heap, progress=progress)
            if nodes == 1
            else Cluster(data, nodes, port, heap, progress=progress)
        )
        async with broker:
            say(f"Apache Kafka {kafka_version()} answers at {broker.bootstrap}")
            say(f"Its data and its log are in {broker.data}; Ctrl-C stops it.")
            await broker.ended()
            raise BrokerDiedError("Apache Kafka ended by itself", broker.last_lines())
    except asyncio.CancelledError:
        if not stopping:
            raise
        task.uncancel()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):
                loop.remove_signal_handler(number)
