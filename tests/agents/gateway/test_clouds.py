"""Tencent, Alibaba, IVS and Meta: what proves their deliveries, and what these mean."""

import hashlib
import json

import pytest
from deliveries import META_BODY, NOW, NOW_S, delivery, endpoint
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from agents.gateway.delivery import Delivery, Unreadable, Unverified
from agents.gateway.rows import Channel
from agents.gateway.sources import SOURCES, Verified
from agents.gateway.table import apply
from streams import rfc3339

KEY = b"a-key-of-the-tests"
PUSH = {
    "app": "push.example.org", "appname": "live", "stream_id": "gallery", "channel_id": "gallery",
    "event_type": 1, "event_time": NOW_S - 5, "sequence": "6674468118806626493",
    "push_duration": "0", "errcode": 0, "errmsg": "ok",
}  # fmt: skip  # read best close together


def tencent(expires=NOW_S + 600, key=KEY, **changes):
    sign = hashlib.md5(key + str(expires).encode()).hexdigest()
    return json.dumps({**PUSH, "t": expires, "sign": sign, **changes}).encode()


def get(query, headers=()):
    return Delivery("GET", headers, query, b"", NOW)


def read(name, given):
    return SOURCES[name].read(given, Verified(), endpoint(name))


def shown(*observations):
    """The viewer events that come of observations, in this order."""
    row = Channel(observations[0].endpoint, observations[0].platform, observations[0].channel)
    return [event for seen in observations for event in apply(row, seen) or ()]


# -- Tencent ---------------------------------------------------------------------------------------


def verify_tencent(body, now=NOW_S, secrets=(KEY,)):
    return SOURCES["tencent"].verify(delivery([], body), secrets, endpoint("tencent"), now)


def test_tencent_proves_that_it_knows_one_of_two_keys_until_it_expires():
    body = tencent()
    assert verify_tencent(body) == verify_tencent(body, secrets=(b"another-key", KEY))
    assert verify_tencent(body, now=NOW_S + 630)
    for now in (NOW_S + 670, NOW_S - 90):  # expired; made in a time to come
        with pytest.raises(Unverified, match="time"):
            verify_tencent(body, now=now)
    with pytest.raises(Unverified, match="signature"):
        verify_tencent(body, secrets=(b"another-key",))
    # Where no key is configured, the path alone is believed.
    assert verify_tencent(b"{}", secrets=())


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_changed_time_or_signature_of_tencent_is_refused(data):
    body = json.loads(tencent())
    name = data.draw(st.sampled_from(["t", "sign"]))
    text = str(body[name])
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("0123456789abcdef").filter(lambda c: c != text[at]))
    body[name] = text[:at] + other + text[at + 1 :]
    with pytest.raises(Unverified):
        verify_tencent(json.dumps(body).encode())


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"[]", "malformed"), (b"{", "malformed"), (tencent(sign=None), "missing"),
        (tencent(t=None), "missing"), (tencent(t=[1]), "malformed"), (tencent(t=-1), "malformed"),
        (tencent(sign="é"), "signature"),
    ],
)  # fmt: skip  # pairs
def test_what_is_no_signature_of_tencent(body, reason):
    with pytest.raises(Unverified, match=reason):
        verify_tencent(body)


def test_tencent_begins_and_ends_one_broadcast_in_either_order():
    (start,) = read("tencent", delivery([], tencent())).observations
    ended = tencent(event_type=0, event_time=NOW_S, push_duration="5000")
    (end,) = read("tencent", delivery([], ended)).observations
    assert start.channel == end.channel == "push.example.org/live/gallery"
    assert (start.kind, start.at) == ("started", (NOW_S - 5) * 1_000_000)
    for order in ((start, end), (end, start)):
        events = shown(*order)
        assert {event.broadcast for event in events} == {PUSH["sequence"]}
        assert {event.kind for event in events} == {"started", "ended"}
    again = read("tencent", delivery([], tencent(sequence="7", event_time=NOW_S + 9)))
    assert again.observations[0].broadcast == "7"
    assert again.answer.body == b'{"code":0}'
    assert not read("tencent", delivery([], tencent(event_type=321))).observations
    for wrong in ({"event_type": "1"}, {"sequence": None}, {"event_time": "soon"}):
        with pytest.raises(Unreadable):
            read("tencent", delivery([], tencent(**wrong)))


# -- Alibaba ---------------------------------------------------------------------------------------

QUERY = "action=publish&ip=10.0.0.1&id=gallery&app=learn.aliyundoc.com&appname=live&time=%d"


def alibaba(stamp, signature, query=QUERY % 1519375990):
    return get(query, [("ali-live-timestamp", stamp), ("ali-live-signature", signature)])


