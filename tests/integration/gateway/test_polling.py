"""Polls on a real Kafka: two gateways share the channels, and one goes on for both."""

import asyncio
import sys
import time
from pathlib import Path

import pytest
from running import CONFIG, now

sys.path.append(str(Path(__file__).parents[2] / "agents" / "gateway" / "polling"))

from platform_servers import CLIENT, CLIENT_SECRET, Show, TwitchServer, text

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
SHOWS = 40


async def test_two_gateways_share_the_channels_and_one_goes_on_for_both(gateways):
    begun = time.time() - 600
    shows = [Show(str(number), begun, begun + 99_999) for number in range(1, SHOWS + 1)]
    async with TwitchServer(time.time, shows) as server:
        channels = ", ".join(f'"{show.id}"' for show in shows[1:])
        poll = POLL.format(client=CLIENT, address=server.address, channels=channels)
        named = CONFIG.replace('channel = "channel"\n', 'channel = "channel"\nbroadcast = "id"\n')
        gateways.config.write_text(named + poll)
        gateways.env["TWITCH_SECRET"] = CLIENT_SECRET
        first, second = await asyncio.gather(gateways.start(), gateways.start())
        # The first show is told of by a webhook alone: it is polled from then on.
        start = text(begun)
        hook = {"channel": "1", "id": "91", "kind": "started", "at": start, "started": start}
        assert await first.own("m1", hook) == 200

        def sampled(found, since=""):
            return {e["broadcast"] for e in found if "viewers" in e and e["at"] > since}

        events = await gateways.until(lambda found: len(sampled(found)) >= SHOWS, 150)
        assert sampled(events) == {f"9{number}" for number in range(1, SHOWS + 1)}
        # The true start, and before its first sample.
        begins = [event for event in events if event.get("kind") == "started"]
        assert {event["at"] for event in begins} == {start}
        for broadcast in sampled(events):
            first_of_it = next(event for event in events if event["broadcast"] == broadcast)
            assert first_of_it["kind"] == "started"
        both = [
            await gateway.metric('audience_gateway_polls_total{outcome="answered",poll="counts"}')
            for gateway in (first, second)
        ]
        assert all(both)
        killed = now()
        await first.process.kill()
        await gateways.until(lambda found: len(sampled(found, killed)) >= SHOWS, 150)
        live = await second.metric('audience_gateway_polled_channels{poll="counts",state="live"}')
        assert live >= SHOWS
    assert server.served.wrong == []
