"""The rules and configurations of Prometheus, by its own tool; that their tests see mistakes."""

import re
import shutil

import pytest
from deploy.prometheus_tools import (
    ALERTS,
    ALWAYS,
    DEPLOY,
    PROMETHEUS,
    RECORDS,
    check,
    mutants,
    run,
    write_with,
)

from agents import alerts
from agents.alerts import objective
from agents.gateway.config import Config
from agents.gateway.metrics import GatewayMetrics
from agents.serving.metrics import catalogue
from agents.serving.metrics.latency import BOUNDS, OBJECTIVE_SECONDS

GATEWAY = Config.model_validate(
    {
        "endpoint": [{"name": "a", "source": "mux", "secrets": [{"env": "X"}]}],
        "poll": [
            {
                "name": "b",
                "source": "youtube",
                "secret": {"env": "X"},
                "channels": ["abcdefghijk"],
            }
        ],
    }
)
RULES = sorted((PROMETHEUS / "rules").rglob("*.yml"))
TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))


def test_the_files_are_what_the_code_writes():
    folder = PROMETHEUS / "rules"
    written = {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in RULES
    }
    assert written == alerts.rules(), "run `python -m agents.alerts`"


def test_rules_pass_every_lint():
    said = check("promtool", "check", "rules", "--lint=all", "--lint-fatal", *RULES)
    assert said.count("SUCCESS") == 6


@pytest.mark.parametrize("scale", [0.5, 0.1, 1 / 60])
def test_scaled_rules_are_rules_too(tmp_path, scale):
    alerts.write(tmp_path, scale)
    check("promtool", "check", "rules", "--lint=all", "--lint-fatal", *tmp_path.rglob("*.yml"))


def test_only_durations_are_scaled():
    number = re.compile(r"\b\d+(\.\d+)?(ms|s|m|h|d)?\b")
    real, fast = alerts.groups(), alerts.groups(0.1)
    for file, groups in real.items():
        for group, quick in zip(groups, fast[file], strict=True):
            assert quick.interval == pytest.approx(group.interval * 0.1)
            for rule, other in zip(group.rules, quick.rules, strict=True):
                assert number.sub("N", rule.expr) == number.sub("N", other.expr)
                assert rule.name == other.name
                if isinstance(rule, alerts.Alert):
                    assert other.before == pytest.approx(rule.before * 0.1)
                    assert other.after == pytest.approx(rule.after * 0.1)
                    assert (rule.severity, rule.summary, rule.description, rule.labels) == (
                        other.severity,
                        other.summary,
                        other.description,
                        other.labels,
                    )


def test_durations_read_as_prometheus_writes_them():
    seconds = [0, 0.25, 1, 1.5, 15, 60, 90, 3600, 5400, 86400, 13 * 86400]
    assert [alerts.duration(each) for each in seconds] == (
        ["0s", "250ms", "1s", "1500ms", "15s", "1m", "90s", "1h", "90m", "1d", "13d"]
    )


def test_a_scale_of_nothing_is_refused():
    with pytest.raises(ValueError, match="above 0"):
        alerts.groups(0)


def test_configurations():
    said = check("promtool", "check", "config", PROMETHEUS / "prometheus.yml")
    assert "5 rule files found" in said
    for name in ("static", "file"):
        check("promtool", "check", "config", PROMETHEUS / "scrape" / f"{name}.yml")
    check(
        "promtool", "check", "config", "--lint=all", "--lint-fatal", PROMETHEUS / "prometheus.yml"
    )


def test_the_kubernetes_example_but_for_the_discovery_itself(tmp_path):
    # Debian builds Prometheus without Kubernetes' discovery, so its promtool knows no such field.
    text = (PROMETHEUS / "scrape" / "kubernetes.yml").read_text(encoding="utf-8")
    discovery = re.compile(r"^    kubernetes_sd_configs:\n(?:      .*\n)+", re.MULTILINE)
    rest, count = discovery.subn("    static_configs: [{targets: [example.org]}]\n", text)
    assert count == 2  # workers and gateways
    (tmp_path / "rest.yml").write_text(rest, encoding="utf-8")
    check("promtool", "check", "config", tmp_path / "rest.yml")


