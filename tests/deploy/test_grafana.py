"""The dashboards: made from the code, by the conventions, and every query is PromQL."""

import json
import re
import subprocess
import sys

import promql_parser
import pytest
import yaml
from deploy.gateway_metrics import gateway_metrics
from grafana_panels import BOARDS, GRAFANA, PANELS, SOME, annotations, filled, used, variables

from agents.serving.metrics import catalogue

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
BROADCAST = {"platform", "broadcast", "venue"}
SCOPE = {"scope", "name"}
#: What names one thing that is measured, of each gauge that more than one worker may tell of.
IDENTITY = {
    **{metric.name: BROADCAST for metric in catalogue.BROADCAST_METRICS},
    **{metric.name: SCOPE for metric in catalogue.SCOPE_METRICS},
    **{
        m.name: set(m.labels)
        for m in catalogue.WORKER_METRICS + catalogue.PIPELINE_METRICS
        if m.labels and m.kind == "gauge"
    },
}
CATALOGUE = {
    metric.name
    for metrics in vars(catalogue).values()
    if isinstance(metrics, tuple)
    for metric in metrics
    if isinstance(metric, catalogue.Metric)
}
#: Of Prometheus itself, and of every process.
COMMON = {
    "up",
    "scrape_duration_seconds",
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
    "process_open_fds",
}
COMMON |= gateway_metrics()
RANGES = {"$__rate_interval", "$__range"}
COUNTED = ("rate", "increase", "irate")


def every_query():
    for panel in PANELS:
        for number, query in enumerate(panel.queries):
            yield pytest.param(query, id=f"{panel}/{number}")
    for name in BOARDS:
        for annotation in annotations(name):
            yield pytest.param(annotation["expr"], id=f"{name}: {annotation['name']}")


def parts(node):
    """What stands directly within a node of PromQL."""
    found = []
    for name in ("lhs", "rhs", "expr", "param", "args", "vector_selector"):
        value = getattr(node, name, None)
        found += value if isinstance(value, list) else [value]
    return [each for each in found if each is not None and not isinstance(each, str)]


def nodes(node):
    yield node
    for part in parts(node):
        yield from nodes(part)


def selectors(node):
    return [n for n in nodes(node) if isinstance(n, promql_parser.VectorSelector)]


def faults(query):
    """What of a query goes against the conventions; empty if nothing does."""
    tree = promql_parser.parse(filled(query, **SOME))
    found = []
    for selector in selectors(tree):
        if selector.name not in CATALOGUE | COMMON:
            known = re.sub(r"_(bucket|sum|count)$", "", selector.name) in CATALOGUE
            found += [] if known else [f"unknown metric {selector.name}"]
    for selector in re.findall(r"\w+\{[^}]*\}|\b(?:audience|process)_\w+(?!\w*\{)", query):
        for chosen in ('job="$job"', 'instance=~"$instance"'):
            if chosen not in selector:
                found.append(f"{selector} is not limited to {chosen}")
    for window in re.findall(r"\[([^\]]*)\]", query):
        if window not in RANGES:
            found.append(f"a fixed range, [{window}]")
    for call in nodes(tree):
        if isinstance(call, promql_parser.Call) and call.func.name in COUNTED:
            found += [
                f"{call.func.name} of {selector.name}, which is no counter"
                for selector in selectors(call)
                if not selector.name.endswith(("_total", "_bucket", "_sum", "_count"))
            ]
    return found + list(added_twice(tree, within=None))


def added_twice(node, within):
    """Sums over workers that do not take each thing once, by `max by` of all that names it."""
    if isinstance(node, promql_parser.VectorSelector) and within is not None:
        missing = IDENTITY.get(node.name, set()) - within
        if missing:
            yield f"{node.name} is added up over workers without max by {sorted(missing)}"
    if isinstance(node, promql_parser.AggregateExpr):
        by = set(node.modifier.labels) if node.modifier is not None else set()
        if str(node.op) != "max":
            within = set()
        elif within is not None:
            within = by
    for part in parts(node):
        yield from added_twice(part, within)


