"""Who may look: tokens, passwords, proxies, TLS; and five hundred slow clients at once."""

import asyncio
import base64
import ssl
from ipaddress import ip_network

import aiohttp
import pytest
import trustme
from web_clients import HEAD, connected
from web_worker import PARTITIONS, Table, Worker

from agents.serving.web import Limits, access, passwords
from agents.serving.web.access import Access, Rules, Tokens
from agents.serving.web.tls import server_tls, trusted_tls
from streams.errors import SettingsError

PATHS = ("/", "/openapi.json", "/v1/broadcasts", "/v1/scopes", "/v1/live", "/nowhere", "/metrics")
PROBES = ("/healthz", "/readyz")
FIRST, SECOND, THIRD = (each * 16 for each in "abc")


def tokens(*each):
    return Tokens(lambda: each)


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def elsewhere(monkeypatch):
    """All clients come from another machine."""
    monkeypatch.setattr(access, "_is_loopback", lambda remote: False)


@pytest.fixture
def cheap(monkeypatch):
    """Hashes that take no time."""
    monkeypatch.setattr(passwords, "_LOG_N", 10)


async def statuses(worker, paths, **headers):
    found = {}
    for path in paths:
        async with worker.session.get(worker.server.url + path, headers=headers) as answer:
            found[path] = answer.status
    return found


@pytest.mark.usefixtures("elsewhere")
async def test_beyond_this_machine_nobody_is_told_anything_but_health():
    async with Worker() as worker:
        assert set((await statuses(worker, PROBES)).values()) == {200}
        assert set((await statuses(worker, PATHS)).values()) == {403}
        _, body = await worker.get("/v1/broadcasts", 403)
        assert b"AUDIENCE_HTTP_TOKEN_FILE" in body
    async with Worker(access=Access(Rules(anonymous="metrics"))) as worker:
        assert set((await statuses(worker, (*PROBES, "/metrics"))).values()) == {200}
        assert set((await statuses(worker, PATHS[:-1])).values()) == {403}
    async with Worker(access=Access(Rules(anonymous="all"))) as worker:
        assert (await statuses(worker, ["/v1/scopes", "/nowhere"])) == {
            "/v1/scopes": 200,
            "/nowhere": 404,
        }


@pytest.mark.parametrize(
    ("remote", "local"),
    [
        ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("::ffff:127.0.0.1", True),
        ("10.0.0.7", False), ("::ffff:10.0.0.7", False), ("fe80::1%eth0", False),
        (None, False), ("", False), ("unix", False),
    ],
)  # fmt: skip  # a table reads best as one
def test_what_is_this_machine(remote, local):
    assert access._is_loopback(remote) is local


async def test_a_token_is_asked_for_on_this_machine_too():
    rules = Rules(tokens=tokens(FIRST, SECOND), metrics_tokens=tokens(THIRD))
    async with Worker(access=Access(rules)) as worker:
        assert set((await statuses(worker, PROBES)).values()) == {200}
        assert set((await statuses(worker, PATHS)).values()) == {401}
        for given in (
            "Bearer",
            f"Bearer {FIRST}x",
            f"Basic {FIRST}",
            f"Bearer {THIRD}",
            "Bearer é",
        ):
            assert set((await statuses(worker, PATHS[:-1], Authorization=given)).values()) == {401}
        for given in (FIRST, SECOND):
            found = await statuses(
                worker, ["/v1/scopes", "/metrics"], Authorization=f"bearer {given}"
            )
            assert set(found.values()) == {200}
        assert await statuses(worker, ["/metrics"], Authorization=f"Bearer {THIRD}") == {
            "/metrics": 200
        }
        answer, _ = await worker.get("/metrics", 401)
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="live-audience"'


async def test_metrics_may_have_a_token_of_their_own_while_this_machine_sees_the_rest():
    async with Worker(access=Access(Rules(metrics_tokens=tokens(THIRD)))) as worker:
        assert await statuses(worker, ["/metrics", "/v1/scopes"]) == {
            "/metrics": 401,
            "/v1/scopes": 200,
        }


