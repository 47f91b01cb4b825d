"""One scrape: the registry's metrics, then those that are written by our own hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from prometheus_client import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from prometheus_client import CollectorRegistry

_EOF: Final = b"# EOF\n"


class MetricsSnapshot(Protocol):
    """Metrics as they stood at one moment."""

    def write(self, *, openmetrics: bool) -> AsyncIterator[bytes]:
        """Whole lines in chunks, all samples of one metric together; no last line."""
        ...


class Writer(Protocol):
    """Writes metrics of its own, too many of them for the registry."""

    async def snapshot(self) -> MetricsSnapshot:
        """Take the figures of one moment, without blocking the loop."""
        ...


class Exposition:
    """Makes the answer to a scrape.

    Args:
        registry: The metrics that prometheus-client keeps.
        writers: What is written beside them.
    """

    def __init__(self, registry: CollectorRegistry, writers: Sequence[Writer]) -> None:
        self._registry = registry
        self._writers = writers

    async def chunks(self, *, openmetrics: bool) -> AsyncGenerator[bytes, None]:
        """The exposition in chunks of whole lines; the loop runs on between them."""
        # First, for the registry tells how many broadcasts are exported.
        prepared = [await writer.snapshot() for writer in self._writers]
        if openmetrics:
            text: bytes = generate_openmetrics(self._registry)  # type: ignore[no-untyped-call]  # its gap
            yield text.removesuffix(_EOF)
        else:
            yield generate_latest(self._registry)
        for snapshot in prepared:
            async for chunk in snapshot.write(openmetrics=openmetrics):
                yield chunk
        if openmetrics:
            yield _EOF
