"""The dashboards: made from the code, by the conventions, and every query is PromQL."""

import json
import re
import subprocess
import sys
import warnings

import promql_parser
import pytest
import yaml
from deploy.gateway_metrics import gateway_metrics
from deploy.prometheus_tools import ALERTS
from grafana_panels import BOARDS, GRAFANA, PANELS, SOME, annotations, filled, used, variables

from agents.serving.metrics import catalogue

sys.path.append(str(GRAFANA))

with warnings.catch_warnings():
    # The version of the format that Grafana 10 to 13 read is announced to be followed by another.
    warnings.simplefilter("ignore", DeprecationWarning)
    from boards import NOT_SHOWN  # found by the line above

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
#: Of Prometheus itself, of every process, and of an exporter of Kafka's lag.
COMMON = {
    "up",
    "ALERTS",
    "kafka_consumergroup_lag",
    "process_start_time_seconds",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
    "process_open_fds",
}
COMMON |= gateway_metrics()
#: What these need not be limited to, for they do not come from a worker.
ELSEWHERE = ("ALERTS", "kafka_consumergroup_lag")
SYSTEM = ('cluster="$cluster"', 'namespace="$namespace"', 'job="$job"')
CHOSEN = (*SYSTEM, 'instance=~"$instance"')
#: What there may be hundreds of. Panels show the largest, or one that was chosen.
MANY = {"platform", "venue", "programme", "broadcast", "name", "partition", "instance"}
RANGES = {"$__rate_interval", "$__range"}
LIMITS = ("topk", "bottomk")
COUNTED = ("rate", "increase", "irate")
_SELECTORS = r"\w+\{[^}]*\}|(?<![$\w])\{[^}]*\}|\b(?:audience|process)_\w+(?!\w*\{)"


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


def names(selector):
    """The metrics that a selector is of, with what a histogram adds to its name taken away."""
    if selector.name:
        found = {selector.name}
    else:
        (text,) = [m.value for m in selector.matchers.matchers if m.name == "__name__"]
        found = {name for name in CATALOGUE if re.fullmatch(text, name)}
        assert found, text
    plain = {name: re.sub(r"_(bucket|sum|count)$", "", name) for name in found}
    return {plain[name] if plain[name] in CATALOGUE else name for name in found}


def faults(query):
    """What of a query goes against the conventions; empty if nothing does."""
    tree = promql_parser.parse(filled(query, **SOME))
    found = []
    for selector in selectors(tree):
        unknown = names(selector) - CATALOGUE - COMMON
        found += [f"unknown metric {name}" for name in sorted(unknown)]
    for selector in re.findall(_SELECTORS, query):
        for chosen in CHOSEN if not selector.startswith(ELSEWHERE) else ():
            if chosen not in selector:
                found.append(f"{selector} is not limited to {chosen}")
    without_texts = re.sub(r'"(?:[^"\\]|\\.)*"', '""', query)
    for window in re.findall(r"\[([^\]]*)\]", without_texts):
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


def many(node):
    """The labels of which a query may give a series for each of hundreds; empty if it cannot."""
    if isinstance(node, promql_parser.VectorSelector):
        exact = [m for m in node.matchers.matchers if m.op == promql_parser.MatchOp.Equal]
        chosen = {m.name for m in exact}
        if "broadcast" in chosen:
            chosen |= {"venue", "programme"}  # it has one of each
        if any((m.name, m.value) == ("scope", "world") for m in exact):
            chosen |= {"name"}
        return MANY - chosen
    if isinstance(node, promql_parser.AggregateExpr):
        by = set(node.modifier.labels) if node.modifier is not None else set()
        return set() if str(node.op) in LIMITS else many(node.expr) & by
    if isinstance(node, promql_parser.BinaryExpr):
        left, right = many(node.lhs), many(node.rhs)
        if str(node.op) == "and" and any(map(is_limit, nodes(node.rhs))):
            return set()
        return left | right if str(node.op) == "or" else left
    return set().union(*map(many, parts(node)))


def is_limit(node):
    return isinstance(node, promql_parser.AggregateExpr) and str(node.op) in LIMITS


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


def in_full(query):
    """The query with the whole choice of the system where it has the short form of these tests."""
    return query.replace(
        '{job="$job", instance', '{cluster="$cluster", namespace="$namespace", job="$job", instance'
    )


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ('audience_viewers{job="$job"}', "instance"),
        ('audience_viewers{namespace="$namespace", job="$job", instance=~"$instance"}', "cluster"),
        ('max({__name__=~"audience_views|audience_joins", job="$job"})', "namespace"),
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
    found = faults(in_full(query))
    assert any(fault in each for each in found), found


#: One row a worker, as many as there are: a table has room for them.
WHOLE = {"pipeline: Workers"}


@pytest.mark.parametrize("panel", PANELS, ids=str)
def test_of_what_there_may_be_hundreds_the_largest_are_shown(panel):
    for query in panel.queries:
        tree = promql_parser.parse(filled(query, **SOME))
        # A query of labels alone joins the others of its table, which are limited.
        found = many(tree) - ({"instance"} if str(panel) in WHOLE else set())
        assert not found, query


@pytest.mark.parametrize(
    ("query", "labels"),
    [
        ("audience_viewers", MANY),
        ("max by (platform, broadcast) (audience_viewers)", {"platform", "broadcast"}),
        ('max by (platform, broadcast) (audience_viewers{broadcast="a"})', {"platform"}),
        ("sum(audience_viewers)", set()),
        ("topk(5, audience_viewers)", set()),
        ("max by (name) (a) and on (name) topk(5, b)", set()),
        ("max by (name) (a) and on () (count(b) > 5)", {"name"}),
        ("sum(a) or max by (partition) (rate(b[5m]))", {"partition"}),
        ("max by (topic, partition) (a) == 1", {"partition"}),
    ],
)
def test_what_is_not_limited_is_seen(query, labels):
    assert many(promql_parser.parse(query)) == labels


def test_every_metric_is_on_a_board_or_it_is_said_why_not():
    shown = set()
    for panel in PANELS:
        for query in panel.queries:
            for selector in selectors(promql_parser.parse(filled(query, **SOME))):
                shown |= names(selector)
    assert NOT_SHOWN.keys() <= CATALOGUE, "the list names metrics that are not there"
    assert shown & NOT_SHOWN.keys() == set(), "they are shown by now"
    assert CATALOGUE - shown - NOT_SHOWN.keys() == set(), "they are on no board and in no list"
    assert all(reason.endswith(".") for reason in NOT_SHOWN.values())


@pytest.mark.parametrize(
    "panel", [p for p in PANELS if "Dashed: " in p.json["description"]], ids=str
)
def test_a_line_is_where_the_alert_fires_that_it_names(panel):
    steps = panel.json["fieldConfig"]["defaults"]["thresholds"]["steps"]
    lines = [step["value"] for step in steps if step.get("value") is not None]
    said = panel.json["description"].split("Dashed: ")[1].rstrip(".").split("; ")
    assert len(lines) == len(said)
    assert lines == sorted(lines)
    for value, words in zip(lines, said, strict=True):
        for name in re.findall(r"(\w+) fires", words):
            alert, _ = ALERTS[name]
            numbers = {float(n) for n in re.findall(r"[<>]=? (\d+(?:\.\d+)?)", alert.expr)}
            assert value in numbers, f"{name}: {alert.expr}"


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_has_the_variables_that_it_uses_and_no_others(name):
    defined = variables(name)
    assert [v["name"] for v in defined.values() if v["type"] == "datasource"] == ["datasource"]
    assert {"cluster", "namespace", "job", "instance"} <= defined.keys()
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
