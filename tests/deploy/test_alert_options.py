"""For whom rules are written: no two systems add up, and what alerts say besides."""

import re

import pytest
import yaml
from click.testing import CliRunner
from deploy.prometheus_tools import check

from agents import alerts
from agents.alerts.__main__ import main
from agents.alerts.scoping import scoped

KEEP = ("cluster", "job")
SELECTOR = 'job="a"'
GATEWAY = 'job="b"'
FILES = [
    "recording.yml",
    "audience-alerts.yml",
    "pipeline-alerts.yml",
    "objective.yml",
    "gateway-alerts.yml",
    "optional/export-alerts.yml",
]


@pytest.mark.parametrize(
    ("plain", "wanted"),
    [
        ("up == 0", 'up{job="a"} == 0'),
        ("sum by () (audience_joins)", 'sum by (cluster, job) (audience_joins{job="a"})'),
        (
            'max by (job, platform) (rate(audience_events_total{outcome="}"}[5m] offset 5m)) > 0.5',
            (
                "max by (cluster, job, platform) "
                '(rate(audience_events_total{outcome="}", job="a"}[5m] offset 5m)) > 0.5'
            ),
        ),
        (
            "a:audience_x:max / on (platform) group_left (title) (audience_y > 1e3 or vector(1))",
            (
                'a:audience_x:max{job="a"} / on (cluster, job, platform) group_left (title) '
                '(audience_y{job="a"} > 1e3 or vector(1))'
            ),
        ),
        (
            '{__name__=~"audience_(source|scopes)_lag_seconds"} unless on () ALERTS',
            (
                '{__name__=~"audience_(source|scopes)_lag_seconds", job="a"} '
                'unless on (cluster, job) ALERTS{job="a"}'
            ),
        ),
        (
            'label_replace(audience_gateway_x, "up", "$1", "name", "(.*)") < bool +Inf',
            'label_replace(audience_gateway_x{job="b"}, "up", "$1", "name", "(.*)") < bool +Inf',
        ),
    ],
)
def test_an_expression_keeps_to_its_systems(plain, wanted):
    assert scoped(plain, KEEP, SELECTOR, GATEWAY) == wanted
    # Where there are no matchers none are added.
    assert scoped(plain, KEEP, "", "") == re.sub(r"(, )?job=\"[ab]\"|\{\}", "", wanted).replace(
        "{}", ""
    )


@pytest.mark.parametrize(
    "expr",
    [
        "sum(audience_viewers)",
        "1 - count (up)",
        "sum without (instance) (up)",
        "up * ignoring (instance) up",
    ],
)
def test_what_would_add_systems_up_is_refused(expr):
    with pytest.raises(ValueError, match=r"systems would add up.*by \(\.\.\.\)"):
        scoped(expr, KEEP, SELECTOR, GATEWAY)


def test_every_rule_keeps_the_labels_and_asks_for_its_systems_alone():
    options = alerts.Options(selector='job="a/b"', gateway_selector='job="g"', keep=("zone", "job"))
    for found in alerts.groups(options=options).values():
        for rule in (rule for group in found for rule in group.rules):
            clauses = re.findall(r"\b(?:by|on) \(([^)]*)\)", rule.expr)
            assert all(each.startswith("zone, job") for each in clauses), rule.name
            metrics = re.findall(
                r"(?<![\w:])(?:(?:\w+:)?audience_\w+(?::\w+)?|up|ALERTS|scrape_\w+|process_\w+)"
                r"(?![\w:(|])(\{[^}]*\})?",
                re.sub(r'__name__=~"[^"]*"', "", rule.expr),
            )
            assert all(re.search(r'job="(a/b|g)"', each) for each in metrics), rule.name
            assert metrics or rule.name == "Watchdog" or "{" in rule.expr, rule.name


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"selector": 'env="prod"'}, "env, which is not kept"),
        ({"selector": "live-audience"}, "cannot be read"),
        ({"selector": 'job="a" namespace="b"'}, "cannot be read"),
        ({"keep": ("job", "job")}, "named twice"),
        ({"keep": ("job", "a-b")}, "no name of a label"),
        ({"keep": ("job", "platform")}, "tells no systems apart"),
        ({"labels": {"severity": "page"}}, "is ours"),
        ({"annotations": {"a b": "c"}}, "no name of a label"),
        ({"severities": {"WorkerDown": "page"}}, "one of critical, warning, info, none"),
        ({"silences": {"youtube": 0}}, "more than 0"),
    ],
)
def test_options_that_cannot_be_are_refused(wrong, why):
    with pytest.raises(ValueError, match=why):
        alerts.Options(**wrong)


def test_alerts_that_there_are_not_are_refused():
    for options in (
        alerts.Options(without=frozenset({"WorkerDwon"})),
        alerts.Options(severities={"WorkerDwon": "info"}),
    ):
        with pytest.raises(ValueError, match=r"no alert WorkerDwon; there are .*WorkerDown"):
            alerts.groups(options=options)


