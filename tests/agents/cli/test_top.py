"""`live-audience top` over a worker's real HTTP."""

import asyncio

import trustme
from web_worker import PARTITIONS, Worker

from agents.serving.web import access
from agents.serving.web.access import Access, Rules, Tokens
from agents.serving.web.tls import server_tls

TOKEN = "t" * 16
ALL = tuple(range(PARTITIONS))


async def once(call, url, *settings):
    """What one screen says, and the exit code."""
    done = await asyncio.to_thread(call, "top", "--once", "--url", url, *settings)
    return done.exit_code, done.output


async def test_prints_what_the_worker_answers(call):
    async with Worker(owned=ALL, owned_scopes=ALL) as worker:
        code, text = await once(call, worker.server.url)
        assert (code, text.splitlines()[0].strip()) == (0, "Watching now  -")
        worker.add("fliggy:louvre-1", 380_000, venue="louvre", title="Night")
        worker.add_scope("world", 380_000)
        worker.add_scope("platform:fliggy", 380_000)
        code, text = await once(call, worker.server.url)
    assert code == 0, text
    assert "Watching now  380,000   live 1" in text
    assert "fliggy:louvre-1" in text
    assert "Too low" not in text


async def test_says_which_partitions_did_not_answer(call):
    async with Worker() as worker:
        code, text = await once(call, worker.server.url)
    assert code == 0, text
    assert f"Too low: {PARTITIONS} partitions did not answer" in text


async def test_shows_the_token_of_the_settings(call, monkeypatch):
    monkeypatch.setattr(access, "_is_loopback", lambda remote: False)
    guarded = Access(Rules(tokens=Tokens(lambda: [TOKEN])))
    async with Worker(owned=ALL, owned_scopes=ALL, access=guarded) as worker:
        code, text = await once(call, worker.server.url)
        assert code == 1
        assert "401 A token or a password is asked for here." in text
        code, text = await once(call, worker.server.url, "--set", f"http_token={TOKEN}")
        assert code == 0, text


async def test_trusts_the_ca_of_the_settings(call, tmp_path):
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    ca.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "w.pem")
    tls = server_tls(tmp_path / "w.pem", None)
    async with Worker(owned=ALL, owned_scopes=ALL, tls=tls.current) as worker:
        worker.add_scope("world", 380_000)
        url = worker.server.url
        code, text = await once(call, url)
        assert code == 1
        assert "its certificate is not trusted" in text
        assert "AUDIENCE_HTTP_CA" in text
        trusting = ("--set", f"http_ca={tmp_path / 'ca.pem'}")
        code, text = await once(call, url, *trusting)
        assert code == 0, text
        assert "Watching now  380,000   live 1" in text
        # Without --url it asks as the worker of the same settings answers.
        port = ("--set", f"http_port={url.rpartition(':')[2]}")
        shown = ("--set", f"http_certificate={tmp_path / 'w.pem'}")
        done = await asyncio.to_thread(call, "top", "--once", *trusting, *port, *shown)
        assert done.exit_code == 0, done.output


async def test_who_does_not_answer_is_named_with_what_to_set(call):
    async with Worker() as worker:
        url = worker.server.url
    code, text = await once(call, url)
    assert code == 1
    assert "AUDIENCE_HTTP_PORT" in text
