"""Subscriptions are made, renewed before they lapse, once, by whoever has them: against servers
that behave as the documents say."""

import contextlib
import datetime as dt
import math
from collections import Counter

import pytest
from aiohttp import web
from deliveries import FEED, PEM
from platform_servers import CLIENT, CLIENT_SECRET
from simulated_evening import PARTITIONS, Clock, Control, Part
from subscription_servers import PUBLIC, EventSub, Hub, KickEvents

from agents.gateway.config import Config
from agents.gateway.intake import Intake
from agents.gateway.metrics import GatewayMetrics
from agents.gateway.server import Hooks
from agents.gateway.service import subscribers_of
from agents.gateway.subscribing import listed
from agents.gateway.subscribing.trying import tried
from agents.gateway.topics import GatewayTopics
from streams.settings import Settings

START = dt.datetime(2026, 11, 27, 19, tzinfo=dt.UTC).timestamp()
HOUR = 3600
DAY = 24 * HOUR
CHANNELS = [f"UC{number}" for number in range(12)]
TOPICS = [f"https://www.youtube.com/feeds/videos.xml?channel_id={each}" for each in CHANNELS]


@pytest.fixture(autouse=True)
def secrets_of_the_tests(monkeypatch):
    monkeypatch.setenv("S", "secret-of-the-hub-1")
    monkeypatch.setenv("P", "path-secret-of-the-tests-1")
    monkeypatch.setenv("APP", CLIENT_SECRET)
    monkeypatch.setattr(listed, "_PACE", 0.0)


def youtube(server, **more):
    return {
        "name": "videos",
        "source": "youtube",
        "secrets": [{"env": "S"}],
        "path_secrets": [{"env": "P"}],
        "subscribed": CHANNELS,
        "subscribe": {"api": server.address, **more},
    }


def app(source, server, channels):
    pem = {"twitch": "S", "kick": "PEM"}[source]
    address = {"api": server.address, "login": server.address}
    return {
        "name": source,
        "source": source,
        "secrets": [{"env": pem}],
        "subscribed": channels,
        "subscribe": {"client_id": CLIENT, "secret": {"env": "APP"}, **address},
    }


class Gateway:
    """What of a gateway takes part in this: its HTTP, its partitions, its subscribers."""

    def __init__(self, endpoint, control, clock, owned=range(PARTITIONS)):
        self.config = Config.model_validate({"endpoint": [endpoint], "public": PUBLIC})
        self.part = Part(control, owned)
        self.metrics = GatewayMetrics(self.config, lambda: 0, lambda: None)
        topics = GatewayTopics.of(Settings())
        intakes = {each.name: Intake(each, topics) for each in self.config.endpoint}
        hooks = Hooks(self.config, intakes, control, self.metrics, clock)
        self.runner = web.AppRunner(hooks.app(), access_log=None, shutdown_timeout=0.1)
        (self.subscriber,) = subscribers_of(
            Settings(), self.config, self.part, lambda: PARTITIONS, control, self.metrics
        )
        self.subscriber._clock = clock
        self.address = ""

    async def __aenter__(self):
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.address = f"http://127.0.0.1:{self.runner.addresses[0][1]}"
        await self.subscriber.client.start()
        return self

    async def __aexit__(self, *error):
        await self.subscriber.client.stop()
        await self.runner.cleanup()

    def states(self):
        of = "audience_gateway_subscriptions"
        name = self.config.endpoint[0].name
        value = self.metrics.registry.get_sample_value
        found = {
            state: value(of, {"endpoint": name, "state": state})
            for state in ("active", "pending", "expiring", "refused")
        }
        return {state: int(count) for state, count in found.items() if count}

    def ends(self):
        name = self.config.endpoint[0].name
        of = "audience_gateway_subscription_ends_timestamp_seconds"
        return self.metrics.registry.get_sample_value(of, {"endpoint": name})