def test_the_command_writes_what_it_is_told_where_it_is_told(tmp_path):
    done = CliRunner().invoke(
        main,
        [
            str(tmp_path / "new"),
            *("--scale", "0.1"),
            *("--selector", 'namespace="prod", job="prod/live"', "--keep", "namespace, job"),
            *("--label", "team=live", "--annotation", "wiki=https://w.example/{{ $labels.job }}"),
            *("--severity", "WorkerDown=critical", "--without", "AudienceRecord"),
            *("--silence", "youtube=10m", "--runbooks", "https://example.org/"),
            *("--dashboards", "https://grafana.example/"),
        ],
    )
    assert done.exit_code == 0, done.output
    assert done.output.splitlines() == [str(tmp_path / "new" / name) for name in FILES]
    paths = [tmp_path / "new" / name for name in FILES]
    check("promtool", "check", "rules", "--lint=all", "--lint-fatal", *paths)
    rules = {
        rule.get("alert") or rule["record"]: rule
        for path in paths
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
    }
    assert "AudienceRecord" not in rules
    down = rules["WorkerDown"]
    assert down["expr"] == 'up{namespace="prod", job="prod/live"} == 0'
    assert down["labels"] == {"severity": "critical", "system": "live-audience", "team": "live"}
    assert down["annotations"]["runbook_url"] == "https://example.org/WorkerDown.md"
    assert down["annotations"]["wiki"] == "https://w.example/{{ $labels.job }}"
    assert rules["job_platform:audience_silence:limit"]["expr"].endswith(
        '{platform="youtube", namespace="prod", job="prod/live"} * 0\n+ 60'
    )
    variables = "&".join(
        f"var-{name}={{{{ $labels.{name} | urlquery }}}}"
        for name in ("namespace", "job", "platform", "broadcast")
    )
    assert rules["BroadcastSilent"]["annotations"]["dashboard_url"] == (
        f"https://grafana.example/d/live-audience-broadcast?{variables}"
    )
    assert "/d/live-audience-pipeline?" in down["annotations"]["dashboard_url"]
    assert "/d/live-audience-live?" in rules["SimulcastLegMissing"]["annotations"]["dashboard_url"]


@pytest.mark.parametrize(
    "wrong",
    [
        ["--scale", "0"],
        ["--label", "team"],
        ["--silence", "youtube=10 minutes"],
        ["--without", "Nothing"],
        ["--selector", 'env="prod"'],
    ],
)
def test_the_command_refuses_what_cannot_be(tmp_path, wrong):
    done = CliRunner().invoke(main, [str(tmp_path), *wrong])
    assert done.exit_code == 2, done.output
    assert not list(tmp_path.iterdir())


JOB = 'job="monitoring/live-audience"'
PROD, STAGING = (f'{JOB},namespace="{name}",instance="w"' for name in ("prod", "staging"))
SHOW = 'platform="p q",broadcast="b&1",venue="v"'
#: Two systems that are alike in all but one label; of each its figures, and what goes wrong there.
SERIES = {
    f"up{{{PROD}}}": "1x80",
    f"up{{{STAGING}}}": "0x80",
    f"audience_worker_ready{{{PROD}}}": "1x80",
    f"audience_viewers{{{PROD},{SHOW}}}": "5000x40 1000x40",
    f"audience_viewers{{{STAGING},{SHOW}}}": "5000x80",
}
DROPPED = {
    "exp_labels": {
        "severity": "warning",
        "system": "live-audience",
        "team": "live",
        "job": "monitoring/live-audience",
        "namespace": "prod",
        "platform": "p q",
        "broadcast": "b&1",
        "venue": "v",
    },
    "exp_annotations": {
        "summary": "The audience of p q:b&1 (v) has dropped",
        "description": "Only 20% of what it was are left.",
        "runbook_url": "https://wiki.example/BroadcastAudienceDropped.md",
        "dashboard_url": "https://grafana.example/d/live-audience-broadcast?var-cluster="
        "&var-namespace=prod&var-job=monitoring%2Flive-audience"
        "&var-platform=p+q&var-broadcast=b%261",
    },
}
FIRING = {
    "BroadcastAudienceDropped": "prod",
    "NoWorkerReady": "staging",
    "WorkerDown": "staging",
}


def test_two_systems_under_the_operators_name_of_a_job_each_by_itself_with_links_filled(tmp_path):
    options = alerts.Options(
        labels={"team": "live"},
        runbooks="https://wiki.example/",
        dashboards="https://grafana.example",
    )
    alerts.write(tmp_path / "rules", options=options)
    test = {
        "interval": "15s",
        "input_series": [{"series": name, "values": found} for name, found in SERIES.items()],
        "alert_rule_test": [
            {
                "alertname": "BroadcastAudienceDropped",
                "eval_time": "18m",
                "exp_alerts": [DROPPED],
            }
        ],
        "promql_expr_test": [
            {
                "expr": "count by (alertname, namespace) "
                '(ALERTS{alertstate="firing",alertname!="Watchdog"})',
                "eval_time": "18m",
                "exp_samples": [
                    {"labels": f'{{alertname="{name}",namespace="{where}"}}', "value": 1}
                    for name, where in FIRING.items()
                ],
            }
        ],
    }
    told = {
        "rule_files": [f"rules/{name}" for name in FILES],
        "evaluation_interval": "15s",
        "tests": [test],
    }
    (tmp_path / "two.yml").write_text(yaml.safe_dump(told), encoding="utf-8")
    check("promtool", "test", "rules", tmp_path / "two.yml")
