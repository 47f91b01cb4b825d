"""What is remembered of what producers name is bounded in bytes, whatever they name."""

import sys

import pytest
from prometheus_client import CollectorRegistry

from agents.pipeline.broadcasts.agent import BroadcastProcessor
from agents.serving.metrics.pipeline import MAX_PLATFORMS, PipelineMetrics
from streams import events, rfc3339
from streams.clock import ManualClock
from streams.settings import Settings
from streams.topics import Topics
from streams.viewer_event import MAX_PLATFORM, MAX_SLUG, ViewerEvent


def size(container):
    """Bytes of a dictionary or set and of what is in it."""
    held = sys.getsizeof(container) + sum(map(sys.getsizeof, container))
    if isinstance(container, dict):
        held += sum(map(sys.getsizeof, container.values()))
    return held


@pytest.fixture(autouse=True)
def forget():
    """Leave nothing behind for other tests."""
    yield
    for cache in (rfc3339.MINUTES, rfc3339.TAILS, events._platforms, events._slugs):
        cache.clear()
    events._slugs.add(None)


def test_of_times():
    most = 0
    for number in range(120_000):
        minute = rfc3339.text((number + 10_000) * rfc3339.MINUTE)[:16]
        rfc3339.microseconds(minute + f":{number % 60:02}.{number % 1_000:03}+{number % 24:02}:00")
        if not number % 5_000 or number in {99_999, 100_000}:
            most = max(most, size(rfc3339.MINUTES) + size(rfc3339.TAILS))
    rfc3339.microseconds("2020-03-01T20:15:34." + "1" * 60_000 + "Z")
    assert 5_000_000 < most < 50_000_000
    assert max(map(len, rfc3339.TAILS)) <= 13
    assert max(map(len, rfc3339.MINUTES)) == 16


def test_of_platforms_venues_and_programmes():
    most = 0
    for number in range(60_000):
        slug = f"{number:x}".rjust(MAX_SLUG, "a")
        event = ViewerEvent(slug[-MAX_PLATFORM:], "b", "", venue=slug, programme="p" + slug[1:])
        assert events._cache_slugs(event)
        if not number % 5_000 or number == 33_332:
            most = max(most, size(events._platforms) + size(events._slugs))
    assert 5_000_000 < most < 50_000_000


def test_of_what_is_no_slug_nothing():
    before = set(events._slugs)
    for wrong in ("", "-", "A", "x" * 65, "é", "x" * 60_000):
        assert not events._cache_slugs(ViewerEvent("fliggy", "b", "", venue=wrong))
        assert not events._cache_slugs(ViewerEvent(wrong, "b", ""))
    assert events._slugs == before


def test_of_platforms_rules():
    settings = Settings(partitions=1)
    work = BroadcastProcessor(settings, Topics.of(settings))
    for number in range(11_000):
        work.rules_for(f"{number:0{MAX_PLATFORM}}")
        assert len(work._applier._rules) <= 10_001
    assert size(work._applier._rules) < 5_000_000


def test_of_labels():
    registry = CollectorRegistry()
    pipeline = PipelineMetrics(registry, ManualClock(0))
    for number in range(1_000):
        pipeline.observe_batch(
            accepted={f"p{number}": 1},
            late={f"q{number}": 1},
            rejected={f"r{number}": 1},
            reasons={},
        )
    platforms = {
        sample.labels["platform"]
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "audience_events_total"
    }
    assert len(platforms) == MAX_PLATFORMS + 1
    for outcome in ("accepted", "late", "rejected"):
        assert sum(
            sample.value
            for family in registry.collect()
            for sample in family.samples
            if sample.name == "audience_events_total" and sample.labels["outcome"] == outcome
        ) == pytest.approx(1_000)
