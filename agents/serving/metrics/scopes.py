"""The exposition of single scopes: the world, the platforms and the largest of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agents.serving.metrics import catalogue
from agents.serving.metrics.blocks import Block, BlockMetrics, escaped
from streams.audience.scope import ScopeHead

if TYPE_CHECKING:
    from agents.serving.live import LiveScopes, TopSelection

_NAMES: Final = [metric.name for metric in catalogue.SCOPE_METRICS]


class ScopeMetrics(BlockMetrics[ScopeHead]):
    """Writes the metrics of the selected scopes; as `BlockMetrics`."""

    def __init__(self, live: LiveScopes, selection: TopSelection) -> None:
        super().__init__(catalogue.SCOPE_METRICS, live, selection)

    def _render(self, partition: int, key: bytes, encoded: bytes, row: ScopeHead) -> Block:
        del partition  # a scope's figures are of all partitions
        return render(key, encoded, row)


def render(key: bytes, encoded: bytes, head: ScopeHead) -> Block:
    """Write the lines of one scope.

    Args:
        key: `world`, or its kind and name: `venue:louvre`.
        encoded: The head's bytes, to know it by.
        head: All its figures.
    """
    scope, _, name = key.decode().partition(":")
    labels = f'{{scope="{escaped(scope)}",name="{escaped(name)}"}}'
    peak = head.peak()
    values = (
        head.viewers,
        None if peak is None else peak[0],
        head.viewer_minutes * 60,
        head.joins,
        head.views,
        head.broadcasts,
        head.live,
    )
    lines = [
        b"" if value is None else f"{metric}{labels} {value}\n".encode()
        for metric, value in zip(_NAMES, values, strict=True)
    ]
    return Block(encoded, tuple(lines))
