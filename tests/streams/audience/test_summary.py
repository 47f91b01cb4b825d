"""The summary of a broadcast, as it is published."""

import json

from telling import START, told

from streams.audience import Row, Rules, summary
from streams.summaries import encode

RULES = Rules(lateness=15, carry=2)


def test_a_summary_holds_the_figures_in_the_contracts_words():
    names = {"venue": "louvre", "programme": "night", "title": "Seine"}
    row, _ = Row.begin(
        [
            told(-1, viewers=900),
            told(0, "started", second=34.5, viewers=100, joins=7, **names),
            told(2, viewers=300),
            told(3, viewers=250),
            told(4, "ended", second=1, views=500),
        ],
        RULES,
        START - 1,
    )
    row.accept_all([told(-20, viewers=1)])
    written = json.loads(encode(summary("fliggy", "b1", row, "ended")))
    assert written == {
        "platform": "fliggy",
        "broadcast": "b1",
        "run": "2020-05-20T18:39:00Z",
        "venue": "louvre",
        "programme": "night",
        "title": "Seine",
        "status": "ended",
        "started_at": "2020-05-20T18:40:34.5Z",
        "ended_at": "2020-05-20T18:44:01Z",
        "peak": 300,
        "peak_at": "2020-05-20T18:42:00Z",
        "peak_held": 250,
        "waiting_peak": 900,
        "first_minute": 100,
        "first_audience": 100,
        "first_audience_at": "2020-05-20T18:40:00Z",
        "viewer_minutes": 1_000,
        "minutes_observed": 3,
        "minutes_carried": 2,
        "minutes_live": 5,
        "coverage": 0.6,
        "average": 200,
        "joins": 7,
        "views": 500,
        "events": 5,
        "late": 1,
    }
    assert isinstance(written["average"], int)


def test_what_is_not_known_is_null_and_the_venue_unknown():
    row, _ = Row.begin([told(0)], RULES)
    written = summary("fliggy", "b1", row, "live")
    assert written.venue == "unknown"
    assert {field for field in written.__struct_fields__ if getattr(written, field) is None} == {
        "run",
        "programme",
        "title",
        "ended_at",
        "peak",
        "peak_at",
        "peak_held",
        "waiting_peak",
        "first_minute",
        "first_audience",
        "first_audience_at",
        "average",
        "views",
    }
    assert (written.coverage, written.joins) == (0, 0)
