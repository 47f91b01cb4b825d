"""Polls on a real Kafka: of two gateways one makes the calls, and the other goes on for it."""

import asyncio
import sys
import time
from pathlib import Path

import pytest
from running import CONFIG, now

sys.path.append(str(Path(__file__).parents[2] / "agents" / "gateway" / "polling"))

from platform_servers import CLIENT, CLIENT_SECRET, KEY, Show, TwitchServer, YouTubeServer, text

pytestmark = pytest.mark.kafka

POLL = """
[[poll]]
name = "counts"
source = "twitch"
endpoint = "own"
platform = "own"
client_id = "{client}"
secret = {{ env = "TWITCH_SECRET" }}
api = "{address}"
login = "{address}"
channels = [{channels}]
"""
VIDEOS = """
[[poll]]
name = "videos"
source = "youtube"
secret = {{ env = "YOUTUBE_KEY" }}
api = "{address}"
channels = ["abcdefghijk"]
"""
SHOWS = 40


async def test_one_of_two_gateways_makes_the_calls_and_the_other_goes_on_for_it(gateways):
    begun = time.time() - 600
    shows = [Show(str(number), begun, begun + 99_999) for number in range(1, SHOWS + 1)]
    video = Show("abcdefghijk", begun, begun + 99_999)
    async with (
        TwitchServer(time.time, shows) as server,
        YouTubeServer(time.time, [video]) as data,
    ):
        channels = ", ".join(f'"{show.id}"' for show in shows[1:])
        poll = POLL.format(client=CLIENT, address=server.address, channels=channels)
        named = CONFIG.replace('channel = "channel"\n', 'channel = "channel"\nbroadcast = "id"\n')
        gateways.config.write_text(named + poll + VIDEOS.format(address=data.address))
        gateways.env.update(TWITCH_SECRET=CLIENT_SECRET, YOUTUBE_KEY=KEY)
        first, second = await asyncio.gather(gateways.start(), gateways.start())
        # The first show is told of by a webhook alone: it is polled from then on.
        start = text(begun)
        hook = {"channel": "1", "id": "91", "kind": "started", "at": start, "started": start}
        assert await first.own("m1", hook) == 200

        def sampled(found, since=""):
            return {
                e["broadcast"]
                for e in found
                if "viewers" in e and e["at"] > since and e["platform"] == "own"
            }

        events = await gateways.until(lambda found: len(sampled(found)) >= SHOWS, 150)
        assert sampled(events) == {f"9{number}" for number in range(1, SHOWS + 1)}
        # The true start, and before its first sample.
        begins = [e for e in events if e.get("kind") == "started" and e["platform"] == "own"]
        assert {event["at"] for event in begins} == {start}
        for broadcast in sampled(events):
            first_of_it = next(event for event in events if event["broadcast"] == broadcast)
            assert first_of_it["kind"] == "started"
        # One of them makes all calls, so they are full; the other goes on when it is killed.
        answered = 'audience_gateway_polls_total{outcome="answered",poll="counts"}'
        # (Until both had joined, each may have been the one.)
        before = {gateway: await gateway.metric(answered) for gateway in (first, second)}
        both = now()
        await gateways.until(lambda found: len(sampled(found, both)) >= SHOWS, 150)
        calls = {g: (await g.metric(answered) or 0) - (n or 0) for g, n in before.items()}
        assert sorted(map(bool, calls.values())) == [False, True]
        (busy,) = (gateway for gateway, count in calls.items() if count)
        (other,) = {first, second} - {busy}
        killed = now()
        await busy.process.kill()
        await gateways.until(lambda found: len(sampled(found, killed)) >= SHOWS, 150)
        live = await other.metric('audience_gateway_polled_channels{poll="counts",state="live"}')
        assert live == SHOWS
        # What YouTube's budget has spent is known to whoever is started next.
        async with asyncio.timeout(130):
            while not data.spent.total():  # noqa: ASYNC110 - a server of the tests has no event
                await asyncio.sleep(0.2)
        third = await gateways.start()
        await other.process.kill()
        await third.process.says("the budget was resumed", 60)
    assert server.served.wrong == data.served.wrong == []
