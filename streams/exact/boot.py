"""Faust's services with our sources in the place of its Kafka consumer, conductor and tables."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import faust
from faust.app.base import BootStrategy

if TYPE_CHECKING:
    from collections.abc import Iterable


class ExactBoot(BootStrategy):
    """Starts, in this order: sensors, the app's own services, agents, sources.

    Stops go the other way round: the sources drain while the agents still work, and what serves
    readers (metrics, HTTP) is there until the last batch is durable. Faust's own consumer,
    producer, tables and web server are not started, whatever the command line says.
    """

    enable_kafka = False
    enable_web = False

    def server(self) -> Iterable[Any]:
        """Return the services of a worker."""
        return chain(self.sensors(), self.app.services, self.agents(), self.app.sources)


class ExactApp(faust.App):
    """A Faust app whose agents read exact sources.

    Attributes:
        sources: The app's `Source`s; add yours before the worker starts.
        services: Services of the app's own, started before the agents.
        drain: How long its sources take to stop at most, in seconds: for whoever bounds the stop.
    """

    BootStrategy = ExactBoot

    def __init__(self, *args: Any, **options: Any) -> None:
        self.sources: list[Any] = []
        self.services: list[Any] = []
        self.drain = 10.0
        options.setdefault("web_enabled", False)
        options.setdefault("topic_disable_leader", True)
        options.setdefault("store", "memory://")
        super().__init__(*args, **options)

    def _create_directories(self) -> None:
        """Make no data folder: nothing here is kept on disk."""
