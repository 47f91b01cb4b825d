"""Names as Prometheus wants them; `promtool check metrics` says the same of a scrape."""

import re

import pytest

from agents.serving.metrics import catalogue

ALL = (
    catalogue.BROADCAST_METRICS
    + catalogue.SCOPE_METRICS
    + catalogue.PIPELINE_METRICS
    + catalogue.WORKER_METRICS
)


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_names_follow_the_conventions(metric):
    assert re.fullmatch(r"audience(_[a-z0-9]+)+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert metric.name.endswith("_info") == (metric.kind == "info")
    assert not metric.unit or metric.name.endswith(f"_{metric.unit}")
    for unit in ("seconds", "ratio"):
        assert metric.name.endswith(f"_{unit}") == (metric.unit == unit)
    assert metric.help.endswith(".")
    assert "\n" not in metric.help
    assert not {"job", "instance", "type", "service", "le"} & set(metric.labels)


def test_each_name_stands_once():
    assert len({metric.family for metric in ALL}) == len(ALL)
