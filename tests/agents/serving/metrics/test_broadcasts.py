"""The exposition of single broadcasts: what stands in it, and when it stands no more."""

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser

from agents.entries import broadcast_rows
from agents.serving.live import LiveBroadcasts, LiveScopes
from agents.serving.metrics import Metrics, catalogue
from agents.serving.metrics.broadcasts import render
from streams.audience import NO_ROW, Delta, Row, Rules, Tombstone, encode, snapshot
from streams.clock import ManualClock
from streams.events import ViewerEvent

MINUTE = 60_000_000
BEGAN = 26_000_000
RULES = Rules(lateness=15, carry=2)
BROADCAST_NAMES = {metric.name for metric in catalogue.BROADCAST_METRICS}


class WorkerMetrics:
    """A worker's rows and metrics, with a clock that stands still."""

    def __init__(self, top=1_000):
        self.clock = ManualClock(BEGAN * 60.0)
        self.live = LiveBroadcasts()
        self.rows = broadcast_rows()
        self.ready = None
        self.metrics = Metrics(
            self.live,
            LiveScopes(),
            top=top,
            top_scopes=0,
            assigned=lambda: 2,
            not_ready_reason=lambda: self.ready,
            clock=self.clock,
        )

    async def start(self):
        self.live.restored(0, self.rows)
        await self.live.indexed()
        return self

    def commit(self, changed):
        encoded = {key: None if row is None else encode(row) for key, row in changed.items()}
        self.live.committed(0, changed, self.rows.commit(changed, encoded))

    def accept(self, key, viewers=None, *, minute=BEGAN, second=0, **fields):
        """One event, durable at once."""
        platform, _, broadcast = key.partition(":")
        event = ViewerEvent(platform, broadcast, "", viewers=viewers, **fields)
        at = minute * MINUTE + int(second * 1_000_000)
        told = [(event, at, at // 1000)]
        row, before = self.rows.get(key.encode()), NO_ROW
        if row is None:
            row, result = Row.begin(told, RULES)
        else:
            before = snapshot(row)
            result = row.accept_all(told, before)
        Delta().add_row(before, row, result)
        row.fold_sealed()
        self.commit({key.encode(): row})

    async def text(self, *, openmetrics=False):
        chunks = [chunk async for chunk in self.metrics.exposition.chunks(openmetrics=openmetrics)]
        return b"".join(chunks).decode()

    async def samples(self, *, openmetrics=False):
        """Values by name, then by labels."""
        text = await self.text(openmetrics=openmetrics)
        reader = openmetrics_parser if openmetrics else parser
        found = {}
        for family in reader.text_string_to_metric_families(text):
            for sample in family.samples:
                labels = frozenset(sample.labels.items())
                assert labels not in found.setdefault(sample.name, {}), "a sample came twice"
                found[sample.name][labels] = sample.value
        return found


def labels(platform="kick", broadcast="b", venue="louvre", **more):
    return frozenset(dict(platform=platform, broadcast=broadcast, venue=venue, **more).items())


@pytest.mark.parametrize("openmetrics", [False, True])
async def test_exports_every_figure_of_a_broadcast(openmetrics):
    worker = await WorkerMetrics().start()
    told = {"venue": "louvre", "programme": "night", "title": "Night", "joins": 7, "views": 90}
    worker.accept("kick:b", 9, minute=BEGAN - 1)
    worker.accept("kick:b", 100, kind="started", **told)
    worker.accept("kick:b", 300, minute=BEGAN + 10, second=30, **told)
    worker.accept("kick:b", 200, minute=BEGAN + 11, second=15.5, **told)

    found = await worker.samples(openmetrics=openmetrics)

    began = BEGAN * 60
    assert {name: found[name][labels()] for name in BROADCAST_NAMES & found.keys() - NOT_PLAIN} == {
        "audience_viewers": 200,
        "audience_first_minute_viewers": 100,
        "audience_first_viewers": 100,
        "audience_peak_held_viewers": 200,
        "audience_waiting_viewers": 9,
        "audience_average_viewers": (100 * 3 + 300 + 200) / 5,
        "audience_watch_time_seconds": (100 * 3 + 300 + 200) * 60,
        "audience_joins": 21,
        "audience_views": 90,
        "audience_coverage_ratio": 3 / 12,
        "audience_covered_ratio": 5 / 12,
        "audience_started_timestamp_seconds": began,
        "audience_last_event_timestamp_seconds": began + 11 * 60 + 15.5,
        "audience_last_arrival_timestamp_seconds": began + 11 * 60 + 15.5,
    }
    assert found["audience_peak_viewers"] == {
        labels(window="5m"): 300,
        labels(window="1h"): 300,
        labels(window="broadcast"): 300,
    }
    assert found["audience_broadcast_info"] == {
        labels(programme="night", title="Night", partition="0"): 1
    }
    assert "audience_ended_timestamp_seconds" not in found


NOT_PLAIN = {"audience_peak_viewers", "audience_broadcast_info"}


async def test_what_is_unknown_has_no_sample():
    worker = await WorkerMetrics().start()
    worker.accept("kick:b")
    found = await worker.samples()
    here = labels(venue="unknown")
    assert {name for name in BROADCAST_NAMES if here in found.get(name, ())} == {
        "audience_watch_time_seconds",
        "audience_joins",
        "audience_coverage_ratio",
        "audience_covered_ratio",
        "audience_started_timestamp_seconds",
        "audience_last_event_timestamp_seconds",
        "audience_last_arrival_timestamp_seconds",
    }
    assert found["audience_broadcast_info"] == {
        labels(venue="unknown", programme="", title="", partition="0"): 1
    }
    assert "audience_peak_viewers" not in found


async def test_viewers_are_shown_exactly_while_they_count():
    worker = await WorkerMetrics().start()
    worker.accept("kick:b", 5)
    assert (await worker.samples())["audience_viewers"] == {labels(venue="unknown"): 5}
    row = worker.rows.get(b"kick:b")
    Delta().go_stale(row)
    worker.commit({b"kick:b": row})
    found = await worker.samples()
    assert "audience_viewers" not in found
    assert found["audience_peak_viewers"]  # only the gauge that would lie goes
    worker.accept("kick:b", second=1)  # unknown is not told
    assert "audience_viewers" not in await worker.samples()
    worker.accept("kick:b", 6, second=2)
    assert (await worker.samples())["audience_viewers"] == {labels(venue="unknown"): 6}


async def test_viewers_are_shown_while_live_and_the_end_while_ended():
    worker = await WorkerMetrics().start()
    worker.accept("kick:b", 5)
    worker.accept("kick:b", 4, second=30, kind="ended")
    found = await worker.samples()
    assert "audience_viewers" not in found
    assert found["audience_ended_timestamp_seconds"] == {labels(venue="unknown"): BEGAN * 60 + 30}

    worker.accept("kick:b", 3, second=40, kind="started")  # it goes on
    found = await worker.samples()
    assert found["audience_viewers"] == {labels(venue="unknown"): 3}
    assert "audience_ended_timestamp_seconds" not in found


async def test_a_final_broadcast_and_a_lost_partition_are_gone_from_the_next_scrape():
    worker = await WorkerMetrics().start()
    worker.accept("kick:a", 5)
    worker.accept("kick:b", 6)
    assert len((await worker.samples())["audience_viewers"]) == 2

    worker.commit({b"kick:a": Tombstone(BEGAN, expires=1)})
    found = await worker.samples()
    assert found["audience_viewers"] == {labels(venue="unknown"): 6}
    worker.live.lost(0)
    assert not BROADCAST_NAMES & (await worker.samples()).keys()


async def test_only_the_largest_are_exported_and_counted():
    worker = await WorkerMetrics(top=2).start()
    for number in range(5):
        worker.accept(f"kick:{number}", number)
    found = await worker.samples()
    assert sorted(found["audience_viewers"].values()) == [3, 4]
    assert found["audience_exported_broadcasts"] == {frozenset({("partition", "0")}): 2}
    assert found["audience_live_broadcasts"] == {frozenset({("partition", "0")}): 5}


async def test_only_rows_that_changed_are_rendered_anew(monkeypatch):
    worker = await WorkerMetrics().start()
    rendered = []
    monkeypatch.setattr(
        "agents.serving.metrics.broadcasts.render",
        lambda partition, key, *rest: rendered.append(key) or render(partition, key, *rest),
    )
    worker.accept("kick:a", 5)
    worker.accept("kick:b", 6)
    before = await worker.text()
    assert sorted(rendered) == [b"kick:a", b"kick:b"]
    rendered.clear()
    broadcast_part = before[before.index("# HELP audience_viewers") :]
    assert (await worker.text()).endswith(broadcast_part)
    assert rendered == []
    worker.accept("kick:b", 7, second=9)
    assert "audience_viewers" in await worker.text()
    assert rendered == [b"kick:b"]


@pytest.mark.parametrize("openmetrics", [False, True])
async def test_samples_of_a_metric_stand_together_in_one_document(openmetrics):
    worker = await WorkerMetrics(top=2_000).start()
    for number in range(2_000):  # more than one chunk
        worker.accept(f"kick:{number}", number)
    text = await worker.text(openmetrics=openmetrics)
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")]
    assert len(names) == len(set(names))
    assert text.count("# EOF") == openmetrics
    assert text.endswith("# EOF\n" if openmetrics else "\n")
    found = await worker.samples(openmetrics=openmetrics)  # the parser refuses what is apart
    assert len(found["audience_viewers"]) == 2_000


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=128),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
)
def test_any_text_survives_as_a_label(broadcast, title):
    async def scrape():
        worker = await WorkerMetrics().start()
        worker.accept(f"kick:{broadcast}", 1, title=title)
        for openmetrics in (False, True):
            found = await worker.samples(openmetrics=openmetrics)
            assert found["audience_viewers"] == {labels(broadcast=broadcast, venue="unknown"): 1}
            assert found["audience_broadcast_info"] == {
                labels(
                    broadcast=broadcast, venue="unknown", programme="", title=title, partition="0"
                ): 1
            }

    asyncio.run(scrape())


