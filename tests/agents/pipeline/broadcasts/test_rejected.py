"""Refused records: as they came, within bounds that always fit their topic."""

import pytest
from aiokafka import TopicPartition
from aiokafka.record.default_records import DefaultRecord, DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from agents.pipeline.broadcasts.rejected import reject
from streams.exact import Batch, Rows, Unreadable
from streams.rejections import Reason
from streams.topics import REJECTED_BYTES

NOW = 1_790_000_000_000


async def refused(record, detail="why"):
    batch = Batch(
        TopicPartition("events", 3), [], Rows(int, str), caught_up=True, read_at=NOW / 1000
    )
    reject(batch, "rejected", record, Reason.MALFORMED, detail)
    (output,) = batch.outputs
    return output


def record(*, key=b"k", value=b"v", headers=(), timestamp=NOW):
    return DefaultRecord(7, timestamp, 0, key, value, list(headers))


async def test_it_keeps_what_it_came_with():
    own = [("trace", b"\xff\x00"), ("none", None), ("trace", b"2")]
    output = await refused(record(headers=own, timestamp=NOW - 1_000))
    assert (output.key, output.value, output.timestamp) == (b"k", b"v", NOW - 1_000)
    assert output.headers == [
        *own,
        ("reason", b"malformed"),
        ("detail", b"why"),
        ("source", b"events/3/7"),
    ]


async def test_a_header_named_like_ours_is_left_out_and_counted():
    output = await refused(record(headers=[("reason", b"late"), ("a", b"b"), ("source", b"x")]))
    assert output.headers[:2] == [("a", b"b"), ("headers-left-out", b"2")]
    assert dict(output.headers)["reason"] == b"malformed"


async def test_what_is_long_is_cut_and_measured():
    output = await refused(
        record(key=b"k" * 5_000, value=b"v" * 600_000, headers=[("h", b"x" * 9_000)] * 3)
    )
    headers = dict(output.headers)
    assert (len(output.key), headers["key-bytes"]) == (1_024, b"5000")
    assert (len(output.value), headers["truncated"]) == (512 * 1024, b"600000")
    assert headers["headers-left-out"] == b"2"


@pytest.mark.parametrize("timestamp", [NOW - 8 * 24 * 3_600_000, NOW + 301_000, 5])
async def test_a_timestamp_that_the_topic_would_not_keep_stands_in_a_header(timestamp):
    output = await refused(record(timestamp=timestamp))
    assert output.timestamp is None
    assert dict(output.headers)["timestamp"] == b"%d" % timestamp


async def test_a_record_without_a_timestamp_has_none():
    assert (await refused(record(timestamp=-1))).timestamp is None


async def test_what_stands_for_several_says_so():
    found = Unreadable(7, NOW, None, b"raw", (), 9_000_000, 12, "damaged", 2_000, 9_000_000)
    headers = dict((await refused(found)).headers)
    assert headers["records"] == b"12"
    assert headers["truncated"] == b"9000000"
    assert headers["key-bytes"] == b"2000"


@given(
    st.one_of(st.none(), st.integers(0, 3_000_000)),
    st.one_of(st.none(), st.integers(0, 3_000_000)),
    st.lists(st.tuples(st.text(max_size=10), st.integers(0, 40_000)), max_size=10),
    st.text(max_size=2_000),
)
async def test_it_always_fits_its_topic(key, value, headers, detail):
    output = await refused(
        record(
            key=None if key is None else b"k" * key,
            value=None if value is None else b"v" * value,
            headers=[(name, b"h" * size) for name, size in headers],
        ),
        detail,
    )
    builder = DefaultRecordBatchBuilder(2, 0, 1, 1, 1, 1, 1 << 30)
    builder.append(0, NOW, output.key, output.value, list(output.headers))
    assert len(builder.build()) < REJECTED_BYTES / 4
