"""What may be polled, and what is said of a configuration that cannot be right."""

import pytest
from pydantic import ValidationError
from simulated_evening import config_of

from agents.gateway.poll_config import Poll
from agents.gateway.polling.platforms import PLATFORMS
from agents.gateway.polling.trying import described

YOUTUBE = {
    "name": "youtube",
    "source": "youtube",
    "secret": {"env": "KEY"},
    "channels": ["abcdefghijk"],
}
TWITCH = {
    "name": "counts",
    "source": "twitch",
    "secret": {"env": "SECRET"},
    "client_id": "client",
    "channels": ["1"],
}
PEERTUBE = {
    "name": "tube",
    "source": "peertube",
    "api": "https://tube.example.org",
    "channels": ["9c9de5e8-0a1e-484a-b099-e80766180a6d"],
}
HOOKS = {"name": "hooks", "source": "twitch", "secrets": [{"env": "X"}]}


@pytest.mark.parametrize(
    ("poll", "said"),
    [
        ({**YOUTUBE, "source": "tv"}, "source: must be one of youtube, twitch"),
        ({**TWITCH, "secret": None}, "secret: is missing"),
        ({**PEERTUBE, "api": ""}, "api: is missing: the address of your server"),
        ({**PEERTUBE, "secret": {"env": "KEY"}}, "secret: this source has none"),
        ({**PEERTUBE, "channels": ["9C9DE5E8"]}, "channels: must be long ids of videos"),
        ({**YOUTUBE, "client_id": "x"}, "client_id: this source has none"),
        ({**YOUTUBE, "login": "https://x"}, "login: this source has none"),
        ({**YOUTUBE, "channels": []}, "give channels, or the endpoint"),
        ({**YOUTUBE, "channels": ["short"]}, "ids of videos, of 11 characters, got 'short'"),
        ({**YOUTUBE, "channels": ["abcdefghijk"] * 2}, "one is there twice"),
        ({**TWITCH, "channels": ["gamesdonequick"]}, "ids of users, which are numbers"),
        ({**TWITCH, "client_id": ""}, "client_id: is missing"),
        ({**TWITCH, "client_id": "a\r\nb"}, "client_id"),
        ({**YOUTUBE, "budget": 1}, "greater than or equal to 60"),
        ({**YOUTUBE, "endpoint": "nowhere"}, "there is no endpoint nowhere"),
        ({**YOUTUBE, "endpoint": "hooks"}, "its platform is youtube, that of the endpoint"),
        ({**YOUTUBE, "name": "hooks"}, "hooks: is there 2 times"),
    ],
)
def test_each_mistake_in_words(poll, said):
    with pytest.raises(ValidationError, match=said):
        config_of(poll, endpoint=[HOOKS])


@pytest.mark.parametrize(
    "address",
    [
        "http://example.org",
        "https://example.org/path",
        "https://user:password@example.org",
        "https://example.org?key=1",
        "https://",
        "file:///etc/passwd",
        "ftp://example.org",
        "http://127.0.0.1.example.org",
        "http://169.254.169.254",
        "https://example.org:port",
    ],
)
def test_an_address_to_which_no_key_may_go(address):
    with pytest.raises(ValidationError, match="api: "):
        Poll.model_validate({**YOUTUBE, "api": address})


@pytest.mark.parametrize(
    "address", ["https://example.org", "https://example.org:8443/", "http://[::1]:80"]
)
def test_addresses_to_which_it_may(address):
    assert Poll.model_validate({**YOUTUBE, "api": address}).api == address


def test_the_legs_of_a_poll_are_named_by_it_or_by_its_endpoint():
    leg = {"endpoint": "youtube", "channel": "abcdefghijk"}
    config = config_of(YOUTUBE, venue=[{"name": "louvre", "channels": [leg]}])
    assert config.told == ("youtube",)
    polled = {**TWITCH, "endpoint": "hooks"}
    assert config_of(polled, endpoint=[HOOKS]).told == ("hooks",)
    with pytest.raises(ValidationError, match="there is no endpoint counts"):
        config_of(
            polled,
            endpoint=[HOOKS],
            venue=[{"name": "louvre", "channels": [{"endpoint": "counts", "channel": "1"}]}],
        )
    with pytest.raises(ValidationError, match="counts polls the endpoint hooks already"):
        config_of(polled, {**polled, "name": "other"}, endpoint=[HOOKS])


@pytest.mark.parametrize(("channels", "suffices"), [(300, True), (301, False)])
def test_check_says_for_how_many_a_budget_suffices(channels, suffices):
    names = [f"video{number:06d}" for number in range(channels)]
    poll = Poll.model_validate({**YOUTUBE, "channels": names})
    said, found = described(poll)
    assert said.startswith("10,000 units a day suffice for 300 live channels at a sample each min")
    assert found == suffices


@pytest.mark.parametrize("kind", PLATFORMS.values(), ids=lambda kind: kind.name)
def test_addresses_of_platforms_are_https_and_nothing_else(kind):
    for address in filter(None, (kind.api, kind.login)):
        assert address.startswith("https://")
        assert address.count("/") == 2
