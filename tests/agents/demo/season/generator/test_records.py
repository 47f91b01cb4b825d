"""What the season sends: in order, the same each time, accepted by the pipeline, and hard."""

import subprocess
import sys
import tracemalloc
from collections import Counter, defaultdict
from hashlib import sha256
from pathlib import Path

import orjson
import pytest

from agents.demo.season.generator import Season
from agents.demo.season.generator.planned import Planned
from streams import rfc3339
from streams.audience import Row, Rules, compute_figures
from streams.events import read
from streams.routing import PartitionChecker, partition_for

RULES = Rules(lateness=15, carry=2)
ROOT = Path(__file__).parents[3]
FIRST = rfc3339.microseconds("2020-02-01T00:00:00Z")
END = rfc3339.microseconds("2020-10-01T00:00:00Z")


@pytest.fixture(scope="module")
def rows(sent):
    """What they come to, all in one go."""
    found = {}
    for key, value, when in sent:
        event, at = read(value)
        if key not in found:
            found[key] = Row.new(event, at, when // 1000, RULES)
        else:
            assert not found[key].accept_all([(event, at, when // 1000)]).late
    for row in found.values():
        row.fold_sealed()
    return found


def is_made_up(planned):
    return isinstance(planned, Planned)


def digest(records):
    whole = sha256()
    for key, value, when in records:
        whole.update(b"%b %b %d\n" % (key, value, when))
    return whole.hexdigest()


def test_each_is_a_right_event_in_its_right_place(sent):
    router = PartitionChecker("murmur2", 8)
    for key, value, when in sent:
        event, at = read(value)
        assert at <= when, "nothing is sent before it was observed"
        assert when - at < 11 * rfc3339.MINUTE
        assert FIRST <= at < END
        router.check(key, partition_for(key, 8), event.platform, event.broadcast)


def test_they_come_by_the_time_of_sending(sent):
    times = [record.sent for record in sent]
    assert times == sorted(times)


def test_event_time_goes_back_for_those_that_came_late_alone(sent):
    newest, back = 0, 0
    for _, value, _ in sent:
        _, at = read(value)
        back += newest - at > 5 * rfc3339.SECOND
        newest = max(newest, at)
    assert 0 < back < 0.08 * len(sent)


def test_the_same_seed_gives_the_same_in_another_process(sent):
    program = (
        "from agents.demo.season.generator import Season\n"
        "for record in Season(seed=7, broadcasts=300, views=25_000_000).records():\n"
        "    print(record)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True, timeout=60
    )
    assert told.stdout.decode().splitlines() == [str(record) for record in sent]


def test_another_seed_gives_another_season(sent):
    other = Season(seed=8, broadcasts=300, views=25_000_000)
    assert digest(other.records()) != digest(sent)


def test_a_season_can_be_read_again(small, sent):
    assert digest(small.records()) == digest(sent)


def test_only_what_is_live_is_kept_in_memory():
    """Four times as many records take hardly more memory, beyond the plan."""

    def peak(broadcasts):
        season = Season(seed=1, broadcasts=broadcasts, views=60_000_000)
        tracemalloc.start()
        try:
            count = sum(1 for _ in season.records())
            return count, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few, little = peak(150)
    many, more = peak(600)
    assert many > 3 * few
    assert more < 1.5 * little


def test_all_broadcasts_end_in_the_season(small, sent, rows):
    assert len(rows) == len(small.broadcasts) == 300
    for planned in small.broadcasts:
        row = compute_figures(rows[f"{planned.platform}:{planned.broadcast}".encode()])
        assert row.ended_at is not None
        assert row.late == 0
        minutes = (planned if is_made_up(planned) else planned.made).minutes
        assert 10 <= minutes <= 240
        assert abs(row.minutes_live - minutes) <= 3
        assert row.peak is not None
    assert sum(compute_figures(row).events for row in rows.values()) == len(sent)


def test_published_figures_of_the_museums_come_out(rows):
    def first_minute(key):
        return compute_figures(rows[key]).first_minute

    assert first_minute(b"fliggy:louvre-2020-09-25") == 380_000
    assert first_minute(b"fliggy:versailles-2020") == 410_000
    assert compute_figures(rows[b"kuaishou:vam-2020-07"]).views == 3_800_000


def test_no_one_watches_without_a_view(rows):
    """At no time are there more viewers than views: once the faults are mended, too."""
    for key, row in rows.items():
        told = compute_figures(row)
        views = told.joins if told.views is None else told.views
        assert told.peak <= views, key


def test_no_made_up_broadcast_outshines_a_published_one():
    others = [planned.views for planned in Season().broadcasts if is_made_up(planned)]
    assert len(others) == 36_000 - 6
    assert max(others) < 2_000_000


def test_every_fault_is_there(sent):
    """By their own traces: what the README beside the season promises."""
    events = [(key, orjson.loads(value), when) for key, value, when in sent]
    texts = Counter((key, value) for key, value, _ in sent)
    told = defaultdict(list)
    for key, event, _ in events:
        told[key].append(event)
    unknown = [event for _, event, _ in events if event.get("viewers", 0) in (None, -1)]
    assert {event["platform"]: event["viewers"] for event in unknown} == {
        "fliggy": None,
        "kuaishou": -1,
    }
    assert 0.005 < len(unknown) / len(events) < 0.03
    assert 0.005 < sum(texts.values()) / len(texts) - 1 < 0.03
    late = [when - rfc3339.microseconds(event["at"]) for _, event, when in events]
    assert 0.01 < sum(wait > 60_000_000 for wait in late) / len(late) < 0.05
    assert any(event.get("revision") == 1 for _, event, _ in events)
    kinds = {key: [event.get("kind") for event in those] for key, those in told.items()}
    assert 0.01 < sum("started" not in those for those in kinds.values()) / 300 < 0.1
    assert sum(those.index("started") > 0 for those in kinds.values() if "started" in those) > 3
    assert all(those.count("ended") == 1 for those in kinds.values())
    assert any(those[-1] is None for those in kinds.values()), "something comes after the end"
    counts = [
        (any("views" in event for event in those), any("joins" in event for event in those))
        for those in told.values()
    ]
    assert set(counts) == {(True, False), (False, True), (True, True)}
    zones = {
        (event["platform"], event["at"][-1])
        for _, event, _ in events
        if "-2020" not in event["broadcast"]
    }
    assert zones == {("fliggy", "Z"), ("kuaishou", "0")}


def test_minutes_are_jittered_and_missing(rows):
    coverage = [compute_figures(row).coverage for row in rows.values()]
    assert sum(share < 1 for share in coverage) > 100
    assert min(coverage) < 0.8


def test_simulcasts_are_joined_by_a_programme(small):
    programmes = defaultdict(set)
    for planned in small.broadcasts:
        if planned.programme is not None:
            programmes[planned.programme].add(planned.platform)
    both = [name for name, platforms in programmes.items() if len(platforms) == 2]
    assert len(both) == 294 // 83 + 1, "and the Louvre's"
    assert all(len(name) <= 64 for name in programmes)


def test_evenings_and_weekends_have_more():
    made = [planned for planned in Season(3, 3_000, 60_000_000).broadcasts if is_made_up(planned)]
    hours = Counter(planned.start // (60 * rfc3339.MINUTE) % 24 for planned in made)
    assert hours.most_common(1)[0][0] == 12, "20:00 in Beijing"
    assert set(hours) <= set(range(16)), "nothing in Beijing's night"
    # The first day of 1970 was a Thursday.
    weekend = sum((planned.start // rfc3339.DAY + 3) % 7 >= 5 for planned in made)
    assert 0.34 < weekend / len(made) < 0.48
