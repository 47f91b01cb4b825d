"""Deliveries that programs of others have signed: they pass, and no byte of them may change."""

import json
from pathlib import Path

import pytest
from deliveries import delivery, endpoint

from agents.gateway.delivery import Unverified
from agents.gateway.observation import Observation
from agents.gateway.rows import Channel
from agents.gateway.sources import SOURCES, Verified
from agents.gateway.table import apply

HOOKS = json.loads((Path(__file__).parent / "data" / "hooks.json").read_text())
VECTORS = json.loads((Path(__file__).parent / "data" / "vectors.json").read_text())["vectors"]


def verify(vector, body):
    found = delivery(list(vector["headers"].items()), body, vector["now"] * 1_000_000)
    source, point = SOURCES[vector["source"]], endpoint(vector["source"])
    return found, source.verify(found, [vector["secret"].encode()], point, vector["now"])


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["source"])
def test_it_passes_and_no_byte_may_change(vector):
    body = vector["body"].encode()
    assert verify(vector, body)
    for at in range(len(body)):
        changed = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        with pytest.raises(Unverified, match="signature"):
            verify(vector, changed)


def read(vector, **more):
    found, verified = verify(vector, vector["body"].encode())
    point = endpoint(vector["source"], **more)
    return SOURCES[vector["source"]].read(found, verified, point).observations


def test_mux_begins_and_ends_one_broadcast():
    """The CLI gives each delivery a live stream of its own, so the end is put to the start's."""
    active, idle, disconnected = (v for v in VECTORS if v["source"] == "mux")
    (start,), (end,) = read(active), read(idle)
    assert not read(disconnected)
    row = Channel(start.endpoint, start.platform, start.channel)
    same = {name: getattr(end, name) for name in end.__struct_fields__}
    events = [*apply(row, start), *apply(row, Observation(**{**same, "channel": start.channel}))]
    assert [event.kind for event in events] == ["started", "ended"]
    assert len({event.broadcast for event in events}) == 1


@pytest.mark.parametrize("name", ["icecast", "node-media-server"])
def test_a_recorded_show_from_its_start_to_its_end(name):
    point, row, events = endpoint(name), None, []
    for number, body in enumerate(HOOKS[name]):
        received = 1_795_789_818_000_000 + number * 5_000_000
        found = delivery([], body.encode(), received)
        reading = SOURCES[name].read(found, Verified(), point)
        for seen in reading.observations:
            row = row or Channel(seen.endpoint, seen.platform, seen.channel)
            assert seen.channel == row.channel
            events += apply(row, seen)
    assert [(event.kind, event.viewers, event.joins) for event in events] == [
        ("started", None, None),
        ("sample", 1, 1),
        ("sample", 0, None),
        ("ended", None, None),
    ]
    assert len({event.broadcast for event in events}) == 1
    assert row.open is None


def test_a_room_of_livekit_from_its_start_to_its_end():
    """Its publisher is no viewer; one of two viewers leaves, then the room is closed."""
    row, events = None, []
    for vector in (v for v in VECTORS if v["source"] == "livekit"):
        for seen in read(vector):
            row = row or Channel(seen.endpoint, seen.platform, seen.channel)
            events += apply(row, seen)
            assert apply(row, seen) is None  # sent again, it counts once
    assert [(event.kind, event.viewers, event.joins) for event in events] == [
        ("started", None, None),
        ("sample", 1, 1),
        ("sample", 2, 2),
        ("sample", 1, None),
        ("sample", 0, None),
        ("ended", None, None),
    ]
    (broadcast,) = {event.broadcast for event in events}
    assert broadcast.startswith("RM_")
    assert (row.channel, row.open) == ("gallery", None)


def test_a_hub_has_delivered_a_hint():
    (vector,) = (v for v in VECTORS if v["source"] == "youtube")
    (hint,) = read(vector)
    assert (hint.kind, hint.channel) == ("announced", "dQw4w9WgXcQ")


def test_twitch_events_of_other_types_are_of_no_interest():
    (vector,) = (v for v in VECTORS if v["source"] == "twitch")
    assert not read(vector)
