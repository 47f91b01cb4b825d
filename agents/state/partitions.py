"""Adds partitions to topics, and waits until the cluster tells of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aiokafka.admin import NewPartitions

from agents import groups, kafka
from agents.admin import partitions_of
from agents.state.operation import StateError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.exact.cluster import TopicMetadata
    from streams.settings import Settings

_LOOKS: Final = 100
_LOOK_SECONDS: Final = 0.1


async def grow(settings: Settings, topic: str, partitions: int) -> bool:
    """Give a topic so many partitions, if it has fewer.

    Returns:
        Whether it had fewer.

    Raises:
        LiveAudienceError: The broker does not do it.
    """
    have = (await partitions_of(settings, [topic]))[topic]
    if have >= partitions:
        return False
    async with kafka.admin(settings) as client:
        await client.create_partitions({topic: NewPartitions(total_count=partitions)})
    for _ in range(_LOOKS):
        if (await partitions_of(settings, [topic]))[topic] >= partitions:
            return True
        await asyncio.sleep(_LOOK_SECONDS)
    raise StateError(
        f"the cluster does not tell of the new partitions of {topic} yet: run the same command "
        "again"
    )


async def facts_of(settings: Settings, topics: Iterable[str]) -> dict[str, TopicMetadata]:
    """The id and the number of partitions of each topic.

    Raises:
        LiveAudienceError: One is missing, or the broker does not tell.
    """
    names = list(topics)
    facts = await groups.facts_of(settings, names)
    missing = [name for name in names if name not in facts]
    if missing:
        raise StateError(
            f"there is no topic {', '.join(missing)} at AUDIENCE_BROKERS="
            f"{','.join(settings.brokers)}: look with `live-audience topics check`"
        )
    return facts
