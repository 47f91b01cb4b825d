"""Polls against servers that behave as the platforms' documentation says."""

import asyncio
import datetime as dt

import pytest
from aiohttp import web
from platform_servers import (
    CLIENT,
    CLIENT_SECRET,
    KEY,
    PACIFIC,
    Show,
    TwitchServer,
    YouTubeServer,
)
from simulated_evening import (
    PARTITIONS,
    Clock,
    Control,
    Gateway,
    config_of,
    partition_of,
    run,
)

from agents.gateway.asking import Unanswered
from agents.gateway.observation import Observation
from agents.gateway.polling.edge import Edge
from agents.gateway.polling.trying import tried
from agents.gateway.secrets import SecretError
from streams import rfc3339

START = dt.datetime(2026, 11, 27, 11, tzinfo=PACIFIC).timestamp()  # 19:00 UTC
VIDEO = "abcdefghijk"


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    monkeypatch.setenv("YOUTUBE_KEY", KEY)
    monkeypatch.setenv("TWITCH_SECRET", CLIENT_SECRET)


def youtube(server, channels=(VIDEO,), **more):
    return {
        "name": "youtube",
        "source": "youtube",
        "secret": {"env": "YOUTUBE_KEY"},
        "api": server.address,
        "channels": channels,
        **more,
    }


def twitch(server, channels=("1",), **more):
    return {
        "name": "twitch",
        "source": "twitch",
        "secret": {"env": "TWITCH_SECRET"},
        "client_id": CLIENT,
        "api": server.address,
        "login": server.address,
        "channels": channels,
        **more,
    }


def told(events):
    return [(event.kind, event.at, event.viewers) for event in events]


def minutes(events):
    return [event.at[:16] for event in events if event.kind == "sample" and event.viewers]


async def test_a_youtube_show_from_its_true_start_to_its_true_end():
    clock = Clock(START)
    show = Show(VIDEO, START + 200, START + 860)
    control = Control()
    async with (
        YouTubeServer(clock, [show]) as server,
        Gateway(config_of(youtube(server)), control, clock) as gateway,
    ):
        await run(clock, [gateway], 1800)
    events = control.by_broadcast()[VIDEO]
    assert told(events)[0] == ("started", "2026-11-27T19:03:20Z", None)
    assert told(events)[-1] == ("ended", "2026-11-27T19:14:20Z", None)
    assert len(minutes(events)) == len(set(minutes(events))) >= 10
    assert events[1].title == f"Show {VIDEO}"
    assert events[1].views == 1000
    assert server.served.wrong == []
    # Once it is over, nothing more is asked.
    assert sum(server.spent.values()) < 20
    assert gateway.value("audience_gateway_polls_total", poll="youtube", outcome="answered") > 10
    assert gateway.value("audience_gateway_newest_poll_timestamp_seconds", poll="youtube") > START


async def test_a_hidden_count_is_unknown_and_never_0():
    clock = Clock(START)
    control = Control()
    async with (
        YouTubeServer(clock, [Show(VIDEO, START, START + 9999, hidden=True)]) as server,
        Gateway(config_of(youtube(server)), control, clock) as gateway,
    ):
        await run(clock, [gateway], 300)
    samples = [event for event in control.events if event.kind == "sample"]
    assert len(samples) >= 4
    assert {event.viewers for event in samples} == {None}


async def test_what_is_missing_is_unknown_and_ends_long_after_when_it_was_seen_last():
    clock = Clock(START)
    control = Control()
    gone = [START + 600, START + 900, START + 1500]
    show = Show("1", START - 3600, START + 99_999)
    async with (
        TwitchServer(clock, [show]) as server,
        Gateway(config_of(twitch(server)), control, clock) as gateway,
    ):

        def come_and_go():
            missing = gone[0] <= clock.now < gone[1] or clock.now >= gone[2]
            server.shows = {} if missing else {"1": show}

        await run(clock, [gateway], 2600, each=come_and_go)
    events = control.by_broadcast()["91"]
    assert told(events)[0] == ("started", "2026-11-27T18:00:00Z", None)
    assert [event.kind for event in events].count("ended") == 1  # five minutes end nothing
    last = [event for event in events if event.kind == "sample"][-1]
    assert told(events)[-1] == ("ended", last.at, None)
    assert all(event.viewers != 0 for event in events)
    assert server.served.wrong == []