def test_the_json_is_what_the_code_makes():
    command = [sys.executable, str(GRAFANA / "make.py"), "--check"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert list(BOARDS) == ["broadcast", "gateway", "live", "pipeline"]


@pytest.mark.parametrize("panel", PANELS, ids=str)
def test_a_panel_says_what_it_shows_and_in_which_unit(panel):
    assert panel.title
    assert panel.json["description"].endswith((".", '."'))
    assert panel.json["fieldConfig"]["defaults"]["unit"]
    assert panel.json["datasource"] == SOURCE
    assert panel.json["targets"]
    for target in panel.json["targets"]:
        assert target["datasource"] == SOURCE
        assert target["instant"] is not target["range"]
        assert target["range"] is (panel.json["type"] == "timeseries")
        # Without a name the whole selector would be its legend.
        assert target.get("legendFormat") or panel.json["type"] != "timeseries"


@pytest.mark.parametrize("query", list(every_query()))
def test_a_query_keeps_the_conventions(query):
    assert faults(query) == []


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ('audience_viewers{job="$job"}', "instance"),
        ("max(audience_viewers)", "job"),
        ('audience_views_total{job="$job", instance=~"$instance"}', "unknown metric"),
        ('sum(audience_viewers{job="$job", instance=~"$instance"})', "without max by"),
        (
            'sum(max by (platform) (audience_viewers{job="$job", instance=~"$instance"}))',
            "without max by ['broadcast', 'venue']",
        ),
        ('rate(audience_fenced_total{job="$job", instance=~"$instance"}[5m])', "fixed range"),
        (
            'rate(audience_joins{job="$job", instance=~"$instance"}[$__rate_interval])',
            "no counter",
        ),
    ],
)
def test_the_conventions_are_looked_at(query, fault):
    assert any(fault in each for each in faults(query)), faults(query)


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_has_the_variables_that_it_uses_and_no_others(name):
    defined = variables(name)
    assert [v["name"] for v in defined.values() if v["type"] == "datasource"] == ["datasource"]
    assert {"job", "instance"} <= defined.keys()
    asked = [panel.json["targets"] for panel in PANELS if panel.board == name]
    asked += [annotations(name), [variable["query"] for variable in defined.values()]]
    builtin = {"__range", "__rate_interval"}
    assert used(json.dumps(asked)) - builtin == defined.keys()
    for variable in defined.values():
        if variable["type"] == "query":
            assert variable["datasource"] == SOURCE
            asks_for = used(variable["query"])
            earlier = list(defined)[: list(defined).index(variable["name"])]
            assert asks_for <= set(earlier), "a variable rests on those before it"


@pytest.mark.parametrize("name", BOARDS)
def test_panels_have_numbers_and_places_of_their_own(name):
    board = BOARDS[name]
    assert board["uid"] == f"live-audience-{name}"
    assert board["description"].endswith(".")
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(set(numbers)) == len(numbers)
    titles = [panel.title for panel in PANELS if panel.board == name]
    assert len(set(titles)) == len(titles)
    taken = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, f"{panel['title']} covers another"
        taken |= cells


def test_links_lead_to_boards_that_are_there_with_variables_that_they_have():
    links = re.findall(r'"url": "(/d/[^"]*)"', json.dumps(BOARDS))
    assert links
    uids = {board["uid"]: name for name, board in BOARDS.items()}
    for link in links:
        name = uids[re.match(r"/d/([^?]+)", link)[1]]
        for variable in re.findall(r"[?&]var-(\w+)=", link):
            assert variable in variables(name)


def test_grafana_is_told_of_the_same_names():
    provisioning = GRAFANA / "provisioning"
    sources = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())
    assert {source["type"] for source in sources["datasources"]} == {"prometheus", "alertmanager"}
    assert [s["name"] for s in sources["datasources"] if s.get("isDefault")] == ["Prometheus"]
    boards = yaml.safe_load((provisioning / "dashboards" / "live-audience.yml").read_text())
    assert [provider["type"] for provider in boards["providers"]] == ["file"]
