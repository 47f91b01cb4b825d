"""What is written is what is read; other formats are refused with a word on what to do."""

import msgspec
import pytest

from streams.audience.codec import decode, encode
from streams.audience.formats import NewerFormat, UnsupportedFormat
from streams.audience.runs import Tombstone
from streams.audience.scope import ScopeChunk, ScopeHead
from streams.audience.scope_codec import (
    decode_delta,
    decode_scope,
    encode_delta,
    encode_scope,
)
from streams.audience.scope_delta import ScopeDelta

DECODERS = [decode, decode_scope, decode_delta]
ALL = ["r", "t", "h", "c", "d"]


@pytest.mark.parametrize("decode", DECODERS)
@pytest.mark.parametrize("letter", ALL)
def test_an_older_format_is_refused_with_what_to_do(decode, letter):
    with pytest.raises(UnsupportedFormat, match=r"an older version has written.*AUDIENCE_GROUP"):
        decode(msgspec.msgpack.encode([f"{letter}1", 1]))


@pytest.mark.parametrize("decode", DECODERS)
@pytest.mark.parametrize("written", ["r3", "t3", "h3", "c3", "d3"])
def test_a_newer_format_is_refused(decode, written):
    with pytest.raises(NewerFormat, match="upgrade"):
        decode(msgspec.msgpack.encode([written, 1]))


@pytest.mark.parametrize("decode", DECODERS)
@pytest.mark.parametrize(
    "value", [b"", b"\xc1", msgspec.msgpack.encode("r2"), msgspec.msgpack.encode(["r2", "x"])]
)
def test_what_is_damaged_is_no_other_format(decode, value):
    with pytest.raises(msgspec.DecodeError):
        decode(value)


def test_nesting_without_end_is_only_damaged():
    with pytest.raises(msgspec.ValidationError):
        decode(b"\x91" * 5_000 + b"\x01")


@pytest.mark.parametrize("row", [Tombstone(29_500_000, 10**13), Tombstone(-1, 0)])
def test_tombstones_come_back(row):
    assert decode(encode(row)) == row


@pytest.mark.parametrize(
    "row",
    [
        ScopeHead(),
        ScopeHead(viewers_sum=-3, chunks={7: (5, 6)}, closed_peak=9),
        ScopeChunk({1: 5}, {1: 2}),
    ],
)
def test_scopes_come_back(row):
    assert decode_scope(encode_scope(row)) == row


@pytest.mark.parametrize(
    "bad",
    [
        {"minutes": {-1: 1}},
        {"minutes": {10**12: 1}},
        {"viewers": 2**63 - 1},
        {"fresh": 2**40},
        {"minute": -2},
        {"timestamp": -2},
    ],
)
def test_a_delta_that_no_worker_writes_is_refused(bad):
    delta = ScopeDelta(**({"minutes": {}, "known": {}} | bad))
    with pytest.raises(msgspec.ValidationError):
        decode_delta(encode_delta(delta))