async def test_a_broadcast_of_a_webhook_is_polled_while_it_is_open():
    clock = Clock(START)
    control = Control()
    at = int(START * rfc3339.SECOND)
    hooks = {"endpoint": [{"name": "hooks", "source": "twitch", "secrets": [{"env": "X"}]}]}
    async with TwitchServer(clock, [Show("7", START, START + 99_999)]) as server:
        config = config_of(twitch(server, (), endpoint="hooks"), **hooks)
        async with Gateway(config, control, clock) as gateway:
            await run(clock, [gateway], 60)
            assert server.served.ids == {}
            seen = Observation("hooks", "twitch", "7", "started", at, broadcast="97", started=at)
            control.take(seen)
            await run(clock, [gateway], 3)
            assert server.served.ids["7"] == 1  # at once: the first minute needs it
            await run(clock, [gateway], 300)
            end = int(clock() * rfc3339.SECOND)
            control.take(Observation("hooks", "twitch", "7", "ended", end))
            asked = server.served.ids["7"]
            # Twitch goes on to tell it for a while: that does not take its end back.
            await run(clock, [gateway], 300)
    assert asked in {5, 6, 7}
    assert server.served.ids["7"] <= asked
    assert [event.kind for event in control.events].count("started") == 1
    assert control.events[-1].kind == "ended"
    assert set(control.by_broadcast()) == {"97"}


async def test_a_stream_told_after_its_end_is_no_news_but_one_that_goes_on_is():
    clock = Clock(START)
    control = Control()
    hooks = {"endpoint": [{"name": "hooks", "source": "twitch", "secrets": [{"env": "X"}]}]}
    async with TwitchServer(clock, [Show("7", START, START + 99_999)]) as server:
        config = config_of(twitch(server, ("7",), endpoint="hooks"), **hooks)
        async with Gateway(config, control, clock) as gateway:
            await run(clock, [gateway], 180)
            end = int(clock() * rfc3339.SECOND)
            control.take(Observation("hooks", "twitch", "7", "ended", end))
            count = len(control.events)
            await run(clock, [gateway], 540)
            assert len(control.events) == count
            await run(clock, [gateway], 240)
    assert len(control.events) > count
    assert control.events[-1].viewers > 0


async def test_a_token_that_is_not_taken_any_more_is_replaced_once():
    clock = Clock(START)
    control = Control()
    async with (
        TwitchServer(clock, [Show("1", START, START + 9999)]) as server,
        Gateway(config_of(twitch(server)), control, clock) as gateway,
    ):
        await run(clock, [gateway], 70)
        first = set(server.tokens)
        server.tokens.clear()
        gateway.edges[0]._token_next = 0.0  # the last one was taken long ago
        await run(clock, [gateway], 120)
        assert len(first) == len(server.tokens) == 1
        assert server.served.statuses[401] == 1
        # With a secret that is refused, tokens are not asked for all the time.
        server.tokens.clear()
        gateway.edges[0]._secret._values[0] = b"wrong-secret"
        gateway.edges[0]._token_next = 0.0
        await run(clock, [gateway], 120)
    assert server.served.wrong.count("invalid client secret") == 1
    refused = gateway.value("audience_gateway_polls_total", poll="twitch", outcome="refused")
    failed = gateway.value("audience_gateway_polls_total", poll="twitch", outcome="failed")
    assert refused >= 2
    assert failed == 0


@pytest.mark.parametrize("header", ["Retry-After", "Ratelimit-Reset"])
async def test_429_is_obeyed(header):
    clock = Clock(START)
    control = Control()
    async with (
        TwitchServer(clock, [Show("1", START, START + 9999)]) as server,
        Gateway(config_of(twitch(server)), control, clock) as gateway,
    ):
        await run(clock, [gateway], 120)
        until = clock() + 150
        value = "150" if header == "Retry-After" else str(int(until))
        server.script.append(lambda _: web.Response(status=429, headers={header: value}))
        count = len(server.served.times)
        await run(clock, [gateway], 400)
    refused, after = server.served.times[count : count + 2]
    assert after >= refused + (150 if header == "Retry-After" else until - refused)
    assert gateway.value("audience_gateway_polls_total", poll="twitch", outcome="limited") == 1


