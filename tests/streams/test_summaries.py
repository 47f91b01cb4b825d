import json
from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import rfc3339
from streams.summaries import (
    BroadcastSummary,
    ScopeSummary,
    decode_broadcast_summary,
    decode_scope_summary,
    encode,
    minute_text,
    number,
    time_text,
)

BROADCAST = BroadcastSummary(
    platform="fliggy",
    broadcast="louvre-1",
    run=None,
    venue="louvre",
    programme=None,
    title="卢浮宫",
    status="ended",
    started_at="2020-03-01T20:00:00Z",
    ended_at="2020-03-01T22:00:00.5Z",
    peak=400_000,
    peak_at="2020-03-01T21:00:00Z",
    peak_held=399_000,
    waiting_peak=None,
    first_minute=None,
    first_audience=12_000,
    first_audience_at="2020-03-01T20:02:00Z",
    viewer_minutes=45_600_000,
    minutes_observed=118,
    minutes_carried=2,
    minutes_live=120,
    coverage=number(118 / 120),
    average=number(380_000.0),
    joins=7,
    views=None,
    events=240,
    late=1,
)
SCOPE = ScopeSummary(
    scope="world",
    name="",
    minute="2020-03-01T22:00:00Z",
    viewers=None,
    peak=None,
    peak_at=None,
    peak_sum=0,
    viewer_minutes=0,
    joins=0,
    views=0,
    broadcasts=1,
    live=1,
)


def test_a_broadcast_is_written_in_the_order_of_the_contract() -> None:
    assert encode(BROADCAST).decode() == (
        '{"platform":"fliggy","broadcast":"louvre-1","run":null,"venue":"louvre",'
        '"programme":null,"title":"卢浮宫","status":"ended","started_at":"2020-03-01T20:00:00Z",'
        '"ended_at":"2020-03-01T22:00:00.5Z","peak":400000,"peak_at":"2020-03-01T21:00:00Z",'
        '"peak_held":399000,"waiting_peak":null,"first_minute":null,"first_audience":12000,'
        '"first_audience_at":"2020-03-01T20:02:00Z","viewer_minutes":45600000,'
        '"minutes_observed":118,"minutes_carried":2,"minutes_live":120,'
        '"coverage":0.9833333333333333,"average":380000,"joins":7,"views":null,"events":240,'
        '"late":1}'
    )


def test_a_scope_is_written_in_the_order_of_the_contract() -> None:
    assert encode(SCOPE).decode() == (
        '{"scope":"world","name":"","minute":"2020-03-01T22:00:00Z","viewers":null,"peak":null,'
        '"peak_at":null,"peak_sum":0,"viewer_minutes":0,"joins":0,"views":0,"broadcasts":1,"live":1}'
    )


def test_what_is_written_is_read_back() -> None:
    assert decode_broadcast_summary(encode(BROADCAST)) == BROADCAST
    assert decode_scope_summary(encode(SCOPE)) == SCOPE


@pytest.mark.parametrize("value", [b"", b"{}", b'{"scope":"star"}', encode(SCOPE)[:-1]])
def test_what_is_no_summary_is_refused(value: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_scope_summary(value)
    with pytest.raises(msgspec.DecodeError):
        decode_broadcast_summary(value)


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_583_093_734_000_000, "2020-03-01T20:15:34Z"),
        (1_583_093_730_000_000, "2020-03-01T20:15:30Z"),
        (1_583_093_734_500_000, "2020-03-01T20:15:34.5Z"),
        (1_583_093_734_000_010, "2020-03-01T20:15:34.00001Z"),
        (rfc3339.END - 1, "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_times_as_text(at: int, text: str) -> None:
    assert time_text(at) == text


@given(st.integers(0, rfc3339.END - 1))
def test_times_as_text_are_read_back(at: int) -> None:
    text = time_text(at)
    assert rfc3339.microseconds(text) == at
    epoch = datetime.fromisoformat("1970-01-01T00:00:00Z")
    assert datetime.fromisoformat(text) == epoch + timedelta(microseconds=at)


def test_minutes_as_text() -> None:
    assert minute_text(1_583_093_734 // 60) == "2020-03-01T20:15:00Z"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (380_000.0, "380000"),
        (0.0, "0"),
        (0.5, "0.5"),
        (1, "1"),
        (1e16, "10000000000000000"),
    ],
)
def test_whole_numbers_are_written_without_a_fraction(value: float, text: str) -> None:
    assert json.dumps(number(value)) == text
