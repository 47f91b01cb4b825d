"""What a member tells of itself travels beside what the assignor remembers, and harms no other."""

import pytest
from aiokafka import TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.coordinator.protocol import (
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)

from streams.exact.assignor import read_members, sticky_assignor

TOLD = b'{"url":"http://127.0.0.1:9630"}'
ASSIGNMENT = ConsumerProtocolMemberAssignment(0, [("events", [3, 1]), ("other", [7])], b"").encode()


def member(metadata, assignment=ASSIGNMENT):
    return ("id", "client", "/127.0.0.1", metadata, assignment)


def test_it_is_read_with_the_partitions_before_and_after_an_assignment():
    assignor = sticky_assignor(lambda: TOLD)
    for _ in range(2):
        metadata = assignor.metadata(["events"])
        assert read_members([member(metadata.encode())], "events") == [(TOLD, [3, 1])]
        assignor.on_assignment(ConsumerProtocolMemberAssignment.decode(ASSIGNMENT))
        assignor.on_generation_assignment(5)
    # A worker that knows nothing of it still reads what the assignor remembers.
    decoded = ConsumerProtocolMemberMetadata.decode(metadata.encode())
    remembered = StickyPartitionAssignor.parse_member_metadata(decoded)
    assert remembered.generation == 5
    assert remembered.partitions == [
        TopicPartition("events", 3), TopicPartition("events", 1), TopicPartition("other", 7)
    ]  # fmt: skip  # a list of three reads best so


def test_each_assignor_remembers_for_itself():
    one, other = sticky_assignor(lambda: TOLD), sticky_assignor(lambda: TOLD)
    one.on_assignment(ConsumerProtocolMemberAssignment.decode(ASSIGNMENT))
    assert other.member_assignment is None
    assert StickyPartitionAssignor.member_assignment is None


@pytest.mark.parametrize(
    "metadata",
    [
        b"",  # as the coordinator tells it while the group rebalances
        b"\xff",
        StickyPartitionAssignor.metadata(["events"]).encode(),
        sticky_assignor(None).metadata(["events"]).encode(),
        ConsumerProtocolMemberMetadata(0, ["events"], b"\x00").encode(),
    ],
)
def test_one_that_tells_nothing_still_has_partitions(metadata):
    assert read_members([member(metadata)], "events") == [(None, [3, 1])]


def test_one_without_an_assignment_has_none():
    metadata = sticky_assignor(lambda: TOLD).metadata(["events"]).encode()
    assert read_members([member(metadata, b"")], "events") == [(TOLD, [])]
    assert read_members([member(metadata)], "another") == [(TOLD, [])]