async def test_units_that_are_used_up_are_left_alone(logged):
    clock = Clock(START)
    control = Control()
    async with (
        YouTubeServer(clock, [Show(VIDEO, START, START + 99_999)], units=3) as server,
        Gateway(config_of(youtube(server)), control, clock) as gateway,
    ):
        await run(clock, [gateway], 2 * 3600)
    assert 1 <= server.served.wrong.count("quotaExceeded") <= 3
    assert "quotaExceeded" in str(logged)
    assert KEY not in str(logged)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (lambda _: web.Response(status=503), "failed"),
        (lambda _: web.Response(text="<html>"), "unreadable"),
        (lambda _: web.json_response({"items": 7}), "unreadable"),
        (lambda _: web.Response(body=b"[" + b" " * 5_000_000), "failed"),
        (lambda _: web.Response(status=302, headers={"Location": "/youtube/v3/videos"}), "failed"),
        (lambda _: web.Response(status=403), "refused"),
        (lambda _: asyncio.sleep(1.5), "timeout"),
    ],
)
async def test_whatever_goes_wrong_means_nothing_and_is_tried_again(answer, outcome):
    clock = Clock(START)
    control = Control()
    async with YouTubeServer(clock, [Show(VIDEO, START, START + 9999)]) as server:
        config = config_of(youtube(server, timeout_seconds=1))
        async with Gateway(config, control, clock) as gateway:
            await run(clock, [gateway], 120)
            before = len(control.events)
            server.script.append(answer)
            while not gateway.value(
                "audience_gateway_polls_total", poll="youtube", outcome=outcome
            ):
                await run(clock, [gateway], 1)
            assert len(control.events) == before
            await run(clock, [gateway], 120)
    assert len(control.events) > before
    assert {event.kind for event in control.events[before:]} == {"sample"}
    assert all(event.viewers for event in control.events[before:])


async def test_rows_that_are_nonsense_are_unknown():
    clock = Clock(START)
    control = Control()
    right = {
        "id": VIDEO,
        "liveStreamingDetails": {"actualStartTime": "2026-11-27T19:00:00Z"},
        "statistics": {"viewCount": "many"},
    }
    rows = [
        7,
        {},
        {"id": "short"},
        {**right, "liveStreamingDetails": {"actualStartTime": "yesterday"}},
        {**right, "id": "another0000"},
    ]
    async with YouTubeServer(clock) as server:
        config = config_of(youtube(server, (VIDEO, "another0000")))
        async with Gateway(config, control, clock) as gateway:
            server.script.extend([lambda _: web.json_response({"items": rows})] * 3)
            await run(clock, [gateway], 60)
    assert set(control.by_broadcast()) == {"another0000"}
    assert {event.viewers for event in control.events} == {None}
    assert {event.views for event in control.events} == {None}


async def test_what_kafka_did_not_store_is_told_again():
    clock = Clock(START)
    control = Control()
    async with (
        YouTubeServer(clock, [Show(VIDEO, START - 60, START + 9999)]) as server,
        Gateway(config_of(youtube(server)), control, clock) as gateway,
    ):
        control.away = True
        await run(clock, [gateway], 60)
        assert gateway.value("audience_gateway_polls_lost_total", poll="youtube") >= 2
        control.away = False
        await run(clock, [gateway], 120)
    assert [event.kind for event in control.events][:2] == ["started", "sample"]


async def test_of_two_gateways_one_makes_full_calls_and_the_other_takes_over():
    clock = Clock(START)
    control = Control()
    shows = [Show(str(number), START, START + 9999) for number in range(1, 301)]
    async with TwitchServer(clock, shows) as server:
        config = config_of(twitch(server, [show.id for show in shows]))
        own = partition_of(config.poll[0].key)
        rest = set(range(PARTITIONS)) - {own}
        async with (
            Gateway(config, control, clock, {own}, "a") as first,
            Gateway(config, control, clock, rest, "b") as second,
        ):
            await run(clock, [first, second], 180)
            live = [gateway.pollers[0].schedule.live for gateway in (first, second)]
            assert live == [300, 0]
            # What a webhook opens is polled too, in whichever partition it lies.
            assert server.served.statuses[200] - 1 <= 4 * 3
            # The first one is killed in mid-minute, and is missed for 15 seconds.
            await run(clock, [second], 15)
            second.part.owned = set(range(PARTITIONS))
            await run(clock, [second], 165)
            assert second.pollers[0].schedule.live == 300
    for broadcast, events in control.by_broadcast().items():
        assert [event.kind for event in events].count("started") == 1, broadcast
        assert set(minutes(events)) == {f"2026-11-27T19:0{minute}" for minute in range(6)}
    assert server.served.wrong == []