def test_the_documented_inputs_of_alibabas_signature():
    """Domain, time and key as its documentation has them; their MD5 by another program."""
    source, point, now = SOURCES["alibaba"], endpoint("alibaba"), 1519375990
    right = alibaba("1519375990", "9e226fc2c250be266e3657e156f68c12")
    assert source.verify(right, [b"yourkey"], point, now).at == now * 1_000_000
    assert source.verify(right, [b"another", b"yourkey"], point, now + 299)
    for wrong, key, reason in (
        (alibaba("1519375991", "9e226fc2c250be266e3657e156f68c12"), b"yourkey", "signature"),
        (alibaba("1519375990", "8e226fc2c250be266e3657e156f68c12"), b"yourkey", "signature"),
        (alibaba("1519375990", "9E226FC2C250BE266E3657E156F68C12"), b"yourkey", "signature"),
        (alibaba("1519375990", "9e226fc2c250be266e3657e156f68c12", "app=x.org"), b"yourkey", "sig"),
        (right, b"yourkez", "signature"),
        (get(QUERY % 1), b"yourkey", "missing"),
    ):
        with pytest.raises(Unverified, match=reason):
            source.verify(wrong, [key], point, now)
    with pytest.raises(Unverified, match="time"):
        source.verify(right, [b"yourkey"], point, now + 301)
    assert source.verify(get(QUERY % 1), [], point, now)


def test_alibaba_tells_by_its_query_and_what_it_sends_again_counts_once():
    (start,) = read("alibaba", get(QUERY % NOW_S)).observations
    assert (start.channel, start.kind) == ("learn.aliyundoc.com/live/gallery", "started")
    done = (QUERY % (NOW_S + 600)).replace("publish", "publish_done")
    (end,) = read("alibaba", get(done)).observations
    events = shown(start, start, end)
    assert [event.kind for event in events] == ["started", "ended"]
    assert len({event.broadcast for event in events}) == 1
    for wrong in ("action=other", "action=publish", QUERY % 0 + "x"):
        with pytest.raises(Unreadable):
            read("alibaba", get(wrong))


# -- Amazon IVS ------------------------------------------------------------------------------------

ARN = "arn:aws:ivs:us-east-1:123456789012:channel/abcdefghijkl"


def ivs(event, at="2026-11-27T20:00:00Z", **detail):
    return json.dumps(
        {
            "version": "0", "id": f"{event} {at}", "source": "aws.ivs", "time": at,
            "detail-type": "IVS Stream State Change", "resources": [ARN],
            "detail": {"event_name": event, "stream_id": "st-1", "channel_name": "a", **detail},
        }
    ).encode()  # fmt: skip  # read best close together


def test_ivs_may_tell_the_end_before_the_start():
    (start,) = read("ivs", delivery([], ivs("Stream Start"))).observations
    (end,) = read("ivs", delivery([], ivs("Stream End", "2026-11-27T21:00:00Z"))).observations
    assert start.channel == ARN
    for order in ((start, end), (end, start)):
        assert {event.broadcast for event in shown(*order)} == {"st-1"}
        row = Channel(start.endpoint, start.platform, start.channel)
        for seen in order:
            apply(row, seen)
        assert row.open is None
    for event in ("Session Created", "Session Ended", "Stream Takeover"):
        assert not read("ivs", delivery([], ivs(event))).observations
    assert "failed stream" in read("ivs", delivery([], ivs("Stream Failure"))).warning
    assert not read("ivs", delivery([], b'{"source": "aws.ec2"}')).observations
    with pytest.raises(Unreadable, match="stream_id"):
        read("ivs", delivery([], ivs("Stream Start", stream_id=None)))


# -- Meta ------------------------------------------------------------------------------------------


def test_meta_tells_of_live_videos_and_answers_its_handshake():
    (start,) = read("meta", delivery([], META_BODY)).observations
    assert (start.channel, start.broadcast, start.kind) == ("1001", "2002", "started")
    assert start.at == (NOW_S - 10) * rfc3339.SECOND
    stopped = META_BODY.replace(b'"live"', b'"LIVE_STOPPED"')
    (end,) = read("meta", delivery([], stopped)).observations
    assert [event.kind for event in shown(start, start, end)] == ["started", "ended"]
    assert not read(
        "meta", delivery([], META_BODY.replace(b'"live"', b'"processing"'))
    ).observations

    asked = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=x"
    handshake = get(asked)
    source, point = SOURCES["meta"], endpoint("meta")
    assert read("meta", handshake).answer.body == b"1158201444"
    assert source.verify(handshake, [KEY], point, NOW_S) == Verified()  # proven by its path
    for wrong in (
        "hub.mode=unsubscribe&hub.challenge=1",
        "hub.mode=subscribe",
        asked + "&hub.challenge=<a>",
    ):
        with pytest.raises(Unreadable):
            read("meta", get(wrong))
    with pytest.raises(ValidationError, match="path_secrets: is missing"):
        endpoint("meta", path_secrets=[])
