import json
import re

from streams import compiled
from streams.settings import Settings, load
from streams.settings.display import env_name


def test_lines_say_value_and_origin(call, monkeypatch):
    monkeypatch.setenv("AUDIENCE_GROUP", "blue")
    lines = call("config", "--set", "carry=3m").output.splitlines()
    assert "AUDIENCE_GROUP=blue (environment)" in lines
    assert "AUDIENCE_CARRY=3m (--set)" in lines
    assert "AUDIENCE_LATENESS=15m (default)" in lines
    assert len(lines) == len(Settings.model_fields)


def test_set_after_the_subcommand_wins(call):
    output = call("--set", "carry=3m", "config", "--set", "carry=4m").output
    assert "AUDIENCE_CARRY=4m (--set)" in output


def test_json(call):
    values = json.loads(call("config", "--json", "--set", "partitions=3").stdout)
    assert set(values) == {env_name(field) for field in Settings.model_fields}
    assert values["AUDIENCE_PARTITIONS"] == {"value": "3", "from": "--set"}
    in_force = compiled.status().build
    assert values["AUDIENCE_COMPILED"] == {"value": "yes", "from": "default", "in_force": in_force}


def test_says_which_form_of_the_arithmetic_is_in_force(run):
    # A process of its own: this one has chosen.
    lines = run("config", text=True, env={"AUDIENCE_COMPILED": "NO"}).stdout.splitlines()
    assert "AUDIENCE_COMPILED=no (environment; pure: AUDIENCE_COMPILED=no)" in lines
    lines = run("config", "--set", "compiled=yes", text=True).stdout.splitlines()
    (line,) = [line for line in lines if line.startswith("AUDIENCE_COMPILED=")]
    wanted = r"AUDIENCE_COMPILED=yes \(--set; (compiled: \d+ modules|pure: .+)\)"
    assert re.fullmatch(wanted, line)
    assert "AUDIENCE_COMPILED=no" not in line


def test_env_reads_back_as_the_same_settings(call, tmp_path):
    changed = ["lateness_by_platform=ivs=2h,kick=5m", "brokers=a:1,b:2", "silence=1h"]
    arguments = [part for each in changed for part in ("--set", each)]
    (tmp_path / "settings.env").write_text(call("config", "--env", *arguments).stdout)
    assert load(env_file=tmp_path / "settings.env").settings == load(changed).settings


def test_secrets_are_hidden_in_every_form(call, monkeypatch, tmp_path):
    monkeypatch.setenv("AUDIENCE_SECURITY_PASSWORD", "hunter2")
    monkeypatch.setenv("AUDIENCE_SECURITY", "SASL_SSL")
    monkeypatch.setenv("AUDIENCE_SECURITY_USER", "reader")
    for form in ([], ["--json"], ["--env"]):
        output = call("config", *form).output
        assert "hunter2" not in output
        assert "***" in output
    (tmp_path / "settings.env").write_text(output)
    assert "\n# AUDIENCE_SECURITY_PASSWORD=***\n" in output