@given(st.integers(0, 10**10), st.integers(0, 10**12), st.integers(0, 59_999_999))
def test_every_value_is_a_number_that_reads_back(viewers, views, offset):
    event = ViewerEvent("kick", "b", "", viewers=viewers, views=views)
    row, result = Row.begin([(event, BEGAN * MINUTE + offset, 0)], RULES)
    Delta().add_row(NO_ROW, row, result)
    block = render(7, b"kick:b", b"", row)
    by_name = {}
    for family in parser.text_string_to_metric_families(b"".join(block.lines).decode()):
        by_name.update({sample.name: sample.value for sample in family.samples})
    assert by_name["audience_viewers"] == viewers
    assert by_name["audience_watch_time_seconds"] == viewers * 60
    assert by_name["audience_views"] == views
    assert math.isclose(
        by_name["audience_last_event_timestamp_seconds"], BEGAN * 60 + offset / 1e6, abs_tol=1e-6
    )


async def test_a_row_that_cannot_be_read_costs_only_itself(logged):
    worker = await WorkerMetrics().start()
    worker.accept("kick:a", 5)
    worker.accept("kick:b", 6)
    worker.rows.load(b"kick:b", b"\x92\xa2r9\x01")  # a newer version's
    assert list((await worker.samples())["audience_viewers"].values()) == [5]
    assert "kick:b" in str(logged)


async def test_rendering_thousands_lets_the_loop_run():
    worker = await WorkerMetrics(top=5_000).start()
    event = ViewerEvent("kick", "b", "", viewers=5)
    row = Row.new(event, BEGAN * MINUTE, BEGAN * 60_000, RULES)
    worker.commit({b"kick:%d" % number: row for number in range(5_000)})
    others = 0

    async def count_turns():
        nonlocal others
        while True:
            await asyncio.sleep(0)
            others += 1

    task = asyncio.create_task(count_turns())
    await worker.text()
    task.cancel()
    assert others > 10
