"""What each source reads of its deliveries."""

import json

import pytest
from deliveries import (
    KICK_BODY,
    LIVEKIT_BODY,
    MUX_BODY,
    NOW,
    NOW_S,
    SAMPLE,
    TWITCH_BODY,
    delivery,
    endpoint,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.gateway.delivery import Unreadable
from agents.gateway.observation import decode, encode
from agents.gateway.sources import SOURCES, Verified
from streams import rfc3339

VERIFIED = Verified("m1", NOW)


def read(name, body, **more):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return SOURCES[name].read(delivery([], body), VERIFIED, endpoint(name, **more))


def one(name, body, **more):
    (found,) = read(name, body, **more).observations
    assert decode(encode(found)) == found
    return found


def at(text):
    return rfc3339.microseconds(text)


def test_a_mapping_says_where_fields_are():
    found = one("hmac", SAMPLE)
    assert (found.channel, found.kind, found.viewers) == ("gallery", "sample", 12)
    assert found.at == at("2026-11-27T20:00:20Z")
    assert (found.platform, found.id) == ("own", "m1")


def test_a_mapping_translates_kinds_and_goes_deep():
    mapping = {
        "channel": "stream.id",
        "kind": "event",
        "kinds": {"live": "started", "over": "ended", "tick": "sample"},
        "at": "when",
        "title": "stream.title",
    }
    body = {"event": "live", "when": NOW_S, "stream": {"id": 7, "title": "t" * 300}}
    found = one("hmac", body, mapping=mapping)
    assert (found.channel, found.kind, found.at) == ("7", "started", NOW_S * 1_000_000)
    assert found.title == "t" * 200
    assert not read("hmac", {**body, "event": "other"}, mapping=mapping).observations


@pytest.mark.parametrize("viewers", [None, -1])
def test_unknown_viewers_are_not_zero(viewers):
    assert one("hmac", {**json.loads(SAMPLE), "viewers": viewers}).viewers is None
    assert one("hmac", {**json.loads(SAMPLE), "viewers": 0}).viewers == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"channel": None}, "channel: must be a text"),
        ({"channel": ""}, "channel: must be a text"),
        ({"channel": "x" * 513}, "channel: must be a text"),
        ({"channel": ["x"]}, "channel: must be a text"),
        ({"viewers": "many"}, "viewers: must be a whole number"),
        ({"viewers": True}, "viewers: must be a whole number"),
        ({"viewers": 1.5}, "viewers: must be a whole number"),
        ({"at": "yesterday"}, "at: "),
        ({"at": None}, "at: is missing"),
    ],
)
def test_what_cannot_be_mapped_says_why(change, said):
    with pytest.raises(Unreadable, match=said):
        read("hmac", {**json.loads(SAMPLE), **change})


def test_twitch_answers_the_challenge_with_its_text_alone():
    reading = read("twitch", {"challenge": "pogchamp-kappa", "subscription": {}})
    assert reading.answer.body == b"pogchamp-kappa"
    assert reading.answer.content_type == "text/plain"
    assert not reading.observations


def test_twitch_start_and_end():
    found = one("twitch", TWITCH_BODY)
    assert (found.channel, found.broadcast, found.kind) == ("1337", "9001", "started")
    assert found.at == found.started == at("2026-11-27T20:00:00Z")
    offline = {"subscription": {"type": "stream.offline"}, "event": {"broadcaster_user_id": "1337"}}
    found = one("twitch", offline)
    assert (found.kind, found.at, found.broadcast) == ("ended", NOW, None)


def test_twitch_tells_of_a_revocation():
    body = {"subscription": {"type": "stream.online", "status": "authorization_revoked"}}
    assert "authorization_revoked" in read("twitch", body).warning