def test_jobs_are_called_as_the_rules_expect():
    for path in (PROMETHEUS / "prometheus.yml", *(PROMETHEUS / "scrape").glob("*.yml")):
        assert "job_name: live-audience\n" in path.read_text(encoding="utf-8"), path
    static = (PROMETHEUS / "scrape" / "static.yml").read_text(encoding="utf-8")
    assert "job_name: live-audience-gateway\n" in static


def test_names_are_the_catalogues():
    known = {metric.name for metric in catalogue.BROADCAST_METRICS + catalogue.SCOPE_METRICS}
    pipeline = catalogue.PIPELINE_METRICS + catalogue.WORKER_METRICS
    known |= {metric.name for metric in pipeline}
    known |= {
        f"{metric.name}_{part}"
        for metric in pipeline
        if metric.kind == "histogram"
        for part in ("bucket", "count", "sum")
    }
    known |= {
        sample.name
        for metric in GatewayMetrics(GATEWAY, lambda: 0, lambda: None).registry.collect()
        for sample in metric.samples
    }
    # (A counter of several labels has no sample before the first refusal, and nothing is subscribed
    # to by this configuration.)
    known |= {"audience_gateway_deliveries_refused_total", "audience_gateway_subscriptions"}
    for rule in [*RECORDS.values(), *(alert for alert, _ in ALERTS.values())]:
        used = set(re.findall(r"(?<![:\w])audience_\w+(?![:\w])", rule.expr))
        assert used <= known, (rule.name, used - known)


def test_the_objective_asks_for_a_bucket_that_is_there():
    assert objective.IN_TIME == OBJECTIVE_SECONDS
    assert objective.IN_TIME in BOUNDS


def test_recorded_names_follow_the_convention_and_are_all_tried():
    tests = "".join(path.read_text(encoding="utf-8") for path in TESTS)
    for name in RECORDS:
        assert re.fullmatch(r"[a-z_]+:audience_[a-z_]+:[a-z0-9_]+", name)
        assert re.search(rf"\b{name}\b", tests), name


@pytest.mark.parametrize("name", ALERTS)
def test_alerts_are_told_of_in_full(name):
    alert, _ = ALERTS[name]
    assert re.fullmatch(r"([A-Z][a-z]+)+", name)
    assert not alert.summary.endswith(".")
    assert alert.description.endswith((".", "."))
    page = (DEPLOY / "runbooks" / f"{name}.md").read_text(encoding="utf-8")
    assert alert.runbook_url == f"deploy/runbooks/{name}.md"
    assert page.startswith(f"# {name}\n")
    for heading in ("What it means", "How to look", "What to do", "How to silence"):
        assert f"\n## {heading}\n" in page, heading
    assert (alert.after > 0) == (name not in ALWAYS)


def test_no_page_is_left_over():
    pages = {path.stem for path in (DEPLOY / "runbooks").glob("*.md")} - {"README"}
    assert pages == set(ALERTS)


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_unit_tests(path):
    check("promtool", "test", "rules", path)


def test_every_alert_has_its_unit_tests():
    assert {path.stem for path in TESTS} == set(ALERTS) | {"recording", "history"}


@pytest.mark.parametrize("name", ALERTS)
def test_unit_tests_see_what_is_wrong(name, tmp_path):
    """Each threshold doubled and halved, each comparison turned, each exception, each wait."""
    alert, _ = ALERTS[name]
    wrong = dict(mutants(alert))
    assert len(wrong) >= (1 if name in ALWAYS else 3)
    for number, each in enumerate([alert, *wrong.values()]):
        write_with(each, tmp_path / str(number) / "rules")
        (tmp_path / str(number) / "tests").mkdir()
        shutil.copy(PROMETHEUS / "tests" / f"{name}.yml", tmp_path / str(number) / "tests")
    files = [tmp_path / str(number) / "tests" / f"{name}.yml" for number in range(len(wrong) + 1)]
    _, said = run("promtool", "test", "rules", *files)
    results = re.findall(r"^Unit Testing:.*\n  (SUCCESS|FAILED)", said, re.MULTILINE)
    assert len(results) == len(files), said
    assert results[0] == "SUCCESS", said
    unseen = [what for what, result in zip(wrong, results[1:], strict=True) if result == "SUCCESS"]
    assert not unseen
