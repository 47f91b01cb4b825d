"""`live-audience gateway`, as far as it needs no Kafka; and that its page names every source."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from agents.cli import main
from agents.gateway.sources import SOURCES

PAGE = Path(__file__).parents[3] / "docs" / "gateway.md"


@pytest.fixture
def call(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AUDIENCE_GATEWAY", raising=False)
    return lambda *arguments: CliRunner().invoke(main, ["gateway", *arguments])


@pytest.mark.parametrize("command", ["run", "check", "replay"])
def test_without_a_configuration_the_setting_is_named(call, command):
    result = call(command)
    assert result.exit_code == 2
    assert "AUDIENCE_GATEWAY" in result.stderr


def test_a_wrong_configuration_ends_with_2_and_tells_all(call, tmp_path):
    file = tmp_path / "gateway.toml"
    file.write_text('port = -1\n[[endpoint]]\nname = "x"\nsource = "y"\n')
    result = call("check", "--set", f"AUDIENCE_GATEWAY={file}")
    assert result.exit_code == 2
    assert "has 2 mistakes" in result.stderr
    assert "Traceback" not in result.output


def test_a_missing_secret_names_its_place(call, tmp_path):
    file = tmp_path / "gateway.toml"
    file.write_text(
        '[[endpoint]]\nname = "x"\nsource = "mux"\nsecrets = [{ file = "/nowhere/at/all" }]\n'
    )
    result = call("check", "--set", f"AUDIENCE_GATEWAY={file}")
    assert result.exit_code == 1
    assert "endpoint x: file /nowhere/at/all" in result.stderr


def test_sources_are_listed_and_are_those_of_the_page(call):
    listed = re.findall(r"^([a-z0-9-]+): ", call("sources").output, re.MULTILINE)
    table = PAGE.read_text().split("## Sources")[1].split("###")[0]
    in_page = re.findall(r"^\| `([a-z0-9-]+)` \|", table, re.MULTILINE)
    assert listed == in_page == list(SOURCES)
