"""The real trace, against its file read in another way."""

import csv
import io
from datetime import datetime
from importlib.resources import files

import orjson
import pytest

from agents.demo import trace

MINUTE = 60_000_000


@pytest.fixture(scope="module")
def rows():
    """`{minute since 1970: viewers or None}`, in the file's own order."""
    data = files("agents.demo").joinpath("data", "sgdq-2018.csv").read_bytes().decode()
    return {
        round(datetime.fromisoformat(row["time"] + ":00").timestamp() / 60): (
            int(row["viewers"]) if row["viewers"] else None
        )
        for row in csv.DictReader(io.StringIO(data))
    }


@pytest.fixture(scope="module")
def sent():
    return [orjson.loads(record.value) for record in trace.records()]


def minute_of(event):
    return round(datetime.fromisoformat(event["at"]).timestamp()) // 60


def test_it_is_the_file_row_by_row(rows, sent):
    assert list(rows) != sorted(rows), "the file is in no order"
    assert len(sent) == len(rows) == 9774
    assert {minute_of(event): event["viewers"] for event in sent} == rows
    assert [minute_of(event) for event in sent] == sorted(rows)


def test_holes_and_unknown_samples_stay(rows, sent):
    assert sum(event["viewers"] is None for event in sent) == 29
    missing = set(range(min(rows), max(rows) + 1)) - {minute_of(event) for event in sent}
    assert len(missing) == 4
    assert all("viewers" in event for event in sent)
    assert min(v for v in rows.values() if v is not None) == 0, "0 is not unknown"


def test_it_starts_with_the_first_and_ends_with_the_last(sent):
    assert [event.get("kind") for event in sent if "kind" in event] == ["started", "ended"]
    assert (sent[0]["kind"], sent[-1]["kind"]) == ("started", "ended")


def test_its_figures(rows):
    """Worked out from the definitions: these are the figures that the demo's table must show."""
    known = {minute: viewers for minute, viewers in rows.items() if viewers is not None}
    first, newest = min(rows), max(rows)
    watched = []
    for minute in range(first, newest + 1):
        latest = max((m for m in known if minute - 2 <= m <= minute), default=None)
        watched += [] if latest is None else [known[latest]]
    assert known[first] == 12_116
    peak = max(known.values())
    at = min(minute for minute, viewers in known.items() if viewers == peak)
    assert (peak, at * 60) == (
        172_343,
        datetime.fromisoformat("2018-06-28T03:42:00+00:00").timestamp(),
    )
    assert sum(known.values()) == 1_029_251_859
    assert sum(watched) == 1_029_972_423
    assert sum(watched) / len(watched) == pytest.approx(105_616.53, abs=0.01)
    assert (len(known), newest - first + 1) == (9745, 9778)


def test_records_are_stamped_with_their_own_time():
    for record in trace.records():
        event = orjson.loads(record.value)
        assert record.key == b"twitch:sgdq-2018"
        assert record.sent == minute_of(event) * MINUTE
        assert event["venue"] == "games-done-quick"
