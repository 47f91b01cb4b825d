"""Sections 1 and 6 clause by clause: whose time counts, and what is mended."""

import json

import pytest
from contract.reading import Record, read
from contract.telling import at, ms
from contract.twin import Twin

from streams.rejections import Rejected
from streams.routing import PartitionChecker

NOON = ms("12:00:00")
MINUTE = 60_000
VALUE = json.dumps({"platform": "twitch", "broadcast": "b1", "at": at("12:00:00"), "viewers": 1})
VALUE = VALUE.encode()


def outcome(**stamps):
    twin = Twin()
    twin.feed(Record(VALUE, b"twitch:b1", **stamps))
    return "".join(twin.refused) or "accepted"


@pytest.mark.parametrize(
    ("timestamp", "read_at", "log_append", "expected"),
    [
        (NOON - 2 * MINUTE, NOON - 60 * MINUTE, True, "accepted"),
        (NOON - 2 * MINUTE - 1, NOON, True, "future"),
        (NOON - 2 * MINUTE, NOON, False, "accepted"),
        (NOON - 2 * MINUTE - 1, NOON, False, "future"),
        (NOON, NOON - 12 * MINUTE, False, "accepted"),
        (NOON, NOON - 12 * MINUTE - 1, False, "future"),
        (0, NOON - 12 * MINUTE, False, "accepted"),
        (-1, NOON - 12 * MINUTE, False, "accepted"),
        (0, NOON - 12 * MINUTE - 1, False, "future"),
        (-1, NOON - 12 * MINUTE - 1, False, "future"),
    ],
)
def test_the_future(timestamp, read_at, log_append, expected):
    told = outcome(timestamp=timestamp, read_at=read_at, log_append=log_append)
    assert told == expected


def test_a_producers_fast_clock_is_bounded_by_the_workers():
    """`at` and Kafka's timestamp are both an hour ahead."""
    told = outcome(timestamp=NOON, read_at=NOON - 60 * MINUTE, log_append=False)
    assert told == "future"


@pytest.mark.parametrize(
    ("title", "expected", "what"),
    [
        ("x" * 200, "x" * 200, set()),
        ("😀" * 201, "😀" * 200, {"title"}),
        ("a\ud800b", "a\ufffdb", {"surrogate"}),
        ("\udc00\ud800", "\ufffd\ufffd", {"surrogate"}),
        ("x" * 199 + "\ud800y", "x" * 199 + "\ufffd", {"title", "surrogate"}),
    ],
)
def test_a_title_costs_no_figure(title, expected, what):
    value = json.dumps({**json.loads(VALUE), "title": title}).encode()
    event, _, mended = read(value)
    assert (event.title, event.viewers, mended) == (expected, 1, what)


def test_lone_surrogates_are_mended_anywhere():
    for extra in ({"x": "\ud800"}, {"\ud800": 1}, {"x": [{"y": "\udfff"}]}):
        event, _, mended = read(json.dumps({**json.loads(VALUE), **extra}).encode())
        assert (event.viewers, mended) == (1, {"surrogate"})
    value = json.dumps({**json.loads(VALUE), "broadcast": "b\ud800"}).encode()
    twin = Twin()
    twin.feed(Record(value, "twitch:b\ufffd".encode(), NOON, NOON))
    assert twin.run_keys() == ["twitch:b\ufffd"]
    assert twin.mended == {"surrogate": 1}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"viewers": True}, "invalid"),
        ({"viewers": 1.0}, "invalid"),
        ({"viewers": 10**40}, "invalid"),
        ({"title": 5}, "invalid"),
        ({"venue": "\ud800"}, "invalid"),
        ({"x": float("nan")}, "malformed"),
    ],
)
def test_what_is_mended_is_still_refused_for_all_else(change, reason):
    fields = {**json.loads(VALUE), "title": "x" * 201, "y": "\ud800", **change}
    with pytest.raises(Rejected) as refused:
        read(json.dumps(fields).encode())
    assert refused.value.reason == reason


def test_what_is_refused_as_before():
    for value in (None, b"", b"[]", b'"\\ud800"', b"\xff", VALUE[:-1], b" " * 65_600 + VALUE):
        with pytest.raises(Rejected, match="malformed"):
            read(value)


def test_misrouted():
    twin = Twin()
    twin.feed(Record(VALUE, b"twitch:b2", NOON, NOON))
    assert twin.refused == {"misrouted": 1}
    twin = Twin(router=PartitionChecker("murmur2", 8))
    for partition in range(8):
        twin.feed(Record(VALUE, b"twitch:b1", NOON, NOON, partition=partition))
    assert twin.refused == {"misrouted": 7}
