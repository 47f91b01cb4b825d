"""A real nginx with its RTMP module, a real publisher and real viewers (ffmpeg)."""

import asyncio
import socket

import pytest
from running import PATH_SECRET, now

from agents.demo.gateway.streaming import Streaming, find, stop

pytestmark = pytest.mark.kafka


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def streaming(folder, gateway):
    """nginx that tells a gateway, and what publishes to it and plays from it."""
    programs, missing = find()
    assert programs, f"the tests need {missing}: tests/run installs them"
    hook = f"{gateway.hooks}/nginx/{PATH_SECRET}"
    return Streaming(programs, folder / "nginx", hook, update="2s")


def viewers(events):
    """The newest number of viewers that is told."""
    return next((e["viewers"] for e in reversed(events) if "viewers" in e), None)


async def test_a_real_stream_is_watched_and_ends(gateways, tmp_path):
    gateway = await gateways.start()
    async with streaming(tmp_path, gateway) as stream:
        publisher = await stream.publish("gallery")
        await gateways.until(lambda found: found and found[0].get("kind") == "started")
        watching = [await stream.watch("gallery") for _ in range(2)]
        await gateways.until(lambda found: viewers(found) == 2)
        watching[0].kill()
        await gateways.until(lambda found: viewers(found) == 1)
        await stop(publisher)
        events = await gateways.until(lambda found: found[-1].get("kind") == "ended")
        assert {event["broadcast"] for event in events} == {events[0]["broadcast"]}
        assert events[0]["broadcast"].startswith("live/gallery@")
        assert max(event.get("joins", 0) for event in events) in {1, 2}  # over one minute or two
        assert {event["venue"] for event in events} == {"louvre"}


async def test_the_show_goes_on_while_kafka_is_away(gateways, tmp_path):
    """A gateway that cannot reach Kafka at all still lets publisher and viewers in."""
    gateways.env["AUDIENCE_BROKERS"] = f"127.0.0.1:{free_port()}"
    gateway = await gateways.start(ready=False)
    async with streaming(tmp_path, gateway) as stream:
        publisher = await stream.publish("gallery")
        watching = await stream.watch("gallery")
        await gateway.until_metric(
            'audience_gateway_deliveries_verified_total{endpoint="nginx"}', 2
        )
        await asyncio.sleep(3)  # nginx would have ended their connections by now
        assert publisher.returncode is None
        assert watching.returncode is None
    lost = await gateway.metric('audience_gateway_deliveries_lost_total{endpoint="nginx"}')
    assert lost >= 2
    body = {"channel": "gallery", "kind": "sample", "at": now(), "viewers": 1}
    assert await gateway.own("m1", body) == 503
    async with gateways.session.get(f"{gateway.health}/readyz") as answer:
        assert answer.status == 503
        assert "Kafka" in await answer.text()