async def test_what_a_budget_has_saved_survives_restarts_and_moves():
    clock = Clock(START)  # 11 hours of the day are over
    control = Control()
    show = Show(VIDEO, START, START + 99_999)
    async with YouTubeServer(clock, [show]) as server:
        config = config_of(youtube(server))
        async with Gateway(config, control, clock) as first:
            # Nothing was written down yet, so of the hours before nothing is left.
            await run(clock, [first], 5)
            assert first.pollers[0].budget.left(clock()) < 1
            await run(clock, [first], 3600, step=5)
            saved = first.pollers[0].budget.left(clock())
            assert saved > 300  # units of an hour that needed 60
        clock.now += 1800  # nobody is there
        async with Gateway(config, control, clock) as second:
            await run(clock, [second], 5)
            left = second.pollers[0].budget.left(clock())
            brought = 9500 / 86_400 * 1805
            # At most what was written down ahead is lost.
            assert saved + brought - 18 <= left <= saved + brought
            # One that is not told yet that it has lost the poll spends, and is believed.
            at = int(clock() * rfc3339.SECOND)
            begins = int(second.pollers[0].budget.period(clock())[0] * rfc3339.SECOND)
            control.take(Observation("youtube", "", "", "spent", at, started=begins, units=9_000.0))
            await run(clock, [second], 600)
            assert second.pollers[0].budget.left(clock()) == 0
            # A new day has all of its own.
            clock.now = second.pollers[0].budget.period(clock())[1] + 3600
            await run(clock, [second], 5)
            assert second.pollers[0].budget.left(clock()) == pytest.approx(9500 / 24, abs=20)
    assert server.served.wrong == []


async def test_legs_on_two_platforms_are_sampled_at_the_same_second():
    clock = Clock(START)
    control = Control()
    async with (
        TwitchServer(clock, [Show(str(n), START, START + 9999) for n in range(1, 40)]) as helix,
        YouTubeServer(clock, [Show(VIDEO, START, START + 9999)]) as data,
    ):
        config = config_of(
            twitch(helix, [str(n) for n in range(1, 40)]),
            youtube(data),
            programme=[
                {
                    "name": "night",
                    "channels": [
                        {"endpoint": "twitch", "channel": "7"},
                        {"endpoint": "youtube", "channel": VIDEO},
                    ],
                }
            ],
        )
        async with Gateway(config, control, clock) as gateway:
            await run(clock, [gateway], 300)
    legs = [
        {event.at for event in control.by_broadcast()[each] if event.kind == "sample"}
        for each in ("97", VIDEO)
    ]
    assert len(legs[0] & legs[1]) == 5


@pytest.mark.parametrize("value", ["two words", "new\nline", "é"])
def test_a_key_that_could_end_a_header_is_refused(monkeypatch, value):
    monkeypatch.setenv("YOUTUBE_KEY", value)
    poll = config_of(
        {
            "name": "y",
            "source": "youtube",
            "secret": {"env": "YOUTUBE_KEY"},
            "channels": [VIDEO],
        }
    ).poll[0]
    with pytest.raises(SecretError, match="one line of printable ASCII"):
        Edge(poll)


async def test_new_units_are_asked_for_soon_after_midnight():
    clock = Clock(dt.datetime(2026, 11, 27, 23, 40, tzinfo=PACIFIC).timestamp())
    control = Control()
    show = Show(VIDEO, clock.now, clock.now + 99_999)
    async with (
        YouTubeServer(clock, [show], units=1) as server,
        Gateway(config_of(youtube(server)), control, clock) as gateway,
    ):
        await run(clock, [gateway], 300)
        assert server.served.statuses[403] == 1
        count = len(server.served.times)
        await run(clock, [gateway], 17 * 60)
    midnight = dt.datetime(2026, 11, 28, tzinfo=PACIFIC).timestamp()
    assert midnight + 5 <= server.served.times[count] <= midnight + 75


async def test_a_key_is_tried_by_one_call(monkeypatch):
    clock = Clock(START)
    async with YouTubeServer(clock) as data, TwitchServer(clock) as helix:
        config = config_of(youtube(data), twitch(helix))
        for poll in config.poll:
            assert (await tried(poll, Edge(poll))).outcome == "answered"
        assert sum(data.spent.values()) == 1
        monkeypatch.setenv("YOUTUBE_KEY", "wrong")
        monkeypatch.setenv("TWITCH_SECRET", "wrong")
        for poll in config.poll:
            verdict = await tried(poll, Edge(poll))
            assert verdict.outcome == "refused", verdict
            assert "wrong" not in verdict.why


async def test_nothing_there_is_no_answer():
    poll = config_of(
        {
            "name": "y",
            "source": "youtube",
            "secret": {"env": "YOUTUBE_KEY"},
            "api": "http://127.0.0.1:1",
            "channels": [VIDEO],
        }
    ).poll[0]
    edge = Edge(poll)
    await edge.start()
    with pytest.raises(Unanswered, match="no answer"):
        await edge.ask([VIDEO])
    await edge.stop()
