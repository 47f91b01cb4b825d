"""Tokens from files, commands and AWS, as they are given to a broker."""

import asyncio
import base64
import importlib
import json
import sys
import time

import pytest

from agents.security import security_options, tokens
from agents.security.words import NoTokenError
from streams.errors import SettingsError
from streams.settings import Settings

BASE = {"security": "SASL_SSL", "security_mechanism": "OAUTHBEARER"}


def jwt(seconds, **claims):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none'})}.{part({'exp': time.time() + seconds, **claims})}."


def provider(**settings):
    return security_options(Settings(**BASE, **settings))["sasl_oauth_token_provider"]


def script(tmp_path, body):
    file = tmp_path / "command.py"
    file.write_text(body)
    return f'{sys.executable} "{file}"'


async def test_a_file_is_read_at_each_login(tmp_path):
    file = tmp_path / "token"
    file.write_text("first\n")
    given = provider(security_token_file=str(file))
    assert await given.token() == "first"
    file.write_text("second")
    assert await given.token() == "second"


@pytest.mark.parametrize("text", ["", "\n", "two words", "canary\x01auth=forged", "ä"])
async def test_what_is_no_token_is_not_sent_and_not_shown(tmp_path, text):
    file = tmp_path / "token"
    file.write_text(text)
    with pytest.raises(NoTokenError) as caught:
        await provider(security_token_file=str(file)).token()
    assert f"AUDIENCE_SECURITY_TOKEN_FILE={file}" in str(caught.value)
    assert "canary" not in str(caught.value)


async def test_a_file_that_has_gone_is_named(tmp_path):
    file = tmp_path / "token"
    file.write_text("x")
    given = provider(security_token_file=str(file))
    file.unlink()
    with pytest.raises(NoTokenError, match=r"AUDIENCE_SECURITY_TOKEN_FILE=.*No such file"):
        await given.token()


async def test_a_command_is_run_once_until_its_token_expires(tmp_path, monkeypatch):
    runs = tmp_path / "runs"
    token = jwt(1000)
    body = f"open({str(runs)!r}, 'a').write('x')\nprint({token!r})"
    given = provider(security_token_command=script(tmp_path, body))
    assert set(await asyncio.gather(*(given.token() for _ in range(5)))) == {token}
    assert runs.read_text() == "x"
    later = time.time() + 801
    monkeypatch.setattr(tokens.time, "time", lambda: later)
    await given.token()
    assert runs.read_text() == "xx"
    given.failed(ConnectionError())  # it may have been revoked
    await given.token()
    assert runs.read_text() == "xxx"


async def test_a_command_is_run_without_a_shell(tmp_path):
    given = provider(security_token_command="echo token; rm -rf $HOME")
    with pytest.raises(NoTokenError, match="something else than a token"):
        await given.token()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("import sys; print('canary'); print('canary', file=sys.stderr); sys.exit(3)", "with 3"),
        ("print('canary canary')", "something else than a token"),
        ("import time; print('canary', flush=True); time.sleep(60)", "no token within 0.5 s"),
    ],
)
async def test_a_command_that_gives_none_is_named(tmp_path, monkeypatch, capfd, body, said):
    monkeypatch.setattr(tokens, "SECONDS", 0.5 if "within 0.5 s" in said else 30)
    given = provider(security_token_command=script(tmp_path, body))
    with pytest.raises(NoTokenError, match=said) as caught:
        await given.token()
    assert "AUDIENCE_SECURITY_TOKEN_COMMAND=" in str(caught.value)
    assert "canary" not in str(caught.value) + "".join(capfd.readouterr())


async def test_a_command_that_is_not_there_is_named():
    given = provider(security_token_command="/nonexistent/command --now")
    with pytest.raises(NoTokenError, match=r"=/nonexistent/command --now: cannot be run"):
        await given.token()


@pytest.mark.parametrize("token", ["opaque", "a.b.c", "a.bm8.c", f"x.{'W10'}.z"])
def test_a_token_that_says_no_time_is_kept_for_a_while(token):
    assert tokens.expiry(token) is None


MSK = {
    "security": "SASL_SSL",
    "security_mechanism": "AWS_MSK_IAM",
    "security_region": "eu-west-1",
}


@pytest.fixture
def no_aws(monkeypatch, tmp_path):
    """No credentials of this machine are found, and none are asked for over the network."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))


async def test_amazon_msk_gets_a_signed_url(no_aws, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")
    options = security_options(Settings(**MSK))
    assert options["sasl_mechanism"] == "OAUTHBEARER"
    given = options["sasl_oauth_token_provider"]
    token = await given.token()
    url = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    assert url.startswith("https://kafka.eu-west-1.amazonaws.com/?Action=kafka-cluster%3AConnect")
    assert "AKIDEXAMPLE" in url
    assert "canary-secret" not in url
    assert await given.token() == token  # until shortly before it expires


async def test_without_aws_credentials_it_says_so(no_aws):
    given = security_options(Settings(**MSK))["sasl_oauth_token_provider"]
    with pytest.raises(NoTokenError, match=r"AUDIENCE_SECURITY_REGION=eu-west-1.*AWS credentials"):
        await given.token()


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, tokens.MSK_MODULE, None)
    with pytest.raises(SettingsError, match=r"pip install 'live-audience\[msk\]'"):
        security_options(Settings(**MSK))
    monkeypatch.delitem(sys.modules, tokens.MSK_MODULE)
    assert importlib.import_module(tokens.MSK_MODULE)
