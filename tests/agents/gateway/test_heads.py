"""What pollers are shown of the table of open broadcasts, as it is read from the changelog."""

import msgspec
import pytest

from agents.gateway.heads import Heads
from agents.gateway.observation import Observation
from agents.gateway.rows import Channel, encode_row
from agents.gateway.table import apply
from streams import rfc3339


def seen(channel, kind, second, **more):
    at = second * rfc3339.SECOND
    return Observation("hooks", "twitch", channel, kind, at, broadcast=f"b{channel}", **more)


def row_of(*observations):
    row = Channel("hooks", "twitch", observations[0].channel)
    for each in observations:
        apply(row, each)
    return observations[0].key, row


def test_heads_follow_rows():
    heads = Heads(["hooks"])
    assert heads.of("hooks") == heads.of("other") == {}
    key, row = row_of(seen("1", "started", 60), seen("1", "sample", 120))
    heads.take(key, encode_row(row))
    head = heads.of("hooks")["1"]
    assert (head.broadcast, head.is_open, head.newest) == ("b1", True, 120 * rfc3339.SECOND)

    other, second = row_of(seen("2", "started", 60))
    before = heads.version
    heads.take(other, encode_row(second))
    assert heads.version != before
    assert set(heads.of("hooks")) == {"1", "2"}
    # A sample is no news, an end is.
    before = heads.version
    apply(second, seen("2", "sample", 180))
    heads.take(other, encode_row(second))
    assert heads.version == before
    apply(second, seen("2", "ended", 200))
    heads.take(other, encode_row(second))
    assert heads.version != before
    assert heads.of("hooks")["2"].ended == 200 * rfc3339.SECOND

    # A row that goes.
    before = heads.version
    heads.take(other, None)
    assert set(heads.of("hooks")) == {"1"}
    assert heads.version != before


def test_rows_of_what_is_not_polled_are_left_out_and_not_read_again():
    heads = Heads(["videos"])
    key, row = row_of(seen("1", "started", 60))
    heads.take(key, encode_row(row))
    heads.take(key, b"not even looked at")
    assert heads.of("hooks") == heads.of("videos") == {}
    assert heads.version == 0
    heads.take(key, None)
    with pytest.raises(msgspec.MsgspecError):
        heads.take(key, b"no row")
