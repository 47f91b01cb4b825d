"""Who hears of what, and what goes without saying: by amtool and a real Alertmanager."""

import asyncio
import json
import re
import shutil
import socket
from urllib.request import Request, urlopen

import pytest
import yaml
from click.testing import CliRunner
from deploy.prometheus_tools import ALERTMANAGER, ALERTS, check, told
from processes import Process

from agents import alerts
from agents.alerts.__main__ import main

CONFIG = ALERTMANAGER / "alertmanager.yml"
RECEIVERS = {"critical": "on-call", "warning": "team", "info": "news", "none": "watchdog"}

# One system as Prometheus Operator labels it, and two that differ from it in one label each.
JOB = {"namespace": "prod", "job": "prod/live-audience"}
STAGE, SCOPES = {**JOB, "stage": "broadcasts"}, {**JOB, "stage": "scopes"}
ANOTHER = [{**JOB, "namespace": "staging"}, {**JOB, "cluster": "west"}]
WORKER = {**JOB, "instance": "w1"}
LOUVRE = {**JOB, "platform": "fliggy", "broadcast": "b1", "venue": "louvre"}
PRADO = {**JOB, "platform": "fliggy", "broadcast": "b2", "venue": "prado"}
LEG = {**JOB, "platform": "fliggy", "venue": "louvre", "programme": "night"}


def labels(alert, more):
    return {
        "alertname": alert,
        "severity": ALERTS[alert][0].severity,
        "system": "live-audience",
        **more,
    }


@pytest.fixture
def telling(tmp_path):
    """The configuration with the receivers of receivers.yml."""
    shutil.copytree(ALERTMANAGER / "templates", tmp_path / "templates")
    path = tmp_path / "alertmanager.yml"
    path.write_text(told(), encoding="utf-8")
    return path


@pytest.mark.parametrize("receivers", ["of nobody", "of receivers.yml"])
def test_the_configuration(receivers, telling):
    said = check("amtool", "check-config", CONFIG if receivers == "of nobody" else telling)
    assert "1 templates" in said
    assert "5 receivers" in said


def test_nothing_is_sent_until_somebody_says_where():
    shipped = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    assert all(receiver.keys() == {"name"} for receiver in shipped["receivers"])


def test_receivers_that_tell_are_those_that_are_shipped(telling):
    shipped, filled = (yaml.safe_load(p.read_text(encoding="utf-8")) for p in (CONFIG, telling))
    names = [receiver["name"] for receiver in shipped.pop("receivers")]
    told = {receiver["name"]: receiver for receiver in filled.pop("receivers")}
    assert list(told) == names
    assert {name for name, each in told.items() if each.keys() == {"name"}} == {"watchdog"}
    assert filled == shipped


def test_what_goes_without_saying_is_what_the_code_prints():
    shipped = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["inhibit_rules"]
    assert shipped == alerts.inhibit_rules(alerts.Options())
    assert all({"cluster", "namespace", "job"} <= set(rule["equal"]) for rule in shipped)
    done = CliRunner().invoke(main, ["--inhibit-rules", "--keep", "region,job"])
    assert done.exit_code == 0, done.output
    rules = yaml.safe_load(done.output)["inhibit_rules"]
    assert [rule["equal"][:2] for rule in rules] == [["region", "job"]] * len(shipped)


def test_it_names_alerts_that_there_are():
    text = CONFIG.read_text(encoding="utf-8")
    matchers = re.findall(r'alertname=~?"([^"]+)"', text)
    assert matchers
    for name in (name for matcher in matchers for name in matcher.split("|")):
        assert any(re.fullmatch(name, alert) for alert in ALERTS), name


@pytest.mark.parametrize("venue", ["", "louvre", "prado"])
@pytest.mark.parametrize("alert", ALERTS)
def test_routes(alert, venue):
    wanted = RECEIVERS[ALERTS[alert][0].severity]
    if venue == "louvre":
        wanted = f"venue-louvre,{wanted}"
    given = [f"{name}={value}" for name, value in labels(alert, {"venue": venue}).items()]
    said = check(
        "amtool", "config", "routes", "test", f"--config.file={CONFIG}",
        f"--verify.receivers={wanted}", *given,
    )  # fmt: skip  # a command reads best as it is typed
    assert wanted in said


def test_what_people_read(tmp_path):
    alert = ALERTS["BroadcastSilent"][0]
    told = {
        "status": "firing",
        "labels": labels("BroadcastSilent", LOUVRE),
        "annotations": {
            "summary": "fliggy:b1 (louvre) is silent",
            "description": "No event for 4m 15s, and it has not ended.",
            "runbook_url": alert.runbook_url,
        },
    }
    before = {**told, "status": "resolved", "annotations": {"summary": "fliggy:b0 was silent"}}
    common = {"alertname": "BroadcastSilent", "severity": "warning", "venue": "louvre"}
    firing = {"status": "firing", "alerts": [told, before], "commonLabels": common}
    over = {"status": "resolved", "alerts": [before], "commonLabels": common}

    def rendered(template, data):
        path = tmp_path / "data.json"
        path.write_text(json.dumps(data), encoding="utf-8")
        return check(
            "amtool", "template", "render",
            f"--template.glob={ALERTMANAGER}/templates/*.tmpl",
            f'--template.text={{{{ template "live_audience.{template}" . }}}}',
            f"--template.data={path}",
        ).strip()  # fmt: skip  # a command reads best as it is typed

    assert rendered("title", firing) == "1 firing: BroadcastSilent (louvre)"
    assert rendered("title", over) == "resolved: BroadcastSilent (louvre)"
    assert rendered("text", firing).splitlines() == [
        "[warning] fliggy:b1 (louvre) is silent",
        "No event for 4m 15s, and it has not ended.",
        "What to do: deploy/runbooks/BroadcastSilent.md",
        "[resolved] fliggy:b0 was silent",
    ]
    assert rendered("color", firing) == "warning"
    assert rendered("color", over) == "good"
    critical = {**firing, "commonLabels": {**common, "severity": "critical"}}
    assert rendered("color", critical) == "danger"


