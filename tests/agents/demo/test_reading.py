"""The demo's records as the pipeline's own decoder takes them."""

import pytest

from agents.demo import trace
from agents.demo.input import right
from agents.demo.mistakes import mistakes
from agents.demo.museums import museums
from streams.events import read
from streams.refusals import Refused
from streams.routing import PartitionChecker, partition_for

PARTITIONS = 8


def test_all_right_records_are_read_and_lie_where_they_should():
    router = PartitionChecker("murmur2", PARTITIONS)
    for broadcast in right():
        for record in broadcast:
            event, at = read(record.value)
            assert record.key == f"{event.platform}:{event.broadcast}".encode()
            partition = partition_for(record.key, PARTITIONS, "murmur2")
            router.check(record.key, partition, event.platform, event.broadcast)
            assert at <= record.sent


def test_a_broadcast_is_what_its_museum_says():
    for museum, broadcast in zip(museums(), right(), strict=False):
        for record in broadcast:
            event, _ = read(record.value)
            assert (event.venue, event.programme) == (museum.venue, museum.programme)
            assert event.title == museum.title


def test_unknown_viewers_are_none():
    unknown = [read(record.value)[0] for record in trace.records()]
    assert sum(event.viewers is None for event in unknown) == 29
    for museum, broadcast in zip(museums(), right(), strict=False):
        seen = [read(record.value)[0] for record in broadcast]
        samples = [event for event in seen if event.kind == "sample"]
        # One record, or two where it came twice.
        assert sum(event.viewers is None for event in samples) in (1, 2), museum.venue


def reason_of(record):
    """Why the decoder or the router refuses a record; None if neither does."""
    partition = partition_for(record.key, PARTITIONS, "murmur2")
    try:
        event, _ = read(record.value)
        PartitionChecker("murmur2", PARTITIONS).check(
            record.key, partition, event.platform, event.broadcast
        )
    except Refused as refused:
        return refused.reason
    return None


@pytest.mark.parametrize("mistake", mistakes(), ids=lambda mistake: mistake.what)
def test_each_wrong_record_is_refused_for_its_reason(mistake):
    assert reason_of(mistake.record) == (
        # These depend on more than the record: it is read, and refused further on.
        None if mistake.reason in ("future", "late") else mistake.reason
    )
