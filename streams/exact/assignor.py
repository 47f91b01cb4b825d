"""What a worker tells the others of itself in its membership, and who owns which partition.

Kafka Streams' `application.server` does the same: where a member answers stands in the metadata
with which it joins its group, and the group's coordinator tells it, with the assignment, to whoever
asks (DescribeGroups). Nothing else is needed to find the owner of a partition.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiokafka.coordinator.assignors.sticky.sticky_assignor import (
    StickyAssignorUserDataV1,
    StickyPartitionAssignor,
)
from aiokafka.coordinator.protocol import (
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: Stands between what the assignor remembers and what is told. Assignors that know nothing of it
#: read the first and ignore what follows.
_MARK: Final = b"\x00member\x00"


class Member(NamedTuple):
    """A member of a group.

    Attributes:
        told: What it tells of itself; None if it tells nothing, or cannot be read.
        partitions: The partitions of the topic that was asked for.
    """

    told: bytes | None
    partitions: list[int]


def sticky_assignor(told: Callable[[], bytes] | None) -> type[StickyPartitionAssignor]:
    """A sticky assignor of its own, for aiokafka keeps an assignor's memory on its class.

    Args:
        told: What the member tells of itself, asked whenever it joins; None for nothing.
    """

    class Sticky(StickyPartitionAssignor):
        @classmethod
        def _metadata(
            cls, topics: Iterable[str], remembered: list[Any] | None, generation: int = -1
        ) -> ConsumerProtocolMemberMetadata:
            if told is None:
                return super()._metadata(topics, remembered, generation)
            # Nothing to remember is said as such, so that there is a place to stand behind.
            metadata = super()._metadata(topics, remembered or [], generation)
            metadata.user_data += _MARK + told()
            return metadata

    return Sticky


def read_members(members: Iterable[tuple[Any, ...]], topic: str) -> list[Member]:
    """The members of a group as DescribeGroups tells them.

    Args:
        members: Of each: id, client id, host, metadata and assignment.
        topic: Whose partitions are asked for.
    """
    return [
        Member(_told(metadata), _partitions(assignment, topic))
        for _id, _client, _host, metadata, assignment, *_ in members
    ]


def _told(metadata: bytes) -> bytes | None:
    try:
        data = BytesIO(ConsumerProtocolMemberMetadata.decode(metadata).user_data)
        StickyAssignorUserDataV1.decode(data)
    except Exception:  # noqa: BLE001  # aiokafka's decoder raises whatever it meets
        return None
    rest = data.read()
    return rest.removeprefix(_MARK) if rest.startswith(_MARK) else None


def _partitions(assignment: bytes, topic: str) -> list[int]:
    if not assignment:  # the group has not settled yet
        return []
    decoded = ConsumerProtocolMemberAssignment.decode(assignment)
    return [number for name, numbers in decoded.assignment if name == topic for number in numbers]
