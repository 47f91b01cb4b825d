"""The benchmark runs and tells all its figures; how fast anything is, it is not asked here."""

import json
import sys
from pathlib import Path

import pytest
from processes import Process

from agents.app import create_app
from streams.events import read
from streams.exact.declaration import new_consumer
from streams.routing import partition_for
from streams.settings import Settings

sys.path.append(str(Path(__file__).parents[1] / "bench"))

import bare  # found by the line above, as what follows
import fleet
import hotspots
import workload
from rounds import BatchResult

BENCH = Path(__file__).parents[1] / "bench"
EVENTS = 4_000


@pytest.mark.kafka
async def test_tells_all_figures_of_both_workloads(brokers):
    pace = Process(
        sys.executable,
        str(BENCH / "pace.py"),
        *("--brokers", brokers, "--events", str(EVENTS), "--partitions", "2", "--batch", "1000"),
        *("--rounds", "1", "--warm-up", "0", "--json"),
    )
    await pace.start()
    assert await pace.ended(200) == 0, pace.tail()
    text = "\n".join(pace.lines)
    documents = json.loads(text[text.index("[\n") :])
    assert [document["workload"] for document in documents] == list(workload.WORKLOADS)
    for document in documents:
        assert document["events"] == EVENTS
        assert 120 < document["bytes"] < 180
        assert document["ratio"].keys() == {"min", "median", "max", "target"}
        assert len(document["rounds"]) == 1
        for pair in document["rounds"]:
            assert pair["ratio"] > 0
            for outcome in (pair["bare"], pair["worker"]):
                assert outcome.keys() == BatchResult.__dataclass_fields__.keys()
                assert outcome["events_per_second"] > 0
                assert outcome["wall"] > 0
                assert outcome["broker_cpu"] is None  # it is not the benchmark's own
                if sys.platform == "linux":
                    assert outcome["cpu"] > 0
                    assert outcome["memory"] > 20_000_000


@pytest.mark.kafka
async def test_tells_the_share_of_scopes(brokers):
    share = Process(
        sys.executable,
        str(BENCH / "scopes_share.py"),
        *("--brokers", brokers, "--events", str(EVENTS), "--partitions", "2", "--rounds", "1"),
        *("--warm-up", "0", "--broadcasts", "2000", "--json"),
    )
    await share.start()
    assert await share.ended(200) == 0, share.tail()
    text = "\n".join(share.lines)
    [found] = json.loads(text[text.index("[\n") :])
    assert (found["workload"], found["events"], len(found["rounds"])) == ("2000", EVENTS, 1)
    assert found["cpu_per_million_with"] > 0
    assert found["cpu_per_million_without"] > 0
    assert found["share"].keys() == {"min", "median", "max"}


@pytest.mark.kafka
async def test_tells_all_figures_of_very_many_broadcasts(brokers):
    million = Process(
        sys.executable,
        str(BENCH / "million.py"),
        *("--brokers", brokers, "--broadcasts", "2000", "--venues", "50", "--minutes", "2"),
        *("--partitions", "2", "--seconds-real-time", "3", "--json"),
    )
    await million.start()
    assert await million.ended(200) == 0, million.tail()
    text = "\n".join(million.lines)
    found = json.loads(text[text.index("{\n") :])
    assert found["events"] == 4_000
    assert found["backlog"]["times_real_time"] > found["backlog"]["times_real_time_with_scopes"] > 0
    assert found["scrape"]["exported"] == 1_000  # the default, however many are live
    assert found["scrape"]["bytes"] > 100_000
    assert found["restore"]["rows"] == 2_000
    assert found["restore"]["ready"] >= found["restore"]["restored"] > 0
    real = found["real_time"]
    assert 90 <= real["events"] <= 110  # 2,000 a minute for 3 seconds
    probe = real["produce_to_metric"]
    assert probe["sent"] == probe["seen"] == 30
    assert 0 < probe["p50"] <= probe["p99"] <= probe["max"]
    if sys.platform == "linux":
        assert found["memory"] > 20_000_000


def test_a_fleet_has_each_broadcast_once_a_minute_where_its_key_belongs():
    few = fleet.Fleet(100, 7, 4)
    assert len(set(few.keys)) == 100
    assert list(few.partitions) == [partition_for(key, 4) for key in few.keys]
    event, at = read(few.value(8, 1_606_275_600_123))
    assert (event.platform, event.broadcast, event.venue) == (
        "twitch",
        "live-0000008",
        "venue-00001",
    )
    assert at == 1_606_275_600_123_000
    assert event.viewers == few.viewers(8, at // 60_000_000)
    assert event.joins == few.joins(8, at // 60_000_000)


async def test_the_bare_loop_fetches_as_the_worker_does():
    settings = Settings()
    # Neither is started: only how they are set is looked at.
    source = create_app(settings).sources[0]
    worker = new_consumer(source._declared)
    loop = bare.AIOKafkaConsumer(**bare.fetch_options(settings.fetch_bytes))
    for name in (
        "_isolation_level",
        "_fetch_max_bytes",
        "_max_partition_fetch_bytes",
        "_fetch_max_wait_ms",
        "_fetch_min_bytes",
        "_check_crcs",
    ):
        assert getattr(loop, name) == getattr(worker, name), name
    await worker.stop()
    await loop.stop()


def test_the_events_are_those_that_are_told_of():
    few = list(workload.records("2000", 4_100))
    assert len({record.key for record in few}) == 2_000
    assert few[0].key == few[2_000].key
    assert few[2_000].timestamp - few[0].timestamp == 60_000
    assert [r.timestamp for r in few] == sorted(r.timestamp for r in few)
    assert len({record.key for record in workload.records("distinct", 4_100)}) == 4_100


def test_samples_are_put_under_the_work_they_were_for():
    loop = "<module> (agents/cli/__main__.py:5);run_forever (asyncio/base_events.py:600);"
    stacks = (
        f"{loop}Broadcasts._apply (agents/pipeline/broadcasts/agent.py:180);"
        "read (streams/events.py:70) 7\n"
        f"{loop}append_rows (streams/exact/writer.py:60) 2\n"
        "<module> (agents/cli/__main__.py:5);_find_and_load (<frozen importlib._bootstrap>:1) 9"
    )
    profile = hotspots.read(stacks)
    assert profile.samples == 9
    assert profile.kinds == {"decode": 7, "produce": 2}
