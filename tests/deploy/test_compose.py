"""compose.yaml: by the specification's schema, and against the real programs and files it names."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest
import yaml
from deploy.prometheus_tools import check

from agents.app import create_app
from agents.broker import Broker, kafka_version
from agents.broker.ready import free_port
from agents.gateway.config import load
from agents.gateway.service import intakes_of
from agents.gateway.topics import GatewayTopics
from agents.worker import _GRACE
from streams.errors import LiveAudienceError
from streams.settings import PREFIX, Settings
from streams.settings.durations import parse_duration

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SCHEMA = json.loads((Path(__file__).parent / "data" / "compose-spec.json").read_text())
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
OURS = {name for name, s in SERVICES.items() if s["image"].startswith("live-audience:")}
WORKERS = {name for name in OURS if SERVICES[name]["command"] == ["worker"]}
#: The Debian packages that have the programs of an image, as they are called there.
PROGRAMS = {"prometheus": "prometheus", "alertmanager": "prometheus-alertmanager"}


def mounts(name):
    """The files and folders of ours that a container sees: its path -> ours."""
    found = {}
    for volume in SERVICES[name].get("volumes", []):
        source, target, *mode = volume.split(":")
        if source.startswith("."):
            assert mode == ["ro"], f"{name} could change {source}"
            found[target] = (DEPLOY / source).resolve()
    return found


def inside(name, path):
    """What of ours a container has at a path."""
    for target, source in mounts(name).items():
        if path == target or path.startswith(target + "/"):
            return source / path[len(target) + 1 :] if path != target else source
    raise AssertionError(f"{name} has nothing at {path}")


def help_of(*command):
    program = shutil.which(command[0])
    if program is None:
        pytest.fail(f"{command[0]} is missing. On Debian and Ubuntu: apt install {command[0]}")
    command = [program, *command[1:], "--help"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return ended.stdout + ended.stderr


def test_it_is_what_the_specification_allows():
    jsonschema.Draft202012Validator(SCHEMA).validate(COMPOSE)


def test_the_schema_sees_mistakes():
    wrong = COMPOSE | {"services": {"kafka": SERVICES["kafka"] | {"stop_grace": "30s"}}}
    with pytest.raises(jsonschema.ValidationError, match="stop_grace"):
        jsonschema.Draft202012Validator(SCHEMA).validate(wrong)


def test_every_image_has_a_version():
    for name, service in SERVICES.items():
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), f"{name}: {service['image']}"
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{kafka_version()}"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {SERVICES[name]["image"] for name in OURS} == {f"live-audience:{project['version']}"}


def test_one_service_builds_our_image_and_the_others_come_after_it():
    (builder,) = {name for name, service in SERVICES.items() if "build" in service}
    build = SERVICES[builder]["build"]
    assert (DEPLOY / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]).is_file()
    for name in OURS - {builder}:
        # It is of this machine alone: no registry is asked for it.
        assert SERVICES[name]["pull_policy"] == "never"
        wait = SERVICES[name]["depends_on"][builder]
        assert wait["condition"] == "service_completed_successfully"
    # Whoever starts nothing but the builder, too.
    assert "profiles" not in SERVICES[builder]


def test_nothing_is_reached_from_outside_of_this_machine():
    for service in SERVICES.values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")
    published = [port for s in SERVICES.values() for port in s.get("ports", [])]
    outside = [port.rsplit(":", 1)[0] for port in published]
    assert len(set(outside)) == len(outside)


def test_what_is_mounted_is_there_and_is_in_the_repository():
    known = subprocess.run(
        ["git", "ls-files", "deploy"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in SERVICES:
        for source in mounts(name).values():
            path = str(source.relative_to(ROOT))
            assert any(each == path or each.startswith(f"{path}/") for each in known), path
    named = {
        volume.split(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
        if not volume.startswith(".")
    }
    assert named == set(COMPOSE["volumes"])


def test_what_a_service_waits_for_can_come():
    for service in SERVICES.values():
        for other, wait in service.get("depends_on", {}).items():
            if wait["condition"] == "service_healthy":
                assert SERVICES[other]["healthcheck"]["test"]
            else:
                assert wait["condition"] == "service_completed_successfully"
                assert SERVICES[other]["restart"] == "no"


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_settings_are_settings(name, monkeypatch):
    given = SERVICES[name]["environment"]
    # (The gateway's secrets are named in its own file.)
    ours = {field: value for field, value in given.items() if field.startswith(PREFIX)}
    fields = {field.removeprefix(PREFIX).lower() for field in ours}
    assert fields <= Settings.model_fields.keys()
    for field, value in ours.items():
        monkeypatch.setenv(field, value)
    settings = Settings()
    assert settings.brokers == ("kafka:19092",)
    assert settings.http_host == ("0.0.0.0" if name in WORKERS else "127.0.0.1")
    assert settings.replication == 1


def test_workers_are_two_and_alike_but_for_their_ports():
    assert len(WORKERS) == 2
    first, second = ({**SERVICES[name], "ports": None} for name in sorted(WORKERS))
    assert first == second


def test_a_worker_has_the_time_to_stop_in_good_order():
    for name in WORKERS:
        grace = parse_duration(SERVICES[name]["stop_grace_period"]).total_seconds()
        drain = parse_duration(SERVICES[name]["environment"]["AUDIENCE_DRAIN"])
        assert grace > create_app(Settings(drain=drain)).drain + _GRACE


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_commands_are_commands(name):
    command = SERVICES[name]["command"]
    if "entrypoint" in SERVICES[name]:
        assert SERVICES[name]["entrypoint"] == ["/bin/sh", "-c"]
        script, said = (shlex.split(part) for part in command[0].split("|"))
        assert script[0] == "python"
        assert inside(name, script[1]).is_file()
        assert said[0] == "live-audience"
        command = said[1:]
    words = [word for word in command if not word.startswith("-") and not word.isdigit()]
    program = Path(sys.executable).with_name("live-audience")
    entry = [str(program)] if program.exists() else [sys.executable, "-m", "agents.cli"]
    text = help_of(*entry, *words)
    assert re.search(rf"^Usage: .*\b{' '.join(words)}\b", text, re.MULTILINE), text
    for flag in (word for word in command if word.startswith("--")):
        assert flag in text


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_flags_are_flags_of_the_program(name):
    text = help_of(PROGRAMS[name])
    for argument in SERVICES[name]["command"]:
        flag = argument.split("=")[0]
        assert re.search(rf"^ *{flag}[=\s]", text, re.MULTILINE), flag
        if flag == "--config.file":
            assert inside(name, argument.split("=")[1]).is_file()


def test_healthchecks_ask_where_the_service_answers():
    for name, service in SERVICES.items():
        asked = re.findall(r"http://127\.0\.0\.1:(\d+)/", json.dumps(service.get("healthcheck")))
        answering = [port.rsplit(":", 1)[1] for port in service.get("ports", [])]
        assert asked == answering or set(asked) < set(answering), name


def test_prometheus_is_set_up_as_elsewhere_but_for_addresses(tmp_path):
    def rest(path):
        config = yaml.safe_load(path.read_text())
        found = {}
        for scrape in config["scrape_configs"]:
            if scrape["job_name"] == "live-audience-gateway":  # looked at below
                config["scrape_configs"].remove(scrape)
        for scrape in config["scrape_configs"]:
            found[scrape["job_name"]] = scrape.pop("static_configs")[0]["targets"]
        managers = config["alerting"]["alertmanagers"][0].pop("static_configs")[0]["targets"]
        return config, found, managers

    here, targets, managers = rest(inside("prometheus", "/etc/prometheus/prometheus.yml"))
    assert here == rest(DEPLOY / "prometheus" / "prometheus.yml")[0]
    assert targets["live-audience"] == [f"{name}:9630" for name in sorted(WORKERS)]
    assert managers == ["alertmanager:9093"]
    # As the container sees it.
    for target, source in mounts("prometheus").items():
        copy = shutil.copytree if source.is_dir() else shutil.copy
        (tmp_path / target).parent.mkdir(parents=True, exist_ok=True)
        copy(source, tmp_path / Path(target).name)
    check("promtool", "check", "config", tmp_path / "prometheus.yml")
    assert list((tmp_path / "rules").glob("*.yml"))


def test_alertmanager_reads_its_configuration():
    check("amtool", "check-config", inside("alertmanager", "/etc/alertmanager/alertmanager.yml"))


def test_grafana_finds_prometheus_and_the_boards():
    folder = "/etc/grafana/provisioning"
    sources = yaml.safe_load(inside("grafana", f"{folder}/datasources/prometheus.yml").read_text())
    for source in sources["datasources"]:
        name, port = re.fullmatch(r"http://([\w-]+):(\d+)", source["url"]).groups()
        assert SERVICES[name]["ports"][0].endswith(f":{port}")
    prometheus = yaml.safe_load(inside("prometheus", "/etc/prometheus/prometheus.yml").read_text())
    (asked,) = {s["jsonData"].get("timeInterval") for s in sources["datasources"]} - {None}
    assert asked == prometheus["global"]["scrape_interval"]
    boards = yaml.safe_load(inside("grafana", f"{folder}/dashboards/live-audience.yml").read_text())
    path = boards["providers"][0]["options"]["path"]
    assert len(list(inside("grafana", path).glob("*.json"))) == 4
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert inside("grafana", home).is_file()


def test_the_gateway_is_configured_and_answers_where_it_is_published(monkeypatch):
    service = SERVICES["gateway"]
    given = service["environment"]
    config = load(inside("gateway", given["AUDIENCE_GATEWAY"]))
    assert (config.host, config.health_host) == ("0.0.0.0", "0.0.0.0")
    ports = {int(port.rsplit(":", 1)[1]) for port in service["ports"]}
    assert ports == {config.port, config.health_port}
    assert f":{config.health_port}/readyz" in service["healthcheck"]["test"][-1]
    # Its secret comes from whoever starts it: without one it says so, and the rest goes on.
    topics = GatewayTopics.of(Settings())
    monkeypatch.setenv("GATEWAY_SECRET", "")
    with pytest.raises(LiveAudienceError, match="environment GATEWAY_SECRET: is empty"):
        intakes_of(config, topics)
    monkeypatch.setenv("GATEWAY_SECRET", "whsec_c29tZXRoaW5nIGxvbmcgZW5vdWdo")
    assert list(intakes_of(config, topics)) == ["own"]
    assert given["GATEWAY_SECRET"] == "${GATEWAY_SECRET:-}"
    # Both of its services come with one profile, and nothing else does.
    of_profile = {name for name, each in SERVICES.items() if "gateway" in each.get("profiles", ())}
    assert of_profile == {"gateway", "gateway-topics"}
    grace = parse_duration(service["stop_grace_period"]).total_seconds()
    assert grace > Settings().drain.total_seconds() + _GRACE


def test_the_gateway_is_scraped_where_there_is_one():
    scraped = yaml.safe_load(inside("prometheus", "/etc/prometheus/prometheus.yml").read_text())
    named = {each["job_name"]: each for each in scraped["scrape_configs"]}
    static = yaml.safe_load((DEPLOY / "prometheus" / "scrape" / "static.yml").read_text())
    (wanted,) = (e for e in static["scrape_configs"] if e["job_name"] == "live-audience-gateway")
    found = named["live-audience-gateway"]
    assert found["sample_limit"] == wanted["sample_limit"]
    (by_name,) = found["dns_sd_configs"]
    assert by_name["names"] == ["gateway"]
    assert f"127.0.0.1:9641:{by_name['port']}" in SERVICES["gateway"]["ports"]


@pytest.mark.kafka
def test_kafka_starts_with_these_settings(tmp_path):
    """The real Kafka of this version with them, but for the folder, the host and the ports."""
    given = SERVICES["kafka"]["environment"]
    # As the image reads them: KAFKA_LOG_DIRS is log.dirs.
    overrides = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value
        for name, value in given.items()
        if name.startswith("KAFKA_")
    }
    del overrides["log.dirs"]
    ports = {port: str(free_port()) for port in ("19092", "9092", "29093")}
    for name, value in overrides.items():
        moved = value.replace("0.0.0.0", "127.0.0.1").replace("kafka:", "127.0.0.1:")
        overrides[name] = re.sub(r"(?<=:)\d+", lambda port: ports[port[0]], moved)
    with Broker(tmp_path, int(ports["19092"]), overrides=overrides) as broker:
        assert broker.running
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", given["CLUSTER_ID"])
