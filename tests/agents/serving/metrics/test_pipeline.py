"""What the process counts, and how the worker stands."""

import pytest
from prometheus_client import CollectorRegistry

from agents.entries import broadcast_rows
from agents.serving.live import LiveBroadcasts, TopSelection
from agents.serving.metrics import catalogue
from agents.serving.metrics.pipeline import MAX_PLATFORMS, PipelineMetrics, WindowedMax
from agents.serving.metrics.worker import WorkerMetrics
from streams.clock import ManualClock
from streams.exact import Lag
from streams.rejections import Reason


@pytest.fixture
def clock():
    return ManualClock(1_000.0)


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def pipeline(registry, clock):
    return PipelineMetrics(registry, clock)


def batch(**counts):
    return {"accepted": {}, "late": {}, "rejected": {}, "reasons": {}, **counts}


def test_counts_what_a_batch_did(pipeline, registry):
    for _ in range(2):
        pipeline.observe_batch(
            accepted={"kick": 5, "ivs": 1},
            late={"kick": 2},
            rejected={"": 3, "kick": 1},
            reasons={Reason.LATE: 2, Reason.MALFORMED: 3, "future": 1},
            relabelled=4,
            finalised=6,
        )
    value = registry.get_sample_value
    events = {
        (platform, outcome): value(
            "audience_events_total", {"platform": platform, "outcome": outcome}
        )
        for platform in ("kick", "ivs", "")
        for outcome in ("accepted", "late", "rejected")
    }
    assert {key: count for key, count in events.items() if count is not None} == {
        ("kick", "accepted"): 10,
        ("ivs", "accepted"): 2,
        ("kick", "late"): 4,
        ("kick", "rejected"): 2,
        ("", "rejected"): 6,
    }
    assert value("audience_rejected_total", {"reason": "late"}) == 4
    assert value("audience_rejected_total", {"reason": "malformed"}) == 6
    assert value("audience_rejected_total", {"reason": "future"}) == 2
    assert value("audience_relabelled_total") == 8
    assert value("audience_finalised_total") == 12


def test_every_reason_stands_at_nought_from_the_start(pipeline, registry):
    for reason in Reason:
        assert registry.get_sample_value("audience_rejected_total", {"reason": reason.value}) == 0


def test_an_unknown_reason_never_becomes_a_label(pipeline):
    with pytest.raises(ValueError, match="mood"):
        pipeline.observe_batch(**batch(reasons={"mood": 1}))


def test_past_a_hundred_platforms_it_is_other_and_what_is_refused_takes_no_place(
    pipeline, registry
):
    def count(platform, outcome):
        return registry.get_sample_value(
            "audience_events_total", {"platform": platform, "outcome": outcome}
        )

    pipeline.observe_batch(**batch(accepted={"kick": 1}, rejected={f"x{n}": 1 for n in range(200)}))
    pipeline.observe_batch(**batch(accepted={"kick": 1, "ivs": 1}, rejected={"": 1}))
    assert count("kick", "accepted") == 2  # known before the flood
    assert count("x98", "rejected") == 1
    assert count("x99", "rejected") is None
    assert count("other", "rejected") == 200 - (MAX_PLATFORMS - 1)
    assert count("other", "accepted") == 1  # ivs came too late
    assert count("", "rejected") == 1


def test_the_clock_skew_of_producers_is_the_greatest_lately(pipeline, registry, clock):
    def skew():
        return registry.get_sample_value("audience_producer_clock_skew_seconds")

    pipeline.observe_batch(**batch(ahead=30.0))
    pipeline.observe_batch(**batch(ahead=2.0))
    clock.advance(59)
    assert skew() == 30
    clock.advance(2)
    pipeline.observe_batch(**batch(ahead=3.0))
    assert skew() == 30
    clock.advance(60)
    assert skew() == 3
    clock.advance(60)
    assert skew() == 0


def test_the_greatest_is_forgotten_after_a_long_silence_or_a_step_back_of_the_clock(clock):
    greatest = WindowedMax(clock, 60)
    greatest.observe(5)
    clock.advance(1_000)
    assert greatest.get() == 0
    greatest.observe(5)
    clock.advance(-500)
    assert greatest.get() == 0


