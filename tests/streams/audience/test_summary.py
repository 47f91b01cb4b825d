"""The summary of a broadcast, as it is published."""

import json

from logs import at, event

from streams.audience import Row, Rules, summary
from streams.summaries import encode

RULES = Rules(lateness=15, carry=2)


def test_a_summary_holds_the_figures_in_the_contracts_words():
    row = Row.new(
        event("started", viewers=100, joins=7, venue="louvre", programme="night", title="Seine"),
        at(0, 34.5),
        0,
        RULES,
    )
    row.accept(event(viewers=300), at(2), 0)
    row.accept(event("ended", views=500), at(3, 1), 0)
    row.accept(event(viewers=1), at(-20), 0)
    told = json.loads(encode(summary("fliggy", "b1", row, "ended")))
    assert told == {
        "platform": "fliggy",
        "broadcast": "b1",
        "venue": "louvre",
        "programme": "night",
        "title": "Seine",
        "status": "ended",
        "started_at": "2020-05-20T18:40:34.5Z",
        "ended_at": "2020-05-20T18:43:01Z",
        "peak": 300,
        "peak_at": "2020-05-20T18:42:00Z",
        "first_minute": 100,
        "viewer_minutes": 800,
        "minutes_observed": 2,
        "minutes_live": 4,
        "coverage": 0.5,
        "average": 200,
        "joins": 7,
        "views": 500,
        "events": 3,
        "late": 1,
    }
    assert isinstance(told["average"], int)


def test_what_is_not_known_is_null_and_the_venue_unknown():
    told = summary("fliggy", "b1", Row.new(event(), at(0), 0, RULES), "live")
    assert told.venue == "unknown"
    assert {field for field in told.__struct_fields__ if getattr(told, field) is None} == {
        "programme",
        "title",
        "ended_at",
        "peak",
        "peak_at",
        "first_minute",
        "average",
        "views",
    }
    assert (told.coverage, told.joins) == (0, 0)