def test_kick_start_and_end_are_one_broadcast_whatever_the_offset():
    start = one("kick", KICK_BODY)
    body = {**json.loads(KICK_BODY), "is_live": False, "started_at": "2026-11-27T20:00:00Z"}
    end = one("kick", {**body, "ended_at": "2026-11-27T21:00:00Z"})
    assert start.started == end.started == at("2026-11-27T20:00:00Z")
    assert (start.kind, end.kind, end.at) == ("started", "ended", at("2026-11-27T21:00:00Z"))
    assert not read("kick", {"broadcaster": {}, "content": "a chat message"}).observations


def test_mux_takes_active_for_the_start_and_idle_for_the_end():
    found = one("mux", MUX_BODY)
    assert (found.kind, found.broadcast, found.channel) == ("started", "asset-1", "stream-1")
    body = {**json.loads(MUX_BODY), "id": "evt-2", "type": "video.live_stream.idle"}
    body["data"] = {"id": "stream-1", "recent_asset_ids": ["asset-0", "asset-1"]}
    found = one("mux", body)
    assert (found.kind, found.broadcast, found.id) == ("ended", None, "evt-2")
    for other in ("video.live_stream.disconnected", "video.asset.ready"):
        assert not read("mux", {**body, "type": other}).observations


def test_livekit_counts_those_who_do_not_publish():
    found = one("livekit", LIVEKIT_BODY)
    assert (found.kind, found.broadcast, found.viewer) == ("joined", "RM_1", "PA_1")
    assert found.started == (NOW_S - 600) * 1_000_000
    body = json.loads(LIVEKIT_BODY)
    for change in ({"permission": {"canPublish": True}}, {"isPublisher": True}, {"kind": "AGENT"}):
        changed = {**body, "participant": {**body["participant"], **change}}
        assert not read("livekit", changed).observations
    assert one("livekit", {**body, "event": "participant_left"}).kind == "left"
    assert one("livekit", {**body, "event": "room_finished"}).kind == "ended"
    assert not read("livekit", {**body, "event": "track_published"}).observations


def test_icecast_lets_listeners_in_and_takes_the_query_off_a_mount():
    reading = read("icecast", b"action=listener_add&mount=%2Flive.ogg%3Fa%3D1&client=7")
    assert reading.answer.headers == {"icecast-auth-user": "1"}
    (found,) = reading.observations
    assert (found.channel, found.viewer, found.kind) == ("/live.ogg", "7", "joined")
    assert SOURCES["icecast"].go_on.headers == {"icecast-auth-user": "1"}


def test_nginx_tells_clients_of_two_addresses_apart():
    form = b"call=play&app=live&name=gallery&clientid=3&addr=10.0.0.%d"
    first, second = one("nginx-rtmp", form % 1), one("nginx-rtmp", form % 2)
    assert first.viewer != second.viewer
    assert first.key == second.key


def test_node_media_server():
    hook = {"id": "x1", "app": "a", "name": "b", "createtime": 1_000, "endtime": 9_000}
    found = one("node-media-server", {**hook, "action": "postPlay"})
    assert (found.channel, found.kind, found.viewer) == ("a/b", "joined", "x1")
    assert found.at == 1_000_000
    assert one("node-media-server", {**hook, "action": "donePublish"}).at == 9_000_000
    assert not read("node-media-server", {"action": "prePlay"}).observations


def test_srs_is_told_to_go_on_by_a_body_that_is_not_empty():
    hook = {"client_id": "c1", "vhost": "__defaultVhost__", "app": "live", "stream": "hall"}
    found = one("srs", {**hook, "action": "on_play"})
    assert (found.channel, found.kind, found.viewer) == ("live/hall", "joined", "c1")
    assert one("srs", {**hook, "action": "on_publish"}).kind == "started"
    other = one("srs", {**hook, "vhost": "tv.example.org", "action": "on_unpublish"})
    assert (other.channel, other.kind, other.viewer) == ("tv.example.org/live/hall", "ended", "")
    for action in ("on_play", "on_connect", "on_close", "on_hls"):
        assert read("srs", {**hook, "action": action}).answer.body == b"0"
    assert not read("srs", {**hook, "action": "on_connect"}).observations
    assert SOURCES["srs"].go_on.body == b"0"


