"""The configuration is checked as a whole, and secrets are read anew."""

import pytest
from deliveries import endpoint

from agents.gateway.config import GatewayConfigError, SecretFrom, load
from agents.gateway.places import Places
from agents.gateway.secrets import Kept, SecretError, check_path_secret, check_secret
from streams import rfc3339

RIGHT = """
[[endpoint]]
name = "twitch"
source = "twitch"
secrets = [{ env = "TWITCH" }]

[[venue]]
name = "louvre"
channels = [{ endpoint = "twitch", channel = "1" }]

[[programme]]
name = "night"
channels = [{ endpoint = "twitch", channel = "1" }]
begins = 2026-11-27T20:00:00+01:00
ends = 2026-11-28T00:00:00Z
title = "(?i)night"
"""


@pytest.fixture
def loading(tmp_path):
    def call(text):
        file = tmp_path / "gateway.toml"
        file.write_text(text)
        return load(file)

    return call


def test_all_that_is_wrong_is_told_at_once_and_where(loading):
    wrong = """
    port = 70000
    colour = "red"
    [[endpoint]]
    name = "Twitch"
    source = "twitch"
    [[endpoint]]
    name = "own"
    source = "hmac"
    secrets = [{ env = "A", file = "b" }]
    [[endpoint]]
    name = "nginx"
    source = "nginx-rtmp"
    secrets = [{ env = "A" }]
    """
    with pytest.raises(GatewayConfigError) as caught:
        loading(wrong)
    told = "\n".join(caught.value.problems)
    for said in (
        "port: ",
        "colour: is no setting",
        "endpoint Twitch name: ",
        "endpoint own secrets number 1: give either file or env",
        "endpoint nginx: path_secrets: is missing",
    ):
        assert said in told, told


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('source = "twitch"', 'source = "twich"'), "must be one of standard-webhooks, hmac"),
        (('secrets = [{ env = "TWITCH" }]', ""), "secrets: is missing, for this source signs"),
        (('endpoint = "twitch", channel', 'endpoint = "kick", channel'), "no endpoint kick"),
        (("20:00:00+01:00", "20:00:00"), "begins: must have an offset"),
        (('"(?i)night"', '"("'), "no regular expression"),
        (("2026-11-28", "2026-11-20"), "ends: must be after begins"),
        (("[[venue]]", "[[venue"), "cannot be read"),
        ((RIGHT, ""), "endpoint: is missing"),
    ],
)
def test_each_mistake_in_words(loading, change, said):
    assert loading(RIGHT)
    with pytest.raises(GatewayConfigError, match=said.replace("(", "\\(")):
        loading(RIGHT.replace(*change))


def test_a_channel_has_one_venue(loading):
    other = '[[venue]]\nname = "versailles"\nchannels = [{ endpoint = "twitch", channel = "1" }]\n'
    with pytest.raises(GatewayConfigError, match="twitch 1 is at louvre already"):
        loading(RIGHT + other)


def test_venue_and_programme_of_a_broadcast(loading):
    places = Places(loading(RIGHT))
    assert places.venue("twitch", "1") == "louvre"
    assert places.venue("twitch", "2") is None
    during = rfc3339.microseconds("2026-11-27T19:00:00Z")
    assert places.programme("twitch", "1", during, "A Night") == "night"
    assert places.programme("twitch", "1", during - 1, "A Night") is None
    assert places.programme("twitch", "1", during, "Tea") is None
    assert places.programme("twitch", "1", during, None) is None
    assert places.programme("twitch", "2", during, "A Night") is None


def test_a_secret_is_read_anew_when_its_file_changes(tmp_path, logged):
    file = tmp_path / "secret"
    file.write_text("the first secret\n")
    now = [0.0]
    kept = Kept([SecretFrom(file=file)], check_secret(endpoint("mux")), lambda: now[0])
    assert kept.current() == [b"the first secret"]
    file.write_text("the second secret, longer\n")
    assert kept.current() == [b"the first secret"]  # not looked at yet
    now[0] += 1.0
    assert kept.current() == [b"the second secret, longer"]
    # What cannot be taken leaves the former one in force.
    for spoil in (lambda: file.write_text("short"), file.unlink):
        spoil()
        now[0] += 1.0
        assert kept.current() == [b"the second secret, longer"]
    new = tmp_path / "new"
    new.write_text("the third secret, longer still")
    new.replace(file)
    now[0] += 1.0
    assert kept.current() == [b"the third secret, longer still"]
    assert "secret, longer" not in str(logged)


@pytest.mark.parametrize(
    ("source", "value", "said"),
    [
        ("twitch", "short", "at least 10"),
        ("standard-webhooks", "whsec_!", "whsec_ and Base64"),
        ("livekit", "nocolon", "KEY:SECRET"),
        ("kick", "no key", "public key as PEM"),
        ("mux", "", "is empty"),
    ],
)
def test_a_wrong_secret_names_its_place_and_not_itself(monkeypatch, source, value, said):
    monkeypatch.setenv("A_SECRET", value)
    with pytest.raises(SecretError, match=said) as caught:
        Kept([SecretFrom(env="A_SECRET")], check_secret(endpoint(source)))
    assert "environment A_SECRET" in str(caught.value)
    assert not value or value not in str(caught.value)


@pytest.mark.parametrize("value", [b"short", b"with/a-slash-in-the-middle", "é".encode() * 20])
def test_a_secret_of_a_path_is_long_and_needs_no_escapes(value):
    with pytest.raises(ValueError, match="must "):
        check_path_secret(value)
    check_path_secret(b"a-long_secret-of-A-path")
