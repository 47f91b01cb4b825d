"""The comparison with peers runs, tells its figures, and would find wrong ones."""

import json
import random
import sys
from pathlib import Path

import pytest
from processes import Process

sys.path.append(str(Path(__file__).parents[1] / "bench"))
sys.path.append(str(Path(__file__).parents[1] / "bench" / "peers"))
sys.path.append(str(Path(__file__).parents[1] / "bench" / "peers" / "programs"))

import checking  # found by the line above, as what follows
import contestants
import draw
import figures
import model
import results
import tables

BENCH = Path(__file__).parents[1] / "bench"
EVENTS = 3_000
MINUTE = figures.MINUTE


@pytest.mark.kafka
async def test_measures_and_checks_the_worker_and_the_bare_loop(brokers, tmp_path):
    file = tmp_path / "results.jsonl"
    compare = Process(
        sys.executable,
        str(BENCH / "peers" / "compare.py"),
        *("measure", "2000", "--only", "bare", "ours", "--events", str(EVENTS)),
        *("--partitions", "2", "--brokers", brokers, "--results", str(file)),
    )
    await compare.start()
    assert await compare.ended(120) == 0, compare.lines
    runs = results.read(file)
    assert [run["contestant"] for run in runs] == ["bare", "ours"]
    assert len({run["facts"]["round"] for run in runs}) == 1
    for run in runs:
        assert run["facts"]["events"] == EVENTS
        assert run["figures"]["events_per_second"] > 0
    page = tables.page(runs)
    assert "live-audience" in page
    assert "3,000 events, 2 partitions" in page


def brute_force(events):
    """The same figures from all events at once, in the order in which they came."""
    taken, late, newest = [], 0, None
    for at, viewers in events:
        minute = at // MINUTE
        if newest is not None and minute <= newest - figures.OPEN:
            late += 1
            continue
        taken.append((at, viewers))
        newest = minute if newest is None else max(newest, minute)
    at, viewers = max(taken)
    highs = {}
    for when, watching in taken:
        if when // MINUTE > newest - figures.OPEN:
            highs.setdefault(when // MINUTE, []).append(watching)
    minutes = [[minute, max(found)] for minute, found in sorted(highs.items())]
    return [len(taken), late, viewers, at, max(v for _, v in taken), minutes]


def test_the_job_is_what_its_words_say():
    for seed in range(300):
        chance = random.Random(seed)
        row, events, now = None, [], 0
        for _ in range(chance.randint(1, 60)):
            now += chance.choice((0, 1, 20_000, MINUTE, 5 * MINUTE, 20 * MINUTE))
            back = chance.choice((0, 0, MINUTE, 14 * MINUTE, 16 * MINUTE))
            events.append((max(0, now - back), chance.randint(0, 9)))
            row = figures.add(row, *events[-1])
        assert row == brute_force(events), seed


def test_a_wrong_figure_is_found():
    right = {b"a": (2, 0, 5, 7, ((1, 7),)), b"b": (1, 0, 3, 3, ((1, 3),))}
    assert checking.differences(dict(right), right) == []
    twice = {**right, b"a": (3, 0, 5, 7, ((1, 7),))}
    assert checking.differences(twice, right)[0] == "1 of 2 broadcasts differ"
    assert len(checking.differences({}, right)) == 3
    assert checking.differences({**right, b"c": right[b"a"]}, right)


def test_rows_of_kafka_streams_are_read():
    [exact] = [c for c in contestants.ALL if c.name == "streams-exact-memory"]
    head = exact._HEAD.pack(3, 1, 5, 1_000, 9, 2)
    minutes = exact._MINUTE.pack(7, 9) + exact._MINUTE.pack(8, 5)
    assert exact.row(b"k", head + minutes) == (b"k", (3, 1, 5, 9, ((7, 9), (8, 5))))


def test_rounds_are_collected_in_one_file(tmp_path):
    file = tmp_path / "results.jsonl"
    for name, bare, ours in (("r1", 100, 50), ("r2", 200, 150)):
        for who, pace in (("bare", bare), ("ours", ours)):
            facts = {"round": name, "partitions": 4}
            results.append(file, "2000", who, facts, {"events_per_second": pace, "others": 0.1})
    runs = results.read(file)
    assert len(runs) == 4
    shares = results.in_pairs(runs, "ours", lambda run: run["figures"]["events_per_second"])
    assert shares == [0.5, 0.75]
    assert results.figure(results.chosen(runs, "2000", "ours"), "events_per_second") == 100
    assert results.quiet(runs) == 4
    assert json.loads(file.read_text().splitlines()[0])["versions"]["kafka"]


def test_the_model_finds_what_things_cost():
    true = (3e-6, 10e-6, 25e-6, 2e-3, 0.05)
    shapes = [
        (model.Shape(broadcasts, venues, partitions, batch), seconds)
        for broadcasts, venues in ((2_000, 8), (None, 8), (100_000, 1_000), (1_000_000, 10_000))
        for partitions, batch, seconds in ((1, 20_000, 1e-5), (4, 5_000, 2e-5), (4, 20, 1e-3))
    ]
    found = []
    for number, (shape, seconds) in enumerate(shapes):
        counts = shape.per_event(seconds)
        cost = sum(a * b for a, b in zip(true, counts, strict=True))
        found.append((str(number), counts, cost))
    costs = model.fit(found)
    assert costs.each == pytest.approx(true, rel=1e-6)
    assert max(map(abs, costs.errors)) < 1e-6
    system = model.System(16, 64, 10_000_000, 10_000, 30.0)
    most = system.most(costs)
    assert system.cores(costs, most, most / 64 / model.BATCH, 16) == pytest.approx(16)
    busy = system.settled(costs, most * 0.9)
    assert most * 0.9 / 64 / model.BATCH < busy < 30
    assert system.cores(costs, most * 0.9, busy, 16) == pytest.approx(16)
    with pytest.raises(ValueError, match="too few"):
        model.fit(found[:3])


def test_a_page_is_filled_between_its_marks(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- x: written by a program -->\nold\n<!-- end of x -->\nb\n")
    draw.fill(page, "x", "new")
    assert "\nnew\n" in page.read_text()
    assert "old" not in page.read_text()
    with pytest.raises(SystemExit, match="no place for y"):
        draw.fill(page, "y", "new")