def test_mediamtx_by_the_form_of_its_commands():
    found = one("mediamtx", b"event=read&path=tv%2Fhall&reader=r1")
    assert (found.channel, found.kind, found.viewer) == ("tv/hall", "joined", "r1")
    assert one("mediamtx", b"event=ready&path=hall").kind == "started"
    assert one("mediamtx", b"event=notready&path=hall").kind == "ended"
    for body, said in (
        (b"event=other&path=hall", "event: must be"),
        (b"event=read&path=hall", "reader: must be"),
        (b"event=ready", "path: must be"),
    ):
        with pytest.raises(Unreadable, match=said):
            read("mediamtx", body)


def test_owncast_starts_and_ends_and_its_chat_is_no_audience():
    told = {"id": "e1", "timestamp": "2026-11-27T20:00:00.5Z", "streamTitle": "A night"}
    found = one("owncast", {"type": "STREAM_STARTED", "eventData": told}, resume_seconds=7)
    assert (found.channel, found.kind, found.id) == ("live", "started", "e1")
    assert (found.at, found.title, found.resume) == (at(told["timestamp"]), "A night", 7)
    assert one("owncast", {"type": "STREAM_STOPPED", "eventData": told}).kind == "ended"
    assert not read("owncast", {"type": "USER_JOINED", "eventData": {}}).observations


def test_cloudflare_inputs_and_the_notification_that_tries_an_address():
    told = {
        "notification_name": "live",
        "input_id": "i1",
        "event_type": "live_input.connected",
        "updated_at": "2026-11-27T20:00:00.123456Z",
    }
    found = one("cloudflare-stream", {"name": "Live", "data": told, "ts": NOW_S})
    assert (found.channel, found.kind, found.at) == ("i1", "started", at(told["updated_at"]))
    ended = {**told, "event_type": "live_input.disconnected"}
    assert one("cloudflare-stream", {"data": ended}).kind == "ended"
    failed = {**told, "event_type": "live_input.errored"}
    assert "'i1'" in read("cloudflare-stream", {"data": failed}).warning
    assert not read("cloudflare-stream", {"text": "Hello World!"}).observations
    assert not SOURCES["cloudflare-stream"].goes_on


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["type", "event", "id", "data", "room", "sid", "subscription", "is_live", "action",
             "participant", "broadcaster", "started_at", "created_at", "createdAt", "channel",
             "at", "viewers", "challenge", "name", "app", "stream", "vhost", "eventData",
             "timestamp", "event_type", "input_id", "updated_at"]
        ),
        inner,
        max_size=6,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(name=st.sampled_from(sorted(SOURCES)), value=json_values | st.binary(max_size=100))
def test_whatever_a_sender_writes_is_read_or_refused_in_words(name, value):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    try:
        observations = read(name, body).observations
    except Unreadable:
        observations = ()
    for each in observations:
        assert decode(encode(each)) == each
        assert each.key.isalnum()


@pytest.mark.parametrize(
    ("name", "body", "present"),
    [
        ("nginx-rtmp", b"call=play&app=live&name=hall&clientid=1&addr=10.0.0.1", 90),
        ("icecast", b"action=listener_add&mount=%2Flive.ogg&client=7", 86_400),
        ("srs", {"action": "on_play", "app": "a", "stream": "s", "client_id": "c"}, 86_400),
        ("mediamtx", b"event=read&path=hall&reader=r1", 86_400),
        (
            "node-media-server",
            {"action": "postPlay", "app": "live", "name": "hall", "id": "s1", "createtime": 5_000},
            86_400,
        ),
    ],
)
def test_a_viewer_and_a_broken_stream_are_waited_for(name, body, present):
    """nginx says each 30 s who is there; the others say only who comes and goes."""
    found = one(name, body, resume_seconds=7)
    assert (found.kind, found.present_for, found.resume) == ("joined", present, 7)