async def run(clock, server, gateways, seconds, step):
    for _ in range(int(seconds / step)):
        for gateway in gateways:
            await gateway.subscriber.step()
        await server.settled()
        clock.now += step
    for gateway in gateways:
        await gateway.subscriber.step()


@contextlib.asynccontextmanager
async def at_a_hub(count=1, **more):
    """A hub, and gateways that share the partitions."""
    clock, control = Clock(START), Control()
    async with Hub(clock) as hub, contextlib.AsyncExitStack() as stack:
        parts = [range(PARTITIONS)[number::count] for number in range(count)]
        made = [Gateway(youtube(hub, **more), control, clock, part) for part in parts]
        gateways = [await stack.enter_async_context(each) for each in made]
        # Its calls reach any of the gateways.
        hub.reach = gateways[-1].address
        yield clock, control, hub, gateways


async def test_a_hub_is_asked_once_confirms_and_is_asked_again_at_half_the_lease():
    async with at_a_hub() as (clock, control, hub, gateways):
        (gateway,) = gateways
        await run(clock, hub, gateways, 60, 1)
        assert hub.asked == Counter(TOPICS)
        assert len(hub.kept) == len(CHANNELS)
        assert gateway.states() == {"active": len(CHANNELS)}
        assert gateway.ends() == pytest.approx(START + 5 * DAY, abs=60)
        # What it sends is taken.
        assert await hub.distribute(TOPICS[3], FEED) == [200]
        # A gateway that is started anew knows that all is well.
        async with Gateway(youtube(hub), control, clock) as anew:
            await run(clock, hub, [anew], 2 * DAY, HOUR)
            assert hub.asked == Counter(TOPICS)
            assert anew.states() == {"active": len(CHANNELS)}
            await run(clock, hub, [anew], DAY, HOUR)
            assert hub.asked == Counter(TOPICS * 2)
            await run(clock, hub, [anew], 20 * DAY, 6 * HOUR)
            assert all(ends > clock() for _, ends in hub.kept.values())
            assert anew.states() == {"active": len(CHANNELS)}
    assert hub.served.wrong == []


async def test_two_gateways_share_the_channels_and_one_goes_on_for_both():
    async with at_a_hub(2) as (clock, _control, hub, gateways):
        await run(clock, hub, gateways, 60, 1)
        assert hub.asked == Counter(TOPICS)
        counts = [gateway.states()["active"] for gateway in gateways]
        assert sum(counts) == len(CHANNELS)
        assert all(counts)
        gateways[0].part.owned, gateways[1].part.owned = set(), set(range(PARTITIONS))
        await run(clock, hub, gateways, DAY, HOUR)
        assert hub.asked == Counter(TOPICS)
        assert [gateway.states() for gateway in gateways] == [{}, {"active": len(CHANNELS)}]
        assert gateways[0].ends() == math.inf
        await run(clock, hub, gateways, 2 * DAY, HOUR)
        assert hub.asked == Counter(TOPICS * 2)


async def test_a_changed_secret_or_address_is_told_at_once(monkeypatch):
    async with at_a_hub() as (clock, control, hub, gateways):
        await run(clock, hub, gateways, 60, 1)
        for name, value in (("S", "secret-of-the-hub-2"), ("P", "path-secret-of-the-tests-2")):
            monkeypatch.setenv(name, value)
            async with Gateway(youtube(hub), control, clock) as anew:
                hub.reach = anew.address
                before = hub.asked.total()
                await run(clock, hub, [anew], 60, 1)
                assert hub.asked.total() == before + len(CHANNELS)
                assert anew.states() == {"active": len(CHANNELS)}
        told = {secret for (_, callback), (secret, _) in hub.kept.items() if callback[-1] == "2"}
        assert told == {"secret-of-the-hub-2"}


