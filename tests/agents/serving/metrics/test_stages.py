"""What is counted of each stage, and how long events took."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from agents.serving.metrics.latency import BOUNDS, LatencyHistogram
from agents.serving.metrics.stages import StageFamilies

EVENTS = {"stage": "broadcasts"}


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def stages(registry):
    return StageFamilies(registry)


def test_each_stage_counts_for_itself_and_from_nought(stages, registry):
    stage = stages.of("broadcasts", "viewer-events")
    stages.of("scopes", "scope-deltas")
    stage.observe_transaction(records=400, work_seconds=0.25, commit_seconds=0.5)
    stage.session_lost(fenced=True, in_transaction=True)
    stage.session_lost(fenced=False, in_transaction=False)
    stage.observe_latency([(1_000, 3)], 1.4)

    def value(name, **labels):
        return registry.get_sample_value(name, labels)

    for name, count in {
        "audience_fenced_total": 1,
        "audience_sessions_lost_total": 2,
        "audience_batch_seconds_sum": 0.75,
        "audience_changelog_seconds_sum": 0.5,
        "audience_batch_records_sum": 400,
        "audience_event_latency_seconds_count": 3,
    }.items():
        assert value(name, **EVENTS) == count, name
        assert value(name, stage="scopes") == 0, name
    for outcome in ("committed", "failed"):
        assert value("audience_transactions_total", outcome=outcome, **EVENTS) == 1
        assert value("audience_transactions_total", outcome=outcome, stage="scopes") == 0
    assert value("audience_batch_records_bucket", le="500.0", **EVENTS) == 1
    assert value("audience_batch_records_bucket", le="100.0", **EVENTS) == 0
    assert value("audience_event_latency_seconds_bucket", le="0.5", **EVENTS) == 3
    assert value("audience_event_latency_seconds_bucket", le="0.2", **EVENTS) == 0
    # The objective's alerts ask for this one by its name.
    assert value("audience_event_latency_seconds_bucket", le="10.0", **EVENTS) == 3


def test_failures_of_partitions_and_rebalances_are_counted_by_topic(stages, registry):
    stage = stages.of("broadcasts", "viewer-events")

    def value(name, **labels):
        return registry.get_sample_value(name, labels)

    assert value("audience_rebalances_total", topic="viewer-events") == 0
    assert value("audience_partition_failures_total", topic="viewer-events") == 0
    stage.rebalanced()
    stage.partition_failed(fenced=True, in_transaction=True)
    stage.partition_failed(fenced=False, in_transaction=False)
    assert value("audience_rebalances_total", topic="viewer-events") == 1
    assert value("audience_partition_failures_total", topic="viewer-events") == 2
    assert value("audience_fenced_total", **EVENTS) == 1
    assert value("audience_transactions_total", outcome="failed", **EVENTS) == 1
    assert value("audience_sessions_lost_total", **EVENTS) == 0


def test_how_long_a_restore_took_leaves_with_its_partition(stages, registry):
    def value(stage, partition):
        labels = {"stage": stage, "partition": partition}
        return registry.get_sample_value("audience_recovery_seconds", labels)

    first, second = stages.of("broadcasts", "viewer-events"), stages.of("scopes", "scope-deltas")
    first.restored(1, 2.5)
    second.restored(1, 0.5)
    assert (value("broadcasts", "1"), value("scopes", "1")) == (2.5, 0.5)
    first.lost(1)
    first.lost(1)
    assert (value("broadcasts", "1"), value("scopes", "1")) == (None, 0.5)


def test_there_are_no_other_stages(stages):
    with pytest.raises(ValueError, match="'gateway'"):
        stages.of("gateway", "viewer-events")


def told(groups, now):
    histogram = LatencyHistogram()
    histogram.observe(groups, now)
    return histogram


def test_what_took_as_long_as_a_bound_is_below_it_and_the_future_took_no_time():
    histogram = told([(40_000, 2), (49_000, 1), (90_000, 4), (-(10**10), 1)], 50.0)
    buckets = dict(histogram.buckets())
    assert [buckets[name] for name in ("0.2", "1.0", "5.0", "10.0", "3600.0", "+Inf")] == (
        [4, 5, 5, 7, 7, 8]
    )
    assert histogram.sum == pytest.approx(20 + 1 + 0 + 10**7 + 50)


@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(1, 50)), max_size=20))
def test_buckets_are_those_of_a_count_one_by_one(groups):
    now = 8_000.0
    seconds = [max(0.0, now - arrived / 1000) for arrived, count in groups for _ in range(count)]
    wanted = [sum(each <= bound for each in seconds) for bound in (*BOUNDS, float("inf"))]
    assert [count for _, count in told(groups, now).buckets()] == wanted
