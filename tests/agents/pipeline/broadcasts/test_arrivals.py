"""When the events of a batch arrived: in groups, over to the scopes, and never younger."""

from types import SimpleNamespace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_pipeline import Line, place
from prometheus_client import CollectorRegistry

from agents.pipeline.broadcasts.arrivals import (
    HEADER,
    MOST_GROUPS,
    encode_arrivals,
    group_arrivals,
    read_arrivals,
)
from agents.pipeline.scopes.agent import ScopesListener
from agents.serving.live import LiveScopes
from agents.serving.metrics.pipeline import PipelineMetrics
from streams.clock import ManualClock


def records(times):
    return [SimpleNamespace(timestamp=time) for time in times]


@given(st.lists(st.integers(1, 10**13), max_size=200))
def test_groups_hold_each_event_once_and_none_is_told_to_be_younger(times):
    groups = group_arrivals(records(times), 0.0)
    assert len(groups) <= MOST_GROUPS
    assert sum(count for _, count in groups) == len(times)
    told = [arrived for arrived, count in groups for _ in range(count)]
    for arrived, time in zip(told, times, strict=True):
        assert arrived <= time
    assert set(told) <= set(times)
    if len(times) <= MOST_GROUPS:
        assert told == times
    # What follows one another in a group is as equal as it can be.
    sizes = [count for _, count in groups]
    assert not sizes or max(sizes) - min(sizes) <= 1
    assert read_arrivals([SimpleNamespace(headers=[(HEADER, encode_arrivals(groups))])]) == groups


@pytest.mark.parametrize("none", [0, -1, None])
def test_a_record_without_a_timestamp_arrived_when_it_was_read(none):
    assert group_arrivals(records([none, 5_000, 7_000]), 6.0) == [
        (6_000, 1),
        (5_000, 1),
        (7_000, 1),
    ]


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"\xc1",
        msgspec.msgpack.encode({"a": 1}),
        msgspec.msgpack.encode([[1, -1]]),
        msgspec.msgpack.encode([[1, 2**63]]),
        msgspec.msgpack.encode([[1, 1]] * (MOST_GROUPS + 1)),
    ],
)
def test_a_header_that_cannot_be_read_says_nothing(value):
    good = (HEADER, encode_arrivals([(1, 2)]))
    found = read_arrivals(
        [
            SimpleNamespace(headers=[(HEADER, value), ("other", b"x"), good]),
            SimpleNamespace(headers=()),
        ]
    )
    assert found == [(1, 2)]


async def test_the_scopes_know_when_the_events_behind_a_change_arrived():
    """Each event once, whatever scopes it changes, by its own arrival and not by the change's."""
    line = Line(1)
    registry = CollectorRegistry()
    meter = PipelineMetrics(registry, ManualClock(0))
    clock = ManualClock(0.0)
    stage = meter.stages.of("scopes", "scope-deltas")
    following = ScopesListener(line.scopes.work, LiveScopes(), meter, stage, clock)
    following.restored(0, line.scopes.rows[0], 0.0)

    def send(broadcast, timestamp, viewers=5):
        key = f"kick:{broadcast}".encode()
        value = (
            b'{"platform":"kick","broadcast":"%s","at":"1970-01-01T00:10:00Z","viewers":%d,'
            b'"programme":"night"}' % (broadcast.encode(), viewers)
        )
        assert place(key, 1) == 0
        line.append(line.topics.events.name, 0, key, value, timestamp)

    def counted(le):
        name = "audience_event_latency_seconds_bucket"
        return registry.get_sample_value(name, {"stage": "scopes", "le": le})

    send("a", 1_000_000)
    send("b", 990_000)
    send("c", 999_500, viewers=-1)
    line.broadcasts.batch(0, 10)
    clock.advance(1_001.5)
    following.committed(line.scopes.batch(0, 100), 0.0, 0.0)
    assert [counted(le) for le in ("1.0", "2.0", "10.0", "20.0", "+Inf")] == [0, 2, 2, 3, 3]
