"""`gateway check --ask`: does the address that senders were told lead to this gateway?"""

import pytest
from aiohttp import web
from deliveries import SECRET, endpoint
from pydantic import ValidationError

from agents.gateway.config import Config
from agents.gateway.intake import Intake
from agents.gateway.metrics import GatewayMetrics
from agents.gateway.reaching import unreached
from agents.gateway.server import Hooks
from agents.gateway.topics import GatewayTopics
from streams.settings import Settings

ENDPOINTS = (endpoint("twitch"), endpoint("nginx-rtmp"))


class Served:
    """An application on a port of its own."""

    def __init__(self, app):
        self._runner = web.AppRunner(app, access_log=None)

    async def __aenter__(self):
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def __aexit__(self, *error):
        await self._runner.cleanup()


def config_at(public, endpoints=ENDPOINTS):
    # (That Twitch sends to port 443 alone is looked at below.)
    return Config.model_construct(endpoint=endpoints, public=public)


@pytest.fixture
def hooks(monkeypatch):
    """The real HTTP of a gateway with these endpoints; nothing of it may be stored."""
    monkeypatch.setenv("S", SECRET.decode().replace(" ", "-"))
    topics = GatewayTopics.of(Settings())
    intakes = {each.name: Intake(each, topics) for each in ENDPOINTS}
    config = Config.model_construct(endpoint=ENDPOINTS)
    return Hooks(config, intakes, None, GatewayMetrics(config, lambda: 0, lambda: None)).app()


async def test_an_address_that_leads_to_the_gateway(hooks):
    async with Served(hooks) as address:
        assert await unreached(config_at(address)) == []
        assert await unreached(config_at(f"{address}/")) == []


async def test_one_that_leads_to_another_program_or_an_older_configuration(hooks):
    async with Served(hooks) as address:
        (said,) = await unreached(config_at(address, (endpoint("mux"),)))
        assert said == (
            f"public: {address}/hooks/mux should refuse an unsigned webhook: status 404"
        )

    async def proxy(_):
        return web.Response(text="I am a proxy")

    other = web.Application()
    other.router.add_get("/healthz", proxy)
    async with Served(other) as address:
        (said,) = await unreached(config_at(address))
        assert "/healthz is not answered by a gateway: status 200" in said
    (said,) = await unreached(config_at(address))  # it is gone by now
    assert "no answer" in said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"public": "http://hooks.example.org"}, "public: must begin with https://"),
        ({"public": "https://hooks.example.org/hooks"}, "public: must be no more than"),
        ({"public": "https://hooks.example.org:8443"}, "Twitch sends to https and port 443 alone"),
        ({"public_ca": "ca.pem"}, "public_ca: is for public, which is missing"),
    ],
)
def test_what_cannot_be_the_address_of_senders(given, said):
    twitch = {"name": "t", "source": "twitch", "secrets": [{"env": "S"}]}
    with pytest.raises(ValidationError, match=said):
        Config.model_validate({"endpoint": [twitch], **given})
    assert Config.model_validate({"endpoint": [twitch], "public": "https://hooks.example.org"})
