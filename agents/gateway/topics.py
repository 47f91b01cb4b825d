"""The gateway's topics."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Self

from streams.names import Names
from streams.settings.durations import milliseconds
from streams.topics import Topic, Topics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.settings import Settings

_OBSERVATIONS_KEPT: Final = timedelta(days=7)
#: A refused delivery has up to 1 MiB of body, and headers.
REJECTED_BYTES: Final = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class GatewayTopics:
    """All topics that the gateway writes.

    Attributes:
        observations: what was read of deliveries, by channel.
        broadcasts: the table of open broadcasts, and the position up to which it is complete.
        rejected: deliveries that could not be mapped, as they came.
        events: the viewer events.
    """

    observations: Topic
    broadcasts: Topic
    rejected: Topic
    events: Topic

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The topics that these settings ask for."""
        names, topics = Names.of(settings), Topics.of(settings)
        observations = f"{names.deployment}.gateway-observations"
        return cls(
            observations=replace(
                topics.events,
                name=observations,
                holds="what was read of webhooks, by channel",
                config={
                    **topics.events.config,
                    "retention.ms": str(milliseconds(_OBSERVATIONS_KEPT)),
                },
            ),
            broadcasts=replace(
                topics.broadcasts_changelog,
                name=f"{names.deployment}.gateway-broadcasts",
                holds="table of open broadcasts",
                co_partitioned=observations,
            ),
            rejected=replace(
                topics.rejected,
                name=f"{names.output_prefix}gateway-rejected",
                holds="webhooks that could not be mapped",
                config={**topics.rejected.config, "max.message.bytes": str(REJECTED_BYTES)},
            ),
            events=topics.events,
        )

    @property
    def own(self) -> Iterator[Topic]:
        """Those that are the gateway's alone."""
        yield self.observations
        yield self.broadcasts
        yield self.rejected


def group_of(settings: Settings) -> str:
    """The consumer group by which gateways share the observations."""
    return f"{Names.of(settings).deployment}.gateway"
