"""Secrets appear in no log, metric, page, print of the settings, error or stack trace."""

import asyncio
import base64
import json
import sys

import aiohttp
import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from integration.pipeline.system import System
from processes import Process

pytestmark = [pytest.mark.kafka]
PASSWORD = "plain-canary-1f9c"  # the user `plain` of the cluster has it
KEY_PASSWORD = "key-canary-0b7e"
# As it stands, and as it would in what is sent to the broker.
CANARIES = [
    "canary",
    *(base64.b64encode(b"x" * n + PASSWORD.encode())[4:20].decode() for n in range(3)),
]


def hidden(text):
    for canary in CANARIES:
        assert canary not in text, text[max(0, text.index(canary) - 300) :][:600]


@pytest.fixture
def given(secured, topic_prefix, tmp_path):
    """All secrets at once, in the clear: PLAIN, and a certificate whose key has a password."""
    certificate, key = secured.pair("secrets")
    locked = tmp_path / "locked.pem"
    locked.write_bytes(
        load_pem_private_key(key.read_bytes(), None).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(KEY_PASSWORD.encode())
        )
    )
    return secured.login(
        "plain",
        security_mechanism="PLAIN",
        security_password=PASSWORD,
        security_certificate=str(certificate),
        security_key=str(locked),
        security_key_password=KEY_PASSWORD,
    )


def environment(given):
    return {f"AUDIENCE_{name.upper()}": value for name, value in given.items()}


async def call(*arguments, env):
    command = await Process(sys.executable, "-m", "agents.cli", *arguments, env=env).start()
    code = await command.ended(60)
    return code, "\n".join(command.lines)


async def test_a_worker_tells_none(secured, topic_prefix, given):
    everything = [(kind, topic_prefix, "prefixed", "ALL") for kind in ("group", "transactional_id")]
    everything += [("topic", topic_prefix, "prefixed", "ALL")]
    await secured.allow("plain", everything)
    async with System(secured.cluster.bootstrap, topic_prefix, 1, replication="1") as running:
        env = {**environment({**running.given, **given, "log_level": "debug"})}
        env["PYTHONASYNCIODEBUG"] = "1"  # it logs what is done, with its arguments
        worker = await Process(
            sys.executable, "-X", "dev", "-m", "agents.cli", "worker", env=env, measured=False
        ).start()
        running.workers.append(worker)
        await worker.says("restored", 60)
        url = json.loads(next(line for line in worker.lines if '"http server started"' in line))[
            "url"
        ]
        async with aiohttp.ClientSession() as session:
            for path in ("/metrics", "/", "/readyz", "/openapi.json", "/v1/broadcasts", "/nothing"):
                async with session.get(url + path) as answer:
                    hidden(await answer.text())
        # It ends with an error and its stack trace.
        await secured.forbid("plain", everything[0])
        assert await worker.ended(60) == 1
        text = "\n".join(worker.lines)
        assert "worker stopped: " in text
        hidden(text)


async def test_commands_tell_none(secured, given):
    env = environment(given)
    for form in ([], ["--json"], ["--env"]):
        code, text = await call("config", *form, env=env)
        assert code == 0
        assert "AUDIENCE_SECURITY_PASSWORD" in text
        hidden(text)
    refused = {**env, "AUDIENCE_SECURITY_USER": "nobody"}
    (code, text), (other, more) = await asyncio.gather(
        call("topics", "check", env=refused), call("worker", env=refused)
    )
    assert (code, other) == (1, 1)
    for each in (text, more):
        assert "AUDIENCE_SECURITY_USER=nobody" in each
        hidden(each)
    code, text = await call("worker", env={**env, "AUDIENCE_SECURITY_KEY_PASSWORD": "canary"})
    assert code == 2
    assert "AUDIENCE_SECURITY_KEY_PASSWORD" in text
    hidden(text)