@pytest.mark.parametrize(
    ("source", "quiet", "told"),
    [
        (
            ("NoWorkerReady", JOB),
            [
                ("WorkerDown", WORKER),
                ("RestoreTooLong", WORKER),
                ("FiguresStale", STAGE),
                ("LagGrowing", {**STAGE, "partition": "0"}),
                ("PartitionsUnowned", {**JOB, "topic": "viewer-events"}),
                ("EventsStopped", JOB),
                ("PlatformSilent", {**JOB, "platform": "ivs"}),
                ("BroadcastSilent", LOUVRE),
                ("SimulcastLegMissing", LEG),
            ],
            [("EventsFailed", JOB), ("AudienceRecord", {**JOB, "scope": "world"})],
        ),
        # That one worker is down mutes nothing: whatever is at work elsewhere can be told of.
        (
            ("WorkerDown", WORKER),
            [],
            [
                ("BroadcastSilent", LOUVRE),
                ("BroadcastCoverageLow", PRADO),
                ("SimulcastLegMissing", {**LEG, "venue": "prado"}),
                ("BroadcastAudienceDropped", LOUVRE),
                ("FiguresStale", STAGE),
            ],
        ),
        (
            ("FiguresStale", STAGE),
            [
                ("LagGrowing", {**STAGE, "partition": "0"}),
                ("ErrorBudgetBurnsFast", STAGE),
                ("ErrorBudgetBurns", STAGE),
            ],
            [
                ("LagGrowing", {**SCOPES, "partition": "0"}),
                ("ErrorBudgetBurnsFast", SCOPES),
                ("BroadcastSilent", LOUVRE),
                ("WorkerDown", WORKER),
            ],
        ),
        (
            ("ErrorBudgetBurnsFast", STAGE),
            [("ErrorBudgetBurns", STAGE)],
            [("ErrorBudgetBurns", SCOPES), ("LagGrowing", {**STAGE, "partition": "0"})],
        ),
        (("EventsFailing", JOB), [("EventsFailed", JOB)], [("EventsRefused", JOB)]),
        (
            ("EventsStopped", JOB),
            [("PlatformSilent", {**JOB, "platform": "ivs"}), ("BroadcastSilent", LOUVRE)],
            [("BroadcastAudienceDropped", LOUVRE)],
        ),
        (
            ("PlatformSilent", {**JOB, "platform": "fliggy"}),
            [
                ("BroadcastSilent", LOUVRE),
                ("BroadcastSilent", PRADO),
                ("SimulcastLegMissing", LEG),
            ],
            [("BroadcastSilent", {**LOUVRE, "platform": "ivs"}), ("EventsFailed", JOB)],
        ),
        (
            ("BroadcastSilent", LOUVRE),
            [("BroadcastCoverageLow", LOUVRE), ("SimulcastLegMissing", LEG)],
            [("BroadcastCoverageLow", PRADO), ("BroadcastAudienceDropped", LOUVRE)],
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
async def test_what_goes_without_saying(tmp_path, source, quiet, told):
    # What is muted of one system is told of every other. (One of them: they mute each other.)
    told = [*told, *((name, {**more, **other}) for name, more in quiet[:1] for other in ANOTHER)]
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    assert program, "On Debian and Ubuntu: apt install prometheus-alertmanager"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    alertmanager = await Process(
        program,
        f"--config.file={CONFIG}",
        f"--storage.path={tmp_path}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ).start()
    url = f"http://127.0.0.1:{port}/api/v2/alerts"
    try:
        await alertmanager.says("Listening", 20)
        given = [{"labels": labels(name, more)} for name, more in (source, *quiet, *told)]
        await asyncio.to_thread(ask, url, given)
        # It inhibits by what it has taken in; that takes a moment.
        states = {}
        async with asyncio.timeout(20):
            while states != wanted(source, quiet, told):
                await asyncio.sleep(0.2)
                states = {
                    frozenset(alert["labels"].items()): bool(alert["status"]["inhibitedBy"])
                    for alert in await asyncio.to_thread(ask, url)
                }
    finally:
        await alertmanager.stop()


def wanted(source, quiet, told):
    states = {frozenset(labels(name, more).items()): True for name, more in quiet}
    for name, more in (source, *told):
        states[frozenset(labels(name, more).items())] = False
    return states


def ask(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url, data, {"Content-Type": "application/json"})) as answer:
        text = answer.read()
    return json.loads(text) if text else None
