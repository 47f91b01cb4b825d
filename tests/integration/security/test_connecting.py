"""Whoever cannot connect is told why, and which setting to put right."""

import pytest
from integration.security.secured import expired

from agents import kafka
from streams.errors import BrokerUnreachableError
from streams.settings import Settings

pytestmark = [pytest.mark.kafka]
USER, PASSWORD = "connecting", "connecting-canary-8d1e"


@pytest.fixture
async def user(secured):
    if USER not in secured.users:
        await secured.user(USER, PASSWORD)
    return secured


async def connect(settings):
    async with kafka.admin(Settings(**settings)) as client:
        return await client.describe_topics()


async def refused(settings):
    with pytest.raises(BrokerUnreachableError) as caught:
        await connect(settings)
    told = str(caught.value)
    assert "AUDIENCE_BROKERS=" in told
    assert "canary" not in told
    return told


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"security_password": "wrong-canary"},
            [f"AUDIENCE_SECURITY_USER={USER}", "AUDIENCE_SECURITY_PASSWORD,", "SCRAM-SHA-256"],
        ),
        (
            {"security_user": "nobody"},
            ["AUDIENCE_SECURITY_USER=nobody", "AUDIENCE_SECURITY_PASSWORD"],
        ),
        (
            {"security_mechanism": "PLAIN", "security_user": "plain"},
            ["AUDIENCE_SECURITY_USER=plain", "AUDIENCE_SECURITY_MECHANISM=PLAIN"],
        ),
        (
            {"security_mechanism": "SCRAM-SHA-512"},
            ["does not offer SCRAM-SHA-512", "set AUDIENCE_SECURITY_MECHANISM"],
        ),
        ({"security_ca": None}, ["AUDIENCE_SECURITY_CA is not set", "set AUDIENCE_SECURITY_CA to"]),
        ({"security": "PLAINTEXT"}, ["may speak TLS", "AUDIENCE_SECURITY=PLAINTEXT"]),
        ({"security": "SASL_PLAINTEXT"}, ["may speak TLS", "AUDIENCE_SECURITY=SASL_PLAINTEXT"]),
        ({"security": "SSL"}, ["set AUDIENCE_SECURITY to SASL_SSL"]),
    ],
)
async def test_a_login_that_is_refused(user, changed, said):
    told = await refused({**user.login(USER), **changed})
    for each in said:
        assert each in told


async def test_logins_that_are_right(user):
    await connect(user.login(USER))
    plain = {"security_mechanism": "PLAIN", "security_password": "plain-canary-1f9c"}
    await connect(user.login("plain", **plain))
    await connect(user.mutual(*user.pair("connecting-right")))


async def test_a_ca_that_did_not_sign_the_broker(user):
    told = await refused(user.login(USER, security_ca=str(user.other_ca_file)))
    assert f"none of the CAs in AUDIENCE_SECURITY_CA={user.other_ca_file}" in told
    assert "the CA that signed it" in told


async def test_a_broker_whose_certificate_has_expired(user):
    brokers = user.cluster.addresses("EXPIRED")
    ca = str(user.ca_file)
    told = await refused({"brokers": brokers, "security": "SSL", "security_ca": ca})
    assert "has expired: renew it at the broker" in told


async def test_a_broker_of_another_name(user):
    brokers = user.cluster.nodes[0].address("LOGIN").replace("127.0.0.1", "localhost")
    told = await refused(user.login(USER, brokers=brokers))
    assert "made out to another name" in told
    assert "'localhost'" in told


async def test_a_port_without_tls_and_one_without_a_login(user):
    brokers = user.cluster.bootstrap
    ca = str(user.ca_file)
    told = await refused({"brokers": brokers, "security": "SSL", "security_ca": ca})
    assert "may speak no TLS (see AUDIENCE_SECURITY=SSL)" in told
    told = await refused(user.login(USER, brokers=brokers, security="SASL_PLAINTEXT"))
    assert "asks for no login on this port: set AUDIENCE_SECURITY to PLAINTEXT" in told


async def test_a_broker_that_asks_for_a_certificate(user):
    brokers = user.cluster.addresses("MUTUAL")
    ca = str(user.ca_file)
    told = await refused({"brokers": brokers, "security": "SSL", "security_ca": ca})
    assert "set AUDIENCE_SECURITY_CERTIFICATE and AUDIENCE_SECURITY_KEY" in told


@pytest.mark.parametrize("why", ["expired", "unknown"])
async def test_a_certificate_of_ours_that_is_not_taken(user, why):
    name = f"connecting-{why}"
    if why == "expired":
        certificate = expired(user.ca, f"{name}.example", common_name=name)
    else:
        certificate = user.other_ca.issue_cert(f"{name}.example", common_name=name)
    file, key = user.pair(name, certificate)
    told = await refused(user.mutual(file, key))
    assert f"AUDIENCE_SECURITY_CERTIFICATE={file} has not expired" in told
    assert "signed by a CA that the broker trusts" in told


async def test_a_broker_that_is_not_there(user):
    told = await refused({"brokers": "127.0.0.1:1"})
    assert "127.0.0.1:1: " in told
