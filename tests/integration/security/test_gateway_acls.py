"""A gateway works with the rights that `live-audience acls --gateway` prints."""

import sys
from pathlib import Path

import pytest
from integration.security.test_acls import acl, user

sys.path.append(str(Path(__file__).parents[1] / "gateway"))

from running import Gateways, now

from agents.gateway.access import gateway_rights
from streams.settings import Settings

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(200)]


async def test_these_are_enough(secured, topic_prefix, tmp_path):
    login = await user(secured, "gateway")
    async with Gateways(secured.cluster.bootstrap, topic_prefix, tmp_path) as gateways:
        await gateways.make_topics()
        settings = Settings(topic_prefix=topic_prefix, **login)
        await secured.allow("gateway", [acl(right) for right in gateway_rights(settings)])
        gateways.env |= {f"AUDIENCE_{name.upper()}": str(given) for name, given in login.items()}
        gateway = await gateways.start()
        body = {"channel": "gallery", "kind": "sample", "at": now(), "viewers": 7}
        assert await gateway.own("m1", body) == 200
        assert await gateway.own("m2", {"kind": "sample"}) == 200  # kept in gateway-rejected
        (event,) = await gateways.until(lambda found: len(found) >= 1)
        assert event["viewers"] == 7
        code, said = await gateways.call("replay")
        assert (code, "left     1" in said) == (0, True), said
