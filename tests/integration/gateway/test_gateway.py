"""Webhooks in, viewer events out: on a real Apache Kafka."""

import asyncio

import pytest
from kafka_tools import consume_all
from running import PATH_SECRET, now

pytestmark = pytest.mark.kafka


async def test_a_show_from_its_start_to_its_end(gateways):
    gateway = await gateways.start()
    start = now(-120)
    show = {"channel": "gallery", "started": start}
    assert await gateway.own("m1", {**show, "kind": "started", "at": start}) == 200
    assert await gateway.own("m2", {**show, "kind": "sample", "at": now(-60), "viewers": 7}) == 200
    end = now()
    assert await gateway.own("m3", {**show, "kind": "ended", "at": end}) == 200
    events = await gateways.until(lambda found: len(found) >= 3)
    assert [event.get("kind", "sample") for event in events] == ["started", "sample", "ended"]
    assert len({event["broadcast"] for event in events}) == 1
    assert events[0]["broadcast"].startswith("gallery@")
    assert [event.get("viewers") for event in events] == [None, 7, None]
    assert {event["venue"] for event in events} == {"louvre"}
    assert {event["programme"] for event in events} == {"night"}

    # What is sent again is taken, and counts once; what is changed is refused.
    assert await gateway.own("m2", {**show, "kind": "sample", "at": now(-60), "viewers": 7}) == 200
    assert await gateway.own("m4", show, signature="v1,AAAA") == 401
    await gateway.until_metric('audience_gateway_deliveries_repeated_total{endpoint="own"}', 1)
    assert len(await gateways.events()) == 3
    assert (
        await gateway.metric(
            'audience_gateway_deliveries_refused_total{endpoint="own",reason="signature"}'
        )
        == 1
    )
    assert await gateway.metric("audience_gateway_open_broadcasts") == 0
    assert await gateway.process.stop() == 0, gateway.process.tail()


async def test_what_cannot_be_mapped_is_kept_and_can_be_taken_again(gateways):
    right = gateways.config.read_text()
    gateways.config.write_text(right.replace('channel = "channel"', 'channel = "wrong"'))
    gateway = await gateways.start()
    at = now()
    assert await gateway.own("m1", {"channel": "gallery", "kind": "sample", "at": at}) == 200
    (kept,) = await consume_all(gateways.brokers, gateways.topics.rejected.name)
    headers = dict(kept.headers)
    assert headers["reason"] == b"channel: must be a text of 1 to 512 characters"
    assert not [name for name in headers if "signature" in name]
    assert await gateways.events() == []

    code, said = await gateways.call("replay")
    assert (code, "left     1: channel: must be" in said) == (0, True), said
    gateways.config.write_text(right)
    for _ in range(2):  # taken twice, it counts once
        code, said = await gateways.call("replay")
        assert (code, said) == (0, "taken    1 of own"), said
    (event,) = await gateways.until(lambda found: len(found) >= 1)
    assert event["at"] == at
    code, said = await gateways.call("check")
    assert code == 0, said
    assert "The gateway can run." in said


async def test_two_gateways_and_a_kill_agree_on_the_broadcast(gateways):
    first, second = await asyncio.gather(gateways.start(), gateways.start())
    sent = 0
    for number in range(30):
        gateway = (first, second)[number % 2]
        if number == 15:
            await first.process.kill()
        body = {"channel": f"room-{number % 5}", "kind": "sample", "at": now(), "viewers": number}
        if gateway is first and number >= 15:
            gateway = second
        assert await gateway.own(f"m{number}", body) == 200
        sent += 1
    events = await gateways.until(lambda found: len(found) >= sent, 60)
    assert len(events) == sent
    assert sorted(event["viewers"] for event in events) == list(range(30))
    # Of each room, one broadcast: whichever gateway took the webhook.
    assert len({event["broadcast"] for event in events}) == 5


async def test_hooks_that_decide_over_the_show_let_it_go_on(gateways):
    gateway = await gateways.start()
    session = gateways.session

    async def hook(secret, **form):
        async with session.post(f"{gateway.hooks}/nginx/{secret}", data=form) as answer:
            return answer.status

    show = {"app": "live", "name": "gallery", "addr": "127.0.0.1"}
    assert await hook(PATH_SECRET, call="publish", clientid="1", **show) == 200
    assert await hook(PATH_SECRET, call="play", clientid="2", **show) == 200
    assert await hook(PATH_SECRET, call="nonsense") == 200
    assert await hook(PATH_SECRET, data="x" * 100_000) == 200
    assert await hook("path-secret-that-is-wrong", call="publish", clientid="1", **show) == 404
    events = await gateways.until(lambda found: len(found) >= 2)
    assert [(e.get("kind"), e.get("viewers"), e.get("joins")) for e in events] == [
        ("started", None, None),
        (None, 1, 1),
    ]
    assert events[0]["platform"] == "nginx-rtmp"
    assert events[0]["venue"] == "louvre"