def test_tokens_are_read_anew_and_stay_while_they_cannot_be(logged):
    now, given = [0.0], [FIRST]

    def read():
        if not given:
            raise SettingsError(["AUDIENCE_HTTP_TOKEN_FILE=x: is empty"])
        return given

    found = Tokens(read, lambda: now[0])
    assert found.match(FIRST.encode())
    given[:] = [SECOND, THIRD]
    assert found.match(FIRST.encode()), "not looked at before a second is over"
    now[0] = 1.5
    assert not found.match(FIRST.encode())
    assert found.current() == [SECOND.encode(), THIRD.encode()]
    given.clear()
    now[0] = 3.0
    assert found.match(THIRD.encode())
    assert [entry["log_level"] for entry in logged] == ["warning"]


@pytest.mark.usefixtures("cheap")
async def test_a_password_is_known_by_its_hash_and_guesses_wait_for_each_other():
    hashed = passwords.hash_password("correct horse battery")
    assert "horse" not in hashed
    assert hashed != passwords.hash_password("correct horse battery")
    rules = Rules(tokens=tokens(FIRST), user="curator", password_hash=hashed)
    async with Worker(access=Access(rules)) as worker:
        for user, password, status in (
            ("curator", "correct horse battery", 200),
            ("curator", "correct horse battery", 200),
            ("curator", "wrong", 401),
            ("visitor", "correct horse battery", 401),
            ("curator", "x" * 5_000, 401),
        ):
            given = basic(user, password)
            found = await statuses(worker, ["/v1/scopes"], Authorization=given)
            assert found == {"/v1/scopes": status}, (user, password)
        assert await statuses(worker, ["/v1/scopes"], Authorization="Basic é") == {
            "/v1/scopes": 401
        }
        answer, _ = await worker.get("/v1/scopes", 401)
        assert answer.headers["WWW-Authenticate"].startswith('Basic realm="live-audience"')
        guesses = await asyncio.gather(
            *(
                statuses(worker, ["/v1/scopes"], Authorization=basic("curator", f"guess {n}"))
                for n in range(60)
            )
        )
        assert {found["/v1/scopes"] for found in guesses} <= {401, 503}


def test_what_is_no_hash_is_refused():
    for text in ("plain", "scrypt:15:8:1:a", "scrypt:30:8:1:" + "a" * 22 + ":" + "a" * 43):
        with pytest.raises(ValueError, match="not a"):
            passwords.read_hash(text)


async def test_a_proxys_word_is_taken_from_where_it_is():
    for network, status in (("127.0.0.0/8", 200), ("10.0.0.0/8", 401)):
        rules = Rules(
            tokens=tokens(FIRST),
            proxies=(ip_network(network),),
            proxy_header="X-Forwarded-User",
        )
        async with Worker(access=Access(rules)) as worker:
            given = {"X-Forwarded-User": "curator"}
            assert await statuses(worker, ["/v1/scopes"], **given) == {"/v1/scopes": status}
            assert await statuses(worker, ["/v1/scopes"], **{"X-Forwarded-User": ""}) == {
                "/v1/scopes": 401
            }


OWN = ("127.0.0.1", "[::1]:9630", "localhost:1", "LOCALHOST.", "w1.example.org:9630", "board")
STRANGE = ("evil.example", "evil.example:9630", "localhost.evil.example", "127.0.0.1.evil", "")


async def test_whom_nothing_is_asked_of_must_come_by_our_own_name():
    """A page of somebody else's that leads a browser here cannot read what this machine may."""
    names = Access(Rules(names=("board",)))
    async with Worker(access=names, advertised="https://w1.example.org:9630") as worker:
        for host in OWN:
            assert set((await statuses(worker, PATHS[1:4], Host=host)).values()) == {200}, host
        for host in STRANGE:
            found = await statuses(worker, PATHS, Host=host)
            assert {path: found[path] for path in PATHS if path != "/metrics"} == (
                dict.fromkeys([path for path in PATHS if path != "/metrics"], 421)
            ), host
            # Prometheus and probes come by whatever name they found.
            assert set((await statuses(worker, (*PROBES, "/metrics"), Host=host)).values()) == {200}
        _, body = await worker.get("/v1/broadcasts", 421, Host="evil.example")
        for setting in (b"AUDIENCE_ADVERTISED_URL", b"AUDIENCE_HTTP_NAMES", b"evil.example"):
            assert setting in body