async def test_what_is_not_confirmed_is_asked_for_again_and_seen():
    async with at_a_hub() as (clock, _control, hub, gateways):
        (gateway,) = gateways
        hub.silent = set(TOPICS[:2])
        hub.denies = {TOPICS[2]: "no such feed"}
        await run(clock, hub, gateways, 3000, 30)
        assert hub.asked[TOPICS[0]] in {5, 6}
        assert hub.asked[TOPICS[2]] == 1
        others = len(CHANNELS) - 3
        assert gateway.states() == {"active": others, "pending": 2, "refused": 1}
        warned = gateway.metrics.registry.get_sample_value(
            "audience_gateway_warnings_total", {"endpoint": "videos"}
        )
        assert warned == 1
        hub.silent, hub.denies = set(), {}
        await run(clock, hub, gateways, 2 * HOUR, 60)
        assert gateway.states() == {"active": len(CHANNELS)}
        # One that is not renewed is told of long before it lapses.
        hub.silent = set(TOPICS)
        await run(clock, hub, gateways, 3.9 * DAY, HOUR)
        assert gateway.states() == {"expiring": len(CHANNELS)}
        await run(clock, hub, gateways, 2 * DAY, HOUR)
        assert gateway.states() == {"pending": len(CHANNELS)}
        assert gateway.ends() < clock()


async def test_a_hub_that_refuses_or_fails_is_left_alone_for_a_while():
    async with at_a_hub() as (clock, _control, hub, gateways):
        (gateway,) = gateways
        busy = [lambda _: web.Response(status=429, headers={"Retry-After": "120"})]
        hub.script.extend(busy)
        await run(clock, hub, gateways, 110, 5)
        assert sum(hub.served.statuses.values()) == 1
        hub.script.extend([lambda _: web.Response(status=404, text="unknown")])
        await run(clock, hub, gateways, 60, 5)
        assert hub.served.statuses == Counter({429: 1, 404: 1, 202: len(CHANNELS) - 1})
        assert gateway.states() == {"active": len(CHANNELS) - 1, "refused": 1}
        await run(clock, hub, gateways, HOUR + 300, 60)
        assert gateway.states() == {"active": len(CHANNELS)}


async def test_what_kafka_did_not_store_is_asked_for_again():
    async with at_a_hub() as (clock, control, hub, gateways):
        control.away = True
        await run(clock, hub, gateways, 10, 1)
        # The handshake is answered once it is stored, and so is not answered now.
        assert hub.kept == {}
        control.away = False
        await run(clock, hub, gateways, 60, 5)
        assert gateways[0].states() == {"active": len(CHANNELS)}
        assert len(hub.kept) == len(CHANNELS)


async def test_twitch_has_both_types_of_each_channel_and_what_it_revokes_is_made_anew():
    clock, control = Clock(START), Control()
    async with EventSub(clock) as server:
        endpoint = app("twitch", server, ["11", "12", "13"])
        others = [
            server.row("11", "stream.online", "https://other.example.org/", "enabled"),
            server.row("99", "stream.online", f"{PUBLIC}/hooks/twitch", "enabled"),
        ]
        server.rows = list(others)
        server.unknown = {"13"}
        async with (
            Gateway(endpoint, control, clock) as gateway,
            Gateway(endpoint, control, clock, ()) as idle,
        ):
            server.reach = gateway.address
            await run(clock, server, [idle, gateway], 120, 10)
            types = ("stream.online", "stream.offline")
            assert server.made == Counter((user, of) for user in ("11", "12") for of in types)
            assert gateway.states() == {"active": 4, "refused": 2}
            assert idle.states() == {}
            assert server.served.wrong == ["bad request"] * 2
            # One is revoked, and of one nothing is left.
            assert server.rows[:2] == others
            server.rows[2]["status"] = "notification_failures_exceeded"
            gone = server.rows.pop()
            await run(clock, server, [idle, gateway], 900, 30)
            assert gateway.states() == {"active": 4, "refused": 2}
            assert sorted(server.made.values()) == [1, 1, 2, 2]
            user, of = gone["condition"]["broadcaster_user_id"], gone["type"]
            assert server.made[user, of] == 2
            looked = Gateway(endpoint, control, clock).subscriber
            assert await tried(looked) == ("4 of 6 subscriptions are active", True)
            assert {row["status"] for row in server.rows} == {"enabled"}
            assert server.rows[:2] == others
            # Another gateway takes over, and finds all there.
            gateway.part.owned, idle.part.owned = set(), set(range(PARTITIONS))
            server.unknown = set()
            await run(clock, server, [idle, gateway], 120, 10)
            assert idle.states() == {"active": 6}
            assert gateway.states() == {}
        assert sum(server.made.values()) == 8


