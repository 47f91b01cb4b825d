"""The museums' figures, worked out from the contract's definitions alone."""

from collections import Counter, defaultdict
from datetime import UTC, datetime
from itertools import pairwise

import orjson
import pytest

from agents.demo.input import accepted, events, refused, right, write
from agents.demo.mistakes import mistakes
from agents.demo.museums import course, museums, records

MINUTE = 60_000_000
LATENESS = 15
CARRY = 2
EVERY = [pytest.param(museum, id=f"{museum.platform}-{museum.venue}") for museum in museums()]


def museum_of(venue, platform):
    return next(m for m in museums() if (m.venue, m.platform) == (venue, platform))


def read(record):
    event = orjson.loads(record.value)
    moment = datetime.fromisoformat(event["at"])
    event["at"] = round(moment.timestamp() * 1_000_000)
    event["minute"] = event["at"] // MINUTE
    if event.get("viewers") == -1:
        event["viewers"] = None
    return event


def figures(broadcast):
    """Every figure of contract section 3 that the demo shows, straight from its definition."""
    read_ones = [read(record) for record in broadcast]
    cells = defaultdict(list)
    for event in read_ones:
        cells[event["minute"]].append(event)
    audience, high, views, joins = {}, {}, [], 0
    for minute, cell in cells.items():
        top = max(event.get("revision", 0) for event in cell)
        counted = [event for event in cell if event.get("revision", 0) == top]
        known = [(e["at"], e["viewers"]) for e in counted if e.get("viewers") is not None]
        if known:
            audience[minute] = max(known)[1]
            high[minute] = max(viewers for _, viewers in known)
        views += [e["views"] for e in counted if e.get("views") is not None]
        joins += max((e["joins"] for e in counted if e.get("joins") is not None), default=0)
    started = min(event["at"] for event in read_ones if event.get("kind") == "started")
    ended = max(event["at"] for event in read_ones if event.get("kind") == "ended")
    first, newest = min(cells), max(cells)
    total = watched = 0
    for minute in range(first, newest + 1):
        for back in range(CARRY + 1):
            carried_past_end = back and ended // MINUTE < minute
            if minute - back in audience and not carried_past_end:
                total, watched = total + audience[minute - back], watched + 1
                break
    peak = max(high.values())
    live = max(1, newest - started // MINUTE + 1)
    return {
        "first_minute": audience.get(started // MINUTE),
        "peak": peak,
        "peak_minute": min(minute for minute, viewers in high.items() if viewers == peak),
        "viewer_minutes": total,
        "average": total / watched,
        "views": max(views, default=None),
        "joins": joins,
        "minutes_live": live,
        "minutes_observed": len(audience),
        "observed": set(audience),
        "day": datetime.fromtimestamp(started / 1e6, UTC).isoformat()[:10],
    }


def test_the_published_figures_are_those_of_the_article():
    published = {(m.venue, m.platform): m.published for m in museums()}
    louvre = published["louvre", "fliggy"]
    assert (louvre.day, louvre.minutes, louvre.first_minute) == ("2020-09-25", 120, 380_000)
    assert published["versailles", "fliggy"].first_minute == 410_000
    museum = published["victoria-and-albert", "kuaishou"]
    assert (museum.day, museum.views) == ("2020-07", 3_800_000)
    told = [
        value
        for p in published.values()
        for value in (p.day, p.minutes, p.first_minute, p.views)
        if value is not None
    ]
    assert len(told) == 6, "nothing else was published"


@pytest.mark.parametrize("museum", EVERY)
def test_every_published_figure_comes_out(museum):
    found = figures(records(museum))
    published = museum.published
    assert published.first_minute in (None, found["first_minute"])
    assert published.views in (None, found["views"])
    assert published.minutes in (None, found["minutes_live"])
    assert found["day"].startswith(published.day or "")


@pytest.mark.parametrize("museum", EVERY)
def test_what_was_made_up_comes_out_too(museum):
    found = figures(records(museum))
    made = museum.made
    assert found["first_minute"] == made.audience[0][1]
    assert found["views"] == made.views
    assert found["minutes_live"] == made.minutes
    assert (found["joins"] > 0) == made.joins
    top = max(viewers for _, viewers in made.audience)
    assert top * 0.98 <= found["peak"] <= top * 1.016


def test_a_correction_takes_a_tenfold_peak_away():
    louvre = museum_of("louvre", "fliggy")
    sent = records(louvre)
    uncorrected = [r for r in sent if not orjson.loads(r.value).get("revision")]
    assert len(uncorrected) == len(sent) - 1
    assert figures(uncorrected)["peak"] > 3_000_000
    assert figures(sent)["peak"] < 500_000


@pytest.mark.parametrize("museum", EVERY)
def test_one_minute_is_unknown_and_some_are_missed(museum):
    sent = records(museum)
    found = figures(sent)
    unknown = museum.start // MINUTE + museum.made.unknown
    in_it = [event for event in map(read, sent) if event["minute"] == unknown]
    assert in_it, "the platform spoke"
    assert unknown not in found["observed"], "but knew nothing"
    assert 0.5 < found["minutes_observed"] / found["minutes_live"] < 1


def test_faults_of_the_way_are_there():
    for museum in museums():
        sent = records(museum)
        assert len(set(sent)) == len(sent)
        ats = [read(record)["at"] for record in sent]
        assert ats[-1] == max(ats), "the end comes last"
        assert {"started", "ended"} <= {orjson.loads(r.value).get("kind") for r in sent}
    everything = [record for museum in museums() for record in records(museum)]
    assert max(Counter(r.value for r in everything).values()) == 2, "some come twice"
    per_museum = [[read(r)["at"] for r in records(museum)] for museum in museums()]
    assert sum(b < a for ats in per_museum for a, b in pairwise(ats)) > 3, "some out of order"


@pytest.mark.parametrize("museum", EVERY)
def test_no_right_record_is_late_or_from_the_future(museum):
    newest = 0
    for record in records(museum):
        event = read(record)
        newest = max(newest, event["minute"])
        assert event["minute"] > newest - LATENESS
        assert event["at"] <= record.sent


def test_the_order_of_arrival_changes_no_figure():
    sent = records(museum_of("louvre", "fliggy"))
    assert figures(sent[::-1]) == figures(sorted(set(sent), key=lambda r: r.value))


def test_it_is_the_same_each_time():
    assert list(events()) == list(events())
    assert [records(museum) for museum in museums()] == [records(museum) for museum in museums()]


def test_all_is_sent_in_order_and_counted():
    sent = list(events())
    assert [r.sent for r in sent] == sorted(r.sent for r in sent)
    assert len(sent) == sum(accepted().values()) + sum(refused().values())
    assert len(accepted()) == len(right()) == len(museums()) + 1


def test_each_wrong_record_is_wrong_as_it_says():
    by_what = {mistake.what: mistake for mistake in mistakes()}
    assert refused() == Counter(malformed=1, invalid=2, misrouted=1, future=1, late=1)
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(by_what["cut off in the middle"].record.value)
    assert isinstance(orjson.loads(by_what["viewers written as text"].record.value)["viewers"], str)
    assert "at" not in orjson.loads(by_what["no time"].record.value)
    assert by_what["keyed by its venue"].record.key == b"versailles"
    ahead = orjson.loads(by_what["the year 2202 for 2020"].record.value)
    assert ahead["at"] == "2202-06-03T12:40:30Z"
    late = by_what["held back for 25 minutes"].record
    before = [r for r in records(museum_of("prado", "fliggy")) if r.sent < late.sent]
    assert read(late)["minute"] <= max(read(r)["minute"] for r in before) - LATENESS


def test_each_wrong_record_would_spoil_a_figure():
    for mistake in mistakes():
        if mistake.reason != "malformed":
            assert int(orjson.loads(mistake.record.value)["viewers"]) == 10_000_000


def test_the_course_goes_through_its_corners():
    corners = ((0, 100), (10, 200), (20, 50))
    assert [course(corners, m) for m in (0, 5, 10, 15, 20, 30)] == [100, 150, 200, 125, 50, 50]


def test_the_file_for_replay_holds_the_right_records(tmp_path):
    path = tmp_path / "events.jsonl"
    assert write(path) == sum(accepted().values())
    lines = path.read_bytes().splitlines()
    assert Counter(lines) == Counter(r.value for broadcast in right() for r in broadcast)
    assert all(b"\n" not in line and orjson.loads(line) for line in lines)
