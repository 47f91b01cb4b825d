"""Every source that signs: its own deliveries pass, and whatever is changed in them is refused."""

import hmac

import pytest
from deliveries import (
    NOW_S,
    SECRET,
    SIGNED,
    TWITCH_BODY,
    delivery,
    endpoint,
    livekit,
    plain_hmac,
    standard,
    twitch,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.gateway.delivery import Unverified
from agents.gateway.sources import SOURCES

ENDPOINTS = {name: endpoint(name) for name in SIGNED}


def verify(name, headers, body, secrets=None, now=NOW_S):
    secrets = [SIGNED[name][1]] if secrets is None else secrets
    return SOURCES[name].verify(delivery(headers, body), secrets, ENDPOINTS[name], now)


def test_every_source_that_signs_is_here():
    assert set(SIGNED) == {name for name, source in SOURCES.items() if source.signed}


@pytest.mark.parametrize("name", SIGNED)
def test_its_own_delivery_passes_with_either_of_two_secrets(name):
    make, secret = SIGNED[name]
    verified = verify(name, *make())
    other = {
        "standard-webhooks": b"whsec_AAAAAAAAAAAAAAAAAAAAAAAA",
        "livekit": b"APIkey:another-secret-that-is-long-enough",
    }.get(name, b"another secret")
    if name != "kick":
        assert verify(name, *make(), secrets=[other, secret]) == verified
        assert verify(name, *make(), secrets=[secret, other]) == verified
        with pytest.raises(Unverified, match="signature"):
            verify(name, *make(), secrets=[other])


@pytest.mark.parametrize("name", SIGNED)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_one_changed_byte_anywhere_is_refused(name, data):
    headers, body = SIGNED[name][0]()
    parts = [body, *(value.encode() for _, value in headers)]
    part = data.draw(st.integers(0, len(parts) - 1), "part")
    at = data.draw(st.integers(0, len(parts[part]) - 1), "at")
    least = 0 if part == 0 else 32  # what HTTP lets through in a header
    most = 255 if part == 0 else 126
    byte = data.draw(st.integers(least, most).filter(lambda b: b != parts[part][at]), "byte")
    parts[part] = parts[part][:at] + bytes([byte]) + parts[part][at + 1 :]
    changed = [
        (header, value.decode()) for (header, _), value in zip(headers, parts[1:], strict=True)
    ]
    with pytest.raises(Unverified):
        verify(name, changed, parts[0])


@pytest.mark.parametrize("name", SIGNED)
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_a_byte_more_or_less_and_bytes_that_move_are_refused(name, data):
    headers, body = SIGNED[name][0]()
    parts = [body, *(value.encode() for _, value in headers)]
    part = data.draw(st.integers(0, len(parts) - 1), "part")
    at = data.draw(st.integers(0, len(parts[part]) - 1), "at")
    moved = parts[part][at : at + 1]
    parts[part] = parts[part][:at] + parts[part][at + 1 :]
    to = data.draw(st.none() | st.integers(0, len(parts) - 1).filter(lambda p: p != part), "to")
    if to is not None:
        where = data.draw(st.sampled_from([0, len(parts[to])]), "where")
        parts[to] = parts[to][:where] + moved + parts[to][where:]
    changed = [
        (header, value.decode("latin-1"))
        for (header, _), value in zip(headers, parts[1:], strict=True)
    ]
    with pytest.raises(Unverified):
        verify(name, changed, parts[0])


@pytest.mark.parametrize("name", SIGNED)
def test_a_header_that_is_missing_or_there_twice_is_refused(name):
    headers, body = SIGNED[name][0]()
    for number, (header, value) in enumerate(headers):
        without = headers[:number] + headers[number + 1 :]
        with pytest.raises(Unverified, match="missing"):
            verify(name, without, body)
        with pytest.raises(Unverified, match="repeated"):
            verify(name, [*headers, (header, value)], body)


#: These sign no time: what is repeated changes nothing, or counts once.
TIMED = sorted(set(SIGNED) - {"meta", "youtube"})


@pytest.mark.parametrize("name", TIMED)
def test_what_is_too_old_is_refused(name):
    headers, body = SIGNED[name][0]()
    with pytest.raises(Unverified, match="time"):
        verify(name, headers, body, now=NOW_S + 3600)


@pytest.mark.parametrize("name", sorted(set(TIMED) - {"livekit"}))
def test_what_is_from_ahead_is_refused(name):
    headers, body = SIGNED[name][0]()
    with pytest.raises(Unverified, match="time"):
        verify(name, headers, body, now=NOW_S - 3600)


def test_the_vector_of_the_standard_webhooks_libraries():
    headers = [
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    ]
    body = b'{"test": 2432232314}'
    verified = verify("standard-webhooks", headers, body, now=1614265330 + 299)
    assert verified.id == "msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert verified.at == 1614265330 * 1_000_000
    with pytest.raises(Unverified, match="301 s old"):
        verify("standard-webhooks", headers, body, now=1614265330 + 301)


def test_one_signature_of_a_list_suffices_and_svix_headers_are_the_same():
    headers, body = standard()
    signature = headers[2][1]
    for listed in (f"v1a,unknown {signature}", f"{signature} nonsense", f"v2,x {signature}"):
        assert verify("standard-webhooks", [*headers[:2], ("webhook-signature", listed)], body)
    svix = [(name.replace("webhook", "svix"), value) for name, value in headers]
    assert verify("standard-webhooks", svix, body)
    with pytest.raises(Unverified, match="over 20"):
        verify(
            "standard-webhooks", [*headers[:2], ("webhook-signature", f"{signature} " * 30)], body
        )


def test_bodies_that_are_no_text_are_verified_all_the_same():
    body = b"\xff\xfe"
    headers, _ = plain_hmac(body)
    assert verify("hmac", headers, body)


def test_a_plain_hmac_without_an_id_is_known_by_its_digest():
    options = {"header": "X-Hub-Signature", "prefix": "sha1=", "digest": "sha1"}
    point = endpoint("hmac", hmac=options)
    body = b"{}"
    headers = [("x-hub-signature", "sha1=" + hmac.new(SECRET, body, "sha1").hexdigest())]
    source = SOURCES["hmac"]
    first = source.verify(delivery(headers, body), [SECRET], point, NOW_S)
    assert first.id
    assert source.verify(delivery(headers, body), [SECRET], point, NOW_S + 9) == first


def test_livekit_takes_a_token_again_that_has_just_expired():
    headers, body = livekit(at=NOW_S - 330)
    assert verify("livekit", headers, body)
    headers, body = livekit(at=NOW_S - 400)
    with pytest.raises(Unverified, match="expired"):
        verify("livekit", headers, body)


def test_livekit_takes_no_token_without_a_signature():
    token = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJpc3MiOiJBUElrZXkifQ."
    with pytest.raises(Unverified):
        verify("livekit", [("authorization", token)], b"{}")


@settings(max_examples=200, deadline=None)
@given(
    headers=st.lists(
        st.tuples(
            st.sampled_from(sorted({h for make, _ in SIGNED.values() for h, _ in make()[0]})),
            st.text(max_size=60),
        ),
        max_size=6,
    ),
    body=st.binary(max_size=60),
    name=st.sampled_from(sorted(SIGNED)),
)
def test_whatever_a_stranger_sends_is_refused_in_words(headers, body, name):
    with pytest.raises(Unverified):
        verify(name, headers, body)


def test_twitch_takes_ten_minutes_and_not_more():
    assert verify("twitch", *twitch(TWITCH_BODY), now=NOW_S + 590)
    with pytest.raises(Unverified, match="time"):
        verify("twitch", *twitch(TWITCH_BODY), now=NOW_S + 610)
