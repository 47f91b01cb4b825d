"""What Kafka says of groups and topics, and how a group is kept from writing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
    for_code,
)

from agents import kafka

_MAX_CONCURRENT_FENCES: Final = 16
_LOOKS: Final = 50
_LOOK_SECONDS: Final = 0.2
# A cluster may have to make its topic of groups first, or to move a part of it.
_NOT_YET: Final = (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aiokafka.admin import AIOKafkaAdminClient

    from streams.exact.cluster import TopicMetadata
    from streams.settings import Settings


async def members_of(settings: Settings, groups: Sequence[str]) -> list[str]:
    """Who is in any of these groups: client id and host of each, none if all are empty.

    Raises:
        LiveAudienceError: the broker cannot be reached or does not allow it.
    """
    members: list[str] = []
    async with kafka.admin(settings) as client:
        for group in groups:
            members += await _members(client, group)
    return members


async def _members(client: AIOKafkaAdminClient, group: str) -> list[str]:
    for look in range(_LOOKS):
        try:
            _, found = await describe_group(client, group)
            return [_describe_member(member) for member in found]
        except _NOT_YET:
            if look == _LOOKS - 1:
                raise
        await asyncio.sleep(_LOOK_SECONDS)
    raise AssertionError


async def describe_group(
    client: AIOKafkaAdminClient, group: str
) -> tuple[str, Sequence[tuple[Any, ...]]]:
    """A group's state (`Stable`, `PreparingRebalance`, …), and its members.

    Of each member: id, client id, host, metadata and assignment. Unless the group is stable, the
    metadata is empty and the assignment the former one.

    Args:
        client: Connected to the cluster.
        group: Its name.

    Raises:
        KafkaError: It cannot be told now, or is not allowed.
    """
    # One group at a time: aiokafka 0.14 reads the answer about several in a wrong format.
    (response,) = await client.describe_consumer_groups([group])
    ((error, _group, state, _type, _protocol, members, *_),) = response.groups
    if error:
        raise for_code(error)
    return state, list(members)


async def applied_offsets(settings: Settings, group: str, topic: str) -> dict[int, int]:
    """How far a group has come in a topic: the next offset by partition.

    Raises:
        LiveAudienceError: the broker cannot be reached or does not allow it.
    """
    async with kafka.admin(settings) as client:
        offsets = await client.list_consumer_group_offsets(group)
    return {
        partition.partition: found.offset
        for partition, found in offsets.items()
        if partition.topic == topic and found.offset >= 0
    }


async def fence(settings: Settings, transactional_ids: Iterable[str]) -> None:
    """Take transactional ids over: who holds one cannot write any more, what is open is aborted.

    Raises:
        LiveAudienceError: the broker cannot be reached or does not allow it.
    """
    at_once = asyncio.Semaphore(_MAX_CONCURRENT_FENCES)

    async def take(transactional_id: str) -> None:
        async with at_once, kafka.producer(settings, transactional_id=transactional_id):
            pass

    answers = await asyncio.gather(*map(take, transactional_ids), return_exceptions=True)
    for error in filter(None, answers):
        raise error


async def facts_of(settings: Settings, topics: Iterable[str]) -> dict[str, TopicMetadata]:
    """The id and the number of partitions of each topic that there is.

    Raises:
        LiveAudienceError: the broker cannot be reached or does not allow it.
    """
    # Imported here: it brings all of Faust along, which the commands need not wait for.
    from streams.exact.cluster import topic_metadata  # noqa: PLC0415 - see above

    async with kafka.admin(settings) as client:
        # The public client does not tell ids.
        return await topic_metadata(client._client, list(topics))  # noqa: SLF001 - see above


def _describe_member(member: Sequence[Any]) -> str:
    _id, client, host, *_ = member
    return f"{client} at {host.lstrip('/')}"
