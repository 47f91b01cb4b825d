"""Fetch responses as aiokafka holds them, taken over; compared with what aiokafka makes of them."""

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c_py
from hypothesis import given
from hypothesis import strategies as st

from streams.exact.fetched import Fetched, _Responses

SOURCE = TopicPartition("events", 0)
COMMIT, ABORT = b"\0\0\0\1", b"\0\0\0\0"


def batch(offset, count, *, producer=-1, marker=None, codec=0):
    """A record batch as a broker stores it; with a marker that of a transaction's end."""
    transactional = int(producer >= 0)
    builder = DefaultRecordBatchBuilder(2, codec, transactional, producer, 0, 0, 1 << 20)
    for number in range(count):
        builder.append(number, 1_000 + number, b"%d" % (offset + number), b"v", [("h", b"1")])
    if marker is not None:
        builder.append(0, 1_000, marker, b"\0\0\0\0\0\0", [])
    built = bytearray(builder.build())
    built[0:8] = offset.to_bytes(8, "big")
    if marker is not None:  # the bit of a control batch, and the checksum anew
        built[22] |= 0x20
        built[17:21] = calc_crc32c_py(bytes(built[21:])).to_bytes(4, "big")
    return bytes(built)


def response(content, aborted=None, begin=0):
    return PartitionRecords(SOURCE, MemoryRecords(content), aborted, begin, None, None, True, 1)


def told(records):
    return [(r.offset, r.timestamp, r.key, r.value, list(r.headers)) for r in records]


def all_of(fetched, most):
    taken = []
    while not fetched.is_over:
        part = fetched.take(most)
        assert len(part) <= most
        taken += part
        if part and not fetched.is_over:
            assert fetched.end == part[-1].offset + 1
    return taken


@st.composite
def logs(draw):
    """Batches of plain producers and of transactions, committed and aborted, in any order."""
    content, aborted, offset, first = b"", [], 0, 0
    for number in range(draw(st.integers(0, 6))):
        offset += draw(st.integers(0, 3))  # compaction takes some
        count, codec = draw(st.integers(1, 4)), draw(st.sampled_from([0, 1]))
        kind = draw(st.sampled_from(["plain", "committed", "aborted"]))
        producer = -1 if kind == "plain" else number
        if kind == "aborted":
            aborted.append((producer, offset))
        content += batch(offset, count, producer=producer, codec=codec)
        offset += count
        first = first or offset
        if kind != "plain":
            content += batch(
                offset, 0, producer=producer, marker=ABORT if kind == "aborted" else COMMIT
            )
            offset += 1
    # A broker's first batch is the one in which the offset lies that was asked for.
    return content, aborted, draw(st.integers(0, max(0, first - 1))), offset


@given(logs(), st.integers(1, 7))
def test_it_gives_what_aiokafka_gives(log, most):
    content, aborted, begin, end = log
    theirs = response(content, list(aborted), begin)
    expected = told(theirs)
    fetched = Fetched(response(content, list(aborted), begin))
    assert list(fetched) == [fetched], "it is handed over once"
    assert fetched.next_fetch_offset == theirs.next_fetch_offset
    assert told(all_of(fetched, most)) == expected
    assert fetched.end == theirs.next_fetch_offset
    if content:
        assert fetched.end == end


def test_what_is_damaged_is_not_given():
    content = bytearray(batch(0, 3))
    content[-1] ^= 1
    with pytest.raises(CorruptRecordException):
        next(Fetched(response(bytes(content))))


def test_errors_that_aiokafka_keeps_for_later_stay_as_they_are():
    kept = _Responses({SOURCE: "an error"})
    assert kept == {SOURCE: "an error"}
