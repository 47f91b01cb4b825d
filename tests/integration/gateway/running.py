"""A gateway as a process of its own, on a real Kafka, and what comes of it."""

import asyncio
import base64
import datetime as dt
import json
import sys
import time
import tomllib

import aiohttp
from kafka_tools import consume_all
from processes import Process
from standardwebhooks import Webhook

from agents.gateway import admin
from agents.gateway.topics import GatewayTopics
from agents.topics.admin import create_topics
from streams import rfc3339
from streams.settings import Settings

MAIN = "from agents.cli import main; main(prog_name='live-audience')"
SECRET = "whsec_" + base64.b64encode(b"a secret of the tests, long enough").decode()
PATH_SECRET = "path-secret-of-the-tests"
CONFIG = """
port = 0
health_port = 0

[[endpoint]]
name = "own"
source = "standard-webhooks"
platform = "own"
secrets = [{ env = "OWN_SECRET" }]
[endpoint.mapping]
channel = "channel"
kind = "kind"
at = "at"
started = "started"
viewers = "viewers"

[[endpoint]]
name = "nginx"
source = "nginx-rtmp"
path_secrets = [{ env = "PATH_SECRET" }]
networks = ["127.0.0.0/8"]

[[venue]]
name = "louvre"
channels = [
    { endpoint = "own", channel = "gallery" },
    { endpoint = "nginx", channel = "live/gallery" },
]

[[programme]]
name = "night"
channels = [{ endpoint = "own", channel = "gallery" }]
begins = 2026-01-01T00:00:00Z
"""


class Gateways:
    """The topics of one test, and its gateways."""

    def __init__(self, brokers, prefix, folder, config=CONFIG):
        self.settings = Settings(brokers=brokers, topic_prefix=prefix, partitions=3)
        self.topics = GatewayTopics.of(self.settings)
        self.brokers = brokers
        self.config = folder / "gateway.toml"
        self.config.write_text(config)
        assert tomllib.loads(config)
        self.env = {
            "AUDIENCE_BROKERS": brokers,
            "AUDIENCE_TOPIC_PREFIX": prefix,
            "AUDIENCE_PARTITIONS": "3",
            "AUDIENCE_GATEWAY": str(self.config),
            "AUDIENCE_LOG_FORMAT": "json",
            "AUDIENCE_SESSION_TIMEOUT": "6s",
            "OWN_SECRET": SECRET,
            "PATH_SECRET": PATH_SECRET,
        }
        self.running = []
        self.session = None

    async def __aenter__(self):
        self.session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *error):
        for gateway in self.running:
            if gateway.process.running:
                await gateway.process.kill()
        await self.session.close()

    async def make_topics(self):
        await create_topics(self.settings)
        await admin.create(self.settings)

    async def start(self, *, ready=True):
        process = await Process(sys.executable, "-c", MAIN, "gateway", "run", env=self.env).start()
        gateway = Gateway(self, process)
        self.running.append(gateway)
        await process.says("taking webhooks", 90)
        line = next(line for line in process.lines if "taking webhooks" in line)
        told = json.loads(line)
        gateway.hooks = f"http://127.0.0.1:{told['port']}/hooks"
        gateway.health = f"http://127.0.0.1:{told['health']}"
        if ready:
            await gateway.ready()
        return gateway

    async def call(self, *arguments):
        process = await Process(
            sys.executable, "-c", MAIN, "gateway", *arguments, env=self.env
        ).start()
        code = await process.ended(60)
        return code, "\n".join(process.lines)

    async def events(self):
        """All viewer events, as they are in Kafka."""
        records = await consume_all(self.brokers, self.topics.events.name)
        found = [json.loads(record.value) for record in records]
        for record, event in zip(records, found, strict=True):
            assert record.key.decode() == f"{event['platform']}:{event['broadcast']}"
        return found

    async def until(self, is_so, seconds=30):
        """The viewer events, once they are as they should be."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    found = await self.events()
                    if is_so(found):
                        return found
                    await asyncio.sleep(0.2)
        except TimeoutError:
            tails = "\n".join(gateway.process.tail() for gateway in self.running)
            raise AssertionError(f"{found}\n{tails}") from None


class Gateway:
    """One gateway."""

    def __init__(self, all_of_them, process):
        self.all = all_of_them
        self.process = process

    async def ready(self, seconds=60):
        try:
            async with asyncio.timeout(seconds):
                while True:
                    async with self.all.session.get(f"{self.health}/readyz") as answer:
                        said = await answer.text()
                        if answer.status == 200:
                            return
                    assert self.process.running, self.process.tail()
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"{said}\n{self.process.tail()}") from None

    async def own(self, identity, body, at=None, signature=None):
        """Send a Standard Webhook; returns the status of the answer."""
        when = at or dt.datetime.now(dt.UTC)
        text = json.dumps(body)
        headers = {
            "webhook-id": identity,
            "webhook-timestamp": str(int(when.timestamp())),
            "webhook-signature": signature or Webhook(SECRET).sign(identity, when, text),
        }
        async with self.all.session.post(
            f"{self.hooks}/own", data=text.encode(), headers=headers
        ) as answer:
            return answer.status

    async def until_metric(self, line, value, seconds=30):
        """Wait until a metric has reached a value."""
        async with asyncio.timeout(seconds):
            while True:
                if await self.metric(line) >= value:
                    return
                await asyncio.sleep(0.1)

    async def metric(self, line):
        """A metric's value, by all of its line but that."""
        async with self.all.session.get(f"{self.health}/metrics") as answer:
            text = await answer.text()
        found = [each for each in text.splitlines() if each.startswith(line + " ")]
        assert found, f"{line} is not in\n{text}"
        return float(found[0].rsplit(" ", 1)[1])


def now(seconds=0.0):
    """A time of RFC 3339, so many seconds from now."""
    return rfc3339.text(round((time.time() + seconds) * 1_000_000))
