"""The exposition of scopes: what stands in it, and when it stands no more."""

import pytest
from prometheus_client import CollectorRegistry, parser
from prometheus_client.openmetrics import parser as openmetrics_parser

from agents.entries import scope_rows
from agents.serving.live import LiveScopes, TopSelection, is_always_exported
from agents.serving.metrics import Exposition, catalogue
from agents.serving.metrics.scopes import ScopeMetrics
from streams.audience.scope import CHUNK, ScopeChunk, ScopeHead
from streams.audience.scope_codec import encode_scope

BEGAN = 26_000_000
PEAK = {BEGAN // CHUNK: (7, BEGAN % CHUNK)}


class WorkerMetrics:
    """A worker's scopes and their metrics."""

    def __init__(self, top=1_000):
        self.live = LiveScopes()
        self.rows = scope_rows()
        selection = TopSelection(self.live, top, is_always_exported, only_active=True)
        writer = ScopeMetrics(self.live, selection)
        self.exposition = Exposition(CollectorRegistry(), [writer])

    async def start(self):
        self.live.restored(0, self.rows)
        await self.live.indexed()
        return self

    def commit(self, changed):
        encoded = {key: None if row is None else encode_scope(row) for key, row in changed.items()}
        self.live.committed(0, changed, self.rows.commit(changed, encoded))

    def scopes(self, **audiences):
        """Scopes with so many viewers; `platform_kick` stands for `platform:kick`."""
        self.commit({name.replace("_", ":", 1).encode(): head(n) for name, n in audiences.items()})

    async def samples(self, *, openmetrics=False):
        """Values by name, then by scope."""
        chunks = [chunk async for chunk in self.exposition.chunks(openmetrics=openmetrics)]
        reader = openmetrics_parser if openmetrics else parser
        found = {}
        for family in reader.text_string_to_metric_families(b"".join(chunks).decode()):
            for sample in family.samples:
                assert sample.labels.keys() == {"scope", "name"}
                name = (sample.labels["scope"], sample.labels["name"])
                assert name not in found.setdefault(sample.name, {}), "a sample came twice"
                found[sample.name][name] = sample.value
        return found

    async def exported(self):
        return {f"{scope}:{name}" for scope, name in (await self.samples())["audience_scope_joins"]}


def head(viewers, **figures):
    if viewers is not None:
        figures = {"viewers_sum": viewers, "contributing": 1, "fresh": 1, **figures}
    given = {"minute": BEGAN, "timestamp": BEGAN * 60_000, "live": 1, **figures}
    return ScopeHead(**given)


@pytest.mark.parametrize("openmetrics", [False, True])
async def test_exports_every_figure_of_a_scope(openmetrics):
    worker = await WorkerMetrics().start()
    figures = {"viewer_minutes": 60, "joins": 8, "views": 9, "broadcasts": 3, "live": 2}
    told = head(5, peak_sum=10, chunks=PEAK, **figures)
    worker.commit({b"world": told, b"venue:louvre": told})
    values = {
        "audience_scope_viewers": 5,
        "audience_scope_peak_viewers": 7,
        "audience_scope_watch_time_seconds": 3_600,
        "audience_scope_joins": 8,
        "audience_scope_views": 9,
        "audience_scope_broadcasts": 3,
        "audience_scope_live_broadcasts": 2,
    }
    assert await worker.samples(openmetrics=openmetrics) == {
        name: {("world", ""): value, ("venue", "louvre"): value} for name, value in values.items()
    }
    assert list(values) == [metric.name for metric in catalogue.SCOPE_METRICS]


async def test_what_is_unknown_has_no_sample():
    worker = await WorkerMetrics().start()
    worker.commit({b"world": head(None)})
    found = await worker.samples()
    assert "audience_scope_viewers" not in found
    assert "audience_scope_peak_viewers" not in found
    assert found["audience_scope_live_broadcasts"] == {("world", ""): 1}


async def test_a_scope_of_which_nothing_is_live_or_fresh_is_gone_but_for_the_world():
    worker = await WorkerMetrics().start()
    worker.scopes(world=5, venue_louvre=5, platform_kick=5)
    over = {"live": 0, "contributing": 0}
    names = (b"world", b"venue:louvre", b"platform:kick")
    worker.commit(dict.fromkeys(names, head(0, **over)))  # what was told of it is fresh yet
    found = await worker.samples()
    assert "audience_scope_viewers" not in found
    assert len(found["audience_scope_joins"]) == 3
    worker.commit(dict.fromkeys(names, head(None, **over, viewer_minutes=7)))
    found = await worker.samples()
    assert found["audience_scope_live_broadcasts"] == {("world", ""): 0}
    assert found["audience_scope_watch_time_seconds"] == {("world", ""): 420}
    worker.scopes(venue_louvre=6)
    assert (await worker.samples())["audience_scope_viewers"] == {("venue", "louvre"): 6}


async def test_chunks_of_minutes_are_not_exported_and_a_lost_partition_is_gone():
    worker = WorkerMetrics()
    worker.rows.load(b"world", encode_scope(head(5)))
    worker.rows.load(b"world/108333", encode_scope(ScopeChunk({0: 5})))
    await worker.start()
    worker.commit({b"world/108334": ScopeChunk({0: 5}), b"world/108333": None})
    assert (await worker.samples())["audience_scope_viewers"] == {("world", ""): 5}
    assert len(worker.live) == 1
    worker.live.lost(0)
    assert await worker.samples() == {}


async def test_the_world_and_the_platforms_are_in_however_small_they_are():
    worker = await WorkerMetrics(top=4).start()
    worker.scopes(world=0, platform_kick=0, venue_a=10, venue_b=30, programme_c=20)
    always = {"world:", "platform:kick"}
    assert await worker.exported() == always | {"venue:b", "programme:c"}
    worker.scopes(venue_a=24)  # not well above the least that is in
    assert await worker.exported() == always | {"venue:b", "programme:c"}
    worker.scopes(venue_a=26)
    assert await worker.exported() == always | {"venue:b", "venue:a"}
    worker.scopes(platform_a=0, platform_b=0, platform_c=0)
    assert await worker.exported() == always | {"platform:a", "platform:b", "platform:c"}


async def test_producers_that_name_many_platforms_do_not_fill_the_exposition():
    worker = await WorkerMetrics(top=50).start()
    worker.scopes(world=0, **{f"platform_p{n}": n for n in range(3_000)})
    worker.scopes(**{f"venue_v{n}": 5_000 + n for n in range(30)})
    largest = {f"platform:p{n}" for n in range(3_000 - 99, 3_000)}
    assert await worker.exported() == {"world:", *largest}
    worker.scopes(platform_p0=3_000 - 98)  # not well above the least that is in
    assert await worker.exported() == {"world:", *largest}
    worker.scopes(platform_p0=4_000)
    assert await worker.exported() == {"world:", "platform:p0", *largest} - {"platform:p2901"}
    assert len(worker.exposition._writers[0]._blocks) == 100


async def test_a_row_that_nobody_could_have_written_costs_itself_alone(logged):
    worker = await WorkerMetrics().start()
    worker.commit({b"world": head(5), b"venue:\xff": head(6), b"platform:kick": head(7)})
    worker.commit({b"venue:a": head(8, chunks={1: ("x", 2)})})
    assert await worker.exported() == {"world:", "platform:kick"}
    assert len([entry for entry in logged if "cannot be read" in entry["event"]]) == 2
