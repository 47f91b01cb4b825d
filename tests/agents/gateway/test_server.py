"""The gateway's HTTP by real connections; Kafka is not there."""

import asyncio

import aiohttp
import pytest
from deliveries import SECRET, plain_hmac
from multidict import CIMultiDict

from agents.gateway.config import Config
from agents.gateway.intake import Intake
from agents.gateway.metrics import GatewayMetrics
from agents.gateway.sending import Sender
from agents.gateway.server import Health, Hooks, Listening
from agents.gateway.topics import GatewayTopics
from streams.settings import Settings

PATH_SECRET = "a-secret-of-the-path"
CONFIG = {
    "port": 0,
    "health_port": 0,
    "trust_proxies": ["127.0.0.1/32"],
    "endpoint": [
        {
            "name": "own",
            "source": "hmac",
            "platform": "own",
            "secrets": [{"env": "GATEWAY_SECRET"}],
            "body_bytes": 1000,
            "mapping": {"kind": "type"},
            "hmac": {
                "header": "X-Signature",
                "prefix": "sha256=",
                "id_header": "X-Id",
                "id_signed": True,
                "time_header": "X-Time",
            },
        },
        {
            "name": "nginx",
            "source": "nginx-rtmp",
            "path_secrets": [{"env": "GATEWAY_PATH"}],
            "networks": ["127.0.0.0/8", "10.1.0.0/16"],
        },
    ],
}


class Served:
    def __init__(self, listening, metrics, session):
        self.metrics = metrics
        self.session = session
        self.port = listening.hooks_port
        self.hooks = f"http://127.0.0.1:{listening.hooks_port}/hooks"
        self.health = f"http://127.0.0.1:{listening.health_port}"

    async def post(self, path, data=b"", headers=()):
        async with self.session.post(
            f"{self.hooks}/{path}", data=data, headers=CIMultiDict(headers)
        ) as answer:
            return answer.status

    def refused(self, endpoint, reason):
        name = "audience_gateway_deliveries_refused_total"
        return self.metrics.registry.get_sample_value(
            name, {"endpoint": endpoint, "reason": reason}
        )


@pytest.fixture
async def served(monkeypatch):
    monkeypatch.setenv("GATEWAY_SECRET", SECRET.decode())
    monkeypatch.setenv("GATEWAY_PATH", PATH_SECRET)
    config = Config.model_validate(CONFIG)
    settings = Settings()
    topics = GatewayTopics.of(settings)
    sender = Sender(settings)  # not started: as if Kafka were away
    metrics = GatewayMetrics(config, lambda: 0, lambda: sender.not_ready_reason)
    intakes = {each.name: Intake(each, topics) for each in config.endpoint}
    hooks = Hooks(config, intakes, sender, metrics)
    listening = Listening(
        config, hooks.app(), Health(metrics, lambda: sender.not_ready_reason).app()
    )
    await listening.start()
    async with aiohttp.ClientSession() as session:
        yield Served(listening, metrics, session)
    await listening.stop()


def signed(body=b'{"type": "other"}'):
    import time  # noqa: PLC0415 - the server's clock is the machine's here

    return plain_hmac(body, at=int(time.time()))


async def test_what_is_not_of_interest_is_answered_without_kafka(served):
    headers, body = signed()
    assert await served.post("own", body, headers) == 200


async def test_what_cannot_be_stored_is_to_come_again(served):
    headers, body = signed(b'{"type": "sample", "channel": "x"}')
    assert await served.post("own", body, headers) == 503
    text = await (await served.session.get(f"{served.health}/metrics")).text()
    assert 'audience_gateway_deliveries_unacknowledged_total{endpoint="own"} 1.0' in text
    assert "audience_gateway_ready 0.0" in text
    assert (await served.session.get(f"{served.health}/healthz")).status == 200
    assert (await served.session.get(f"{served.health}/readyz")).status == 503


async def test_changed_repeated_and_missing_signatures_are_refused(served):
    headers, body = signed()
    assert await served.post("own", body + b" ", headers) == 401
    assert await served.post("own", body, [*headers, headers[-1]]) == 401
    assert await served.post("own", body, headers[:-1]) == 401
    assert [served.refused("own", each) for each in ("signature", "repeated", "missing")] == [1] * 3


async def test_large_bodies_are_refused_whether_they_say_so_or_not(served):
    async def chunks():
        for _ in range(11):
            yield b"x" * 100

    assert await served.post("own", b"x" * 1001) == 413
    assert await served.post("own", chunks()) == 413
    assert served.refused("own", "large") == 2


async def test_a_body_that_does_not_come_is_not_waited_for(served, monkeypatch):
    monkeypatch.setattr("agents.gateway.server._BODY_SECONDS", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(b"POST /hooks/own HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
    assert b"408" in await reader.readline()
    writer.close()
    assert served.refused("own", "slow") == 1


async def test_only_hooks_and_health_are_there(served):
    for path in ("", "/", "/own/extra", "/nothing", "/nginx", "/own/a-secret-of-the-path"):
        assert (await served.session.post(f"{served.hooks}{path}")).status in {404, 405}, path
    root = served.hooks.removesuffix("/hooks")
    for path in ("/metrics", "/readyz", "/"):
        assert (await served.session.get(root + path)).status == 404
    assert (await served.session.get(f"{root}/healthz")).status == 200
    assert (await served.session.put(f"{served.hooks}/own")).status == 405


async def test_what_is_too_large_lets_the_show_go_on_and_is_lost(served):
    assert await served.post(f"nginx/{PATH_SECRET}", b"x" * 70_000) == 200
    lost = served.metrics.registry.get_sample_value(
        "audience_gateway_deliveries_lost_total", {"endpoint": "nginx"}
    )
    assert lost == 1


async def test_a_secret_in_the_path_and_the_network(served):
    form = b"call=publish&app=live&name=x&clientid=1"
    assert await served.post(f"nginx/{PATH_SECRET}", form) == 200
    assert await served.post(f"nginx/{PATH_SECRET}x", form) == 404
    outside = [("X-Forwarded-For", "10.1.2.3, 192.0.2.1")]
    assert await served.post(f"nginx/{PATH_SECRET}", form, outside) == 403
    assert await served.post(f"nginx/{PATH_SECRET}", form, [("X-Forwarded-For", "10.1.2.3")]) == 200
    two_lines = [("X-Forwarded-For", "10.1.2.3"), ("X-Forwarded-For", "192.0.2.1")]
    assert await served.post(f"nginx/{PATH_SECRET}", form, two_lines) == 403
    assert served.refused("nginx", "address") == 1
    assert served.refused("nginx", "network") == 2


async def test_logs_hold_no_secret_body_or_signature(served, logged):
    headers, body = signed(b'{"type": "sample", "channel": ["private text"]}')
    await served.post("own", body, headers)
    await served.post("own", b"private text", headers)
    await served.post(f"nginx/{PATH_SECRET}x", b"call=private%20text")
    await served.post(f"nginx/{PATH_SECRET}", b"call=private%20text")
    told = str(logged)
    assert "could not be mapped" in told
    for secret in ("private text", PATH_SECRET, SECRET.decode(), headers[-1][1]):
        assert secret not in told