async def test_a_key_that_is_not_taken_is_seen_without_subscribing(monkeypatch):
    monkeypatch.setenv("APP", "wrong-secret")
    clock, control = Clock(START), Control()
    async with EventSub(clock) as server:
        gateway = Gateway(app("twitch", server, ["11"]), control, clock)
        said, is_taken = await tried(gateway.subscriber)
        assert (said, is_taken) == ("no token: status 403", False)
        hub = Gateway(youtube(server), control, clock)
        assert await tried(hub.subscriber) is None
        assert server.made == Counter()


async def test_kick_has_what_is_missing_in_its_list(monkeypatch):
    monkeypatch.setenv("PEM", PEM.decode())
    clock, control = Clock(START), Control()
    async with KickEvents(clock) as server:
        server.unknown = {3}
        async with Gateway(app("kick", server, ["1", "2", "3"]), control, clock) as gateway:
            await run(clock, server, [gateway], 120, 10)
            assert gateway.states() == {"active": 2, "refused": 1}
            server.rows.clear()  # Kick gives up an app that fails for a day
            await run(clock, server, [gateway], 900, 30)
            assert gateway.states() == {"active": 2, "refused": 1}
            server.script.extend([lambda _: web.Response(status=503)] * 2)
            await run(clock, server, [gateway], 900, 30)
            calls = gateway.metrics.registry.get_sample_value(
                "audience_gateway_subscription_calls_total",
                {"endpoint": "kick", "outcome": "failed"},
            )
            assert calls == 2
    assert server.served.wrong == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"source": "mux"}, "subscribed, subscribe: are for the sources"),
        ({"subscribed": ["x"]}, "must be ids of users, which are numbers, got 'x'"),
        ({"subscribed": ["1", "1"]}, "subscribed: one is there twice"),
        ({"subscribed": []}, "subscribed: is missing: ids of users"),
        ({"subscribe": {}}, "subscribe: client_id: of the app, is missing"),
        ({"subscribe": None}, "subscribed: needs the table subscribe"),
        ({"public": ""}, "public: is missing: twitch is to be subscribed to"),
        ({"subscribe": {"api": "ftp://x"}}, "subscribe: api: must be https"),
        (
            {"source": "youtube", "subscribed": ["UC1"], "path_secrets": [{"env": "P"}]},
            "takes none",
        ),
    ],
)
def test_what_does_not_fit_is_said(change, says):
    endpoint = {
        "name": "twitch",
        "source": "twitch",
        "secrets": [{"env": "S"}],
        "subscribed": ["1"],
        "subscribe": {"client_id": "c", "secret": {"env": "APP"}},
    }
    public = change.pop("public", PUBLIC)
    with pytest.raises(ValueError, match=says):
        Config.model_validate({"endpoint": [endpoint | change], "public": public})


def test_a_missing_secret_of_the_app_is_named(monkeypatch):
    monkeypatch.delenv("APP")
    endpoint = {
        "name": "twitch",
        "source": "twitch",
        "secrets": [{"env": "S"}],
        "subscribed": ["1"],
        "subscribe": {"client_id": "c", "secret": {"env": "APP"}},
    }
    with pytest.raises(Exception, match="endpoint twitch: subscribe: environment APP: is empty"):
        Gateway(endpoint, Control(), Clock(START))