class Stage:
    """A stage with one partition that fails and one that is restoring."""

    topic = "viewer-events"

    def __init__(self, lags):
        self.found = lags

    def lags(self):
        return self.found

    def failing(self):
        return {1: 12.5, 0: 0.0}

    def restored_ratios(self):
        return {1: 1.0, 0: 0.25}

    def partition_count(self):
        return 16


class Unsurveyed(Stage):
    """A stage that has not yet asked Kafka."""

    topic = "scope-deltas"

    def partition_count(self):
        return None


async def test_only_partitions_that_the_worker_has_are_there(registry):
    live = LiveBroadcasts()
    stage = Stage({1: Lag(7, 2.5), 0: Lag(0, 0.0)})
    missing = "state of partition 1 is being restored"
    WorkerMetrics(
        registry,
        live,
        TopSelection(live, 10),
        assigned=lambda: 2,
        not_ready_reason=lambda: missing,
        stages=lambda: {"broadcasts": stage},
    )

    def partitions(name):
        return {
            sample.labels["partition"]: sample.value
            for family in registry.collect()
            for sample in family.samples
            if sample.name == name
        }

    for number in (0, 1):
        live.restored(number, broadcast_rows())
    await live.indexed()
    assert partitions("audience_live_broadcasts") == {"0": 0, "1": 0}
    assert partitions("audience_exported_broadcasts") == {"0": 0, "1": 0}
    assert partitions("audience_source_lag_records") == {"0": 0, "1": 7}
    assert partitions("audience_source_lag_seconds") == {"0": 0, "1": 2.5}
    assert registry.get_sample_value("audience_partitions_assigned") == 2
    assert registry.get_sample_value("audience_worker_ready") == 0

    live.lost(1)
    del stage.found[1]
    missing = None
    for name in (
        "audience_live_broadcasts",
        "audience_exported_broadcasts",
        "audience_source_lag_records",
        "audience_source_lag_seconds",
    ):
        assert partitions(name).keys() == {"0"}
    assert registry.get_sample_value("audience_worker_ready") == 1


def test_an_unknown_lag_is_absent_as_a_number_and_there_as_an_age(registry):
    live = LiveBroadcasts()
    WorkerMetrics(
        registry,
        live,
        TopSelection(live, 10),
        assigned=lambda: 2,
        not_ready_reason=lambda: None,
        stages=lambda: {
            "broadcasts": Stage({0: Lag(3, 1.0), 1: Lag(None, 70.0)}),
            "scopes": Unsurveyed({0: Lag(None, 2.0)}),
        },
    )

    def value(name, **labels):
        return registry.get_sample_value(name, labels)

    stage = {"stage": "broadcasts"}
    assert value("audience_source_lag_records", partition="0", **stage) == 3
    assert value("audience_source_lag_records", partition="1", **stage) is None
    assert value("audience_source_lag_seconds", partition="1", **stage) == 70
    assert value("audience_source_lag_records", partition="0", stage="scopes") is None
    assert value("audience_source_lag_seconds", partition="0", stage="scopes") == 2
    events = {"topic": "viewer-events"}
    assert value("audience_partition_failing_seconds", partition="0", **events) == 0
    assert value("audience_partition_failing_seconds", partition="1", **events) == 12.5
    assert value("audience_restore_progress_ratio", partition="0", **events) == 0.25
    assert value("audience_topic_partitions", **events) == 16
    assert value("audience_topic_partitions", topic="scope-deltas") is None


def test_registering_asks_nobody(registry):
    def unasked():
        raise AssertionError

    live = LiveBroadcasts()
    WorkerMetrics(
        registry,
        live,
        TopSelection(live, 10),
        assigned=unasked,
        not_ready_reason=unasked,
        stages=unasked,
    )


def test_nothing_is_exported_that_the_catalogue_does_not_know(pipeline, registry):
    live = LiveBroadcasts()
    WorkerMetrics(
        registry,
        live,
        TopSelection(live, 10),
        assigned=lambda: 0,
        not_ready_reason=lambda: None,
    )
    exported = {(family.name, family.documentation, family.type) for family in registry.collect()}
    assert exported == {
        (metric.family, metric.help, metric.kind)
        for metric in catalogue.PIPELINE_METRICS + catalogue.WORKER_METRICS
    }
