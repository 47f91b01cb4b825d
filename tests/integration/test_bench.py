"""The benchmark runs and tells all its figures; how fast anything is, it is not asked here."""

import json
import sys
from pathlib import Path

import pytest
from processes import Process

from agents.app import create_app
from streams.settings import Settings

sys.path.append(str(Path(__file__).parents[1] / "bench"))

import bare  # found by the line above, as what follows
import hotspots
import workload
from rounds import Outcome

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
                assert outcome.keys() == Outcome.__dataclass_fields__.keys()
                assert outcome["events_per_second"] > 0
                assert outcome["wall"] > 0
                assert outcome["broker_cpu"] is None  # it is not the benchmark's own
                if sys.platform == "linux":
                    assert outcome["cpu"] > 0
                    assert outcome["memory"] > 20_000_000


async def test_the_bare_loop_fetches_as_the_worker_does():
    settings = Settings()
    # Neither is started: only how they are set is looked at.
    source = create_app(settings).sources[0]
    worker = source._new_consumer()
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
        f"{loop}Broadcasts._apply (agents/broadcasts.py:180);read (streams/events.py:70) 7\n"
        f"{loop}append_rows (streams/exact/ledger.py:60) 2\n"
        "<module> (agents/cli/__main__.py:5);_find_and_load (<frozen importlib._bootstrap>:1) 9"
    )
    profile = hotspots.read(stacks)
    assert profile.samples == 9
    assert profile.kinds == {"decode": 7, "produce": 2}