@pytest.mark.usefixtures("elsewhere")
async def test_who_shows_a_token_may_come_by_any_name():
    rules = Rules(tokens=tokens(FIRST), anonymous="all")
    async with Worker(access=Access(rules)) as worker:
        named = {"Host": "any.example"}
        assert set((await statuses(worker, PATHS[1:4], **named)).values()) == {421}
        shown = {**named, "Authorization": f"Bearer {FIRST}"}
        assert set((await statuses(worker, PATHS[1:4], **shown)).values()) == {200}
    async with Worker(access=Access(Rules(tokens=tokens(FIRST)))) as worker:
        assert set((await statuses(worker, PATHS[1:4], **named)).values()) == {401}
        assert set((await statuses(worker, PATHS[1:4], **shown)).values()) == {200}


def certificate(ca, folder):
    """A new certificate for 127.0.0.1, in the files where the server looks."""
    issued = ca.issue_cert("127.0.0.1")
    for name, pem in (("key", issued.private_key_pem), ("cert", issued.cert_chain_pems[0])):
        new = folder / f"{name}.new"
        pem.write_to_path(new)
        new.rename(folder / f"{name}.pem")


async def test_workers_ask_each_other_by_tls_with_their_token_and_certificates_change(tmp_path):
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate(ca, tmp_path)
    tls = server_tls(tmp_path / "cert.pem", tmp_path / "key.pem")
    trusted = trusted_tls(tmp_path / "ca.pem")
    table = Table()
    everything = tuple(range(PARTITIONS))

    def worker(owned, token):
        return Worker(
            owned=owned,
            owned_scopes=owned,
            owners=(table, table),
            seconds=1.0,
            access=Access(Rules(tokens=tokens(token))),
            tls=tls.current,
            trusted=trusted.current,
        )

    context = ssl.create_default_context(cafile=tmp_path / "ca.pem")

    async def serial(each):
        """That of the certificate that a worker shows."""
        port = int(each.server.url.rpartition(":")[2])
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        found = writer.get_extra_info("peercert")["serialNumber"]
        writer.transport.abort()
        return found

    async with (
        worker((0, 1, 2, 3), FIRST) as first,
        worker((4, 5, 6), FIRST) as second,
        worker((7,), SECOND) as stranger,
    ):
        for each in (first, second, stranger):
            table.urls.update(dict.fromkeys(each.owned, each.server.advertised_url))
        assert first.server.url.startswith("https://")
        before = await serial(first)
        async with (
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {FIRST}"}) as session,
            session.get(f"{first.server.url}/v1/broadcasts", ssl=context) as answer,
        ):
            assert answer.status == 200
            told = await answer.json()
        assert told["partitions"]["answered"] == list(everything[:-1])
        [missing] = told["partitions"]["missing"]
        assert missing["why"].endswith("answered with the status 401")
        certificate(ca, tmp_path)
        assert await serial(first) != before
        # Who speaks no TLS, or never shakes hands, costs the others nothing.
        async with connected(first, HEAD % b"/healthz" + b"\r\n") as (reader, _):
            assert not (await reader.read()).startswith(b"HTTP")


async def test_five_hundred_slow_clients_harm_nobody():
    async with Worker(limits=Limits(connections=64, head=2.0)) as worker:
        sent = (b"", b"G", b"GET /v1/broadcasts HTTP/1.1\r\nX: ", HEAD % b"/metrics")
        body = b"POST /v1/broadcasts HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n"
        slow = []

        async def trickle(writer):
            while not writer.transport.is_closing():
                writer.write(b"x")
                await asyncio.sleep(0.5)

        async def ask():
            async with asyncio.timeout(20):
                return await worker.json("/v1/scopes")

        tasks = []
        for number in range(500):
            opened = connected(worker, (*sent, body)[number % 5])
            _, writer = await opened.__aenter__()
            slow.append(opened)
            tasks.append(asyncio.create_task(trickle(writer)))
            if number % 50 == 49:
                assert (await ask())["scopes"] == []
        for _ in range(10):
            assert await ask()
        assert len(worker.server.connections) <= 64
        assert set(worker.closed) <= {"full", "head", "unread"}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for opened in slow:
            await opened.__aexit__(None, None, None)
