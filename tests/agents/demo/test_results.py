"""What the demo makes of what comes out of the pipeline: complete or not, right or not."""

from io import StringIO
from types import SimpleNamespace

import msgspec
import pytest
from rich.console import Console

from agents.demo import tables
from agents.demo.compare import compare
from agents.demo.console import DemoConsole
from agents.demo.input import accepted, refused
from agents.demo.museums import museums
from agents.demo.results import Results
from streams.settings import Settings
from streams.summaries import BroadcastSummary, encode
from streams.topics import Topics

LOUVRE = b"fliggy:louvre-2020-09-25"
TOPICS = Topics.of(Settings(topic_prefix="demo-1."))


def summary(key, **changes):
    platform, _, broadcast = key.decode().partition(":")
    museum = next((m for m in museums() if m.key == key), None)
    made = museum.made if museum else None
    whole = BroadcastSummary(
        platform=platform,
        broadcast=broadcast,
        run=None,
        venue=museum.venue if museum else "games-done-quick",
        programme=museum.programme if museum else None,
        title=None,
        status="ended",
        started_at=made.start.isoformat() if made else "2018-06-24T13:00:00Z",
        ended_at="2020-09-25T13:59:59Z",
        peak=470_000,
        peak_at="2020-09-25T12:16:00Z",
        peak_held=469_000,
        waiting_peak=None,
        first_minute=made.audience[0][1] if made else 12_116,
        first_audience=made.audience[0][1] if made else 12_116,
        first_audience_at="2020-09-25T12:00:00Z",
        viewer_minutes=45_600_000,
        minutes_observed=100,
        minutes_carried=5,
        minutes_live=made.minutes if made else 9778,
        coverage=0.75,
        average=380_000.5,
        joins=0,
        views=made.views if made else None,
        events=accepted()[key],
        late=0,
    )
    return msgspec.structs.replace(whole, **changes)


def record(key, value, reason="late"):
    headers = [("reason", reason.encode()), ("detail", b"")]
    return SimpleNamespace(key=key, value=value, headers=headers)


@pytest.fixture
def results():
    """Results to which all has come that was sent."""
    found = Results(TOPICS)
    for key in accepted():
        found.take("demo-1.broadcast-summaries", record(key, encode(summary(key, status="live"))))
        found.take("demo-1.broadcast-summaries", record(key, encode(summary(key))))
    for reason, count in refused().items():
        for _ in range(count):
            found.take("demo-1.viewer-events-rejected", record(b"x", b"", reason))
    return found


def test_all_that_was_sent_is_complete(results):
    assert list(results.missing()) == []
    assert results.complete
    assert results.ended == 7


@pytest.mark.parametrize(
    ("topic", "key", "value", "said"),
    [
        ("broadcast-summaries", LOUVRE, summary(LOUVRE, status="live"), "no summary that it ended"),
        ("broadcast-summaries", LOUVRE, summary(LOUVRE, events=9), "9 events of"),
        ("viewer-events-rejected", b"x", None, "refused as late: 2 of 1"),
    ],
)
def test_what_is_missing_is_said(results, topic, key, value, said):
    results.take(f"demo-1.{topic}", record(key, None if value is None else encode(value)))
    assert not results.complete
    assert said in "; ".join(results.missing())


def test_a_refusal_for_another_reason_is_not_passed_over(results):
    results.take("demo-1.viewer-events-rejected", record(b"x", b"", "error"))
    assert "refused as error: 1 of 0" in list(results.missing())


def test_nothing_is_not_complete():
    assert len(list(Results(TOPICS).missing())) == len(accepted()) + len(refused())


def test_six_figures_were_published_and_come_out(results):
    comparisons = compare(results.broadcasts)
    assert len(comparisons) == 6
    assert all(comparison.same for comparison in comparisons)


@pytest.mark.parametrize(
    ("changes", "figure", "difference"),
    [
        ({"first_minute": 379_999}, "viewers in the first minute", "-1"),
        ({"first_minute": None}, "viewers in the first minute", "differs"),
        ({"minutes_live": 121}, "minutes", "+1"),
        ({"started_at": "2020-09-26T00:00:00Z"}, "day", "differs"),
    ],
)
def test_a_figure_that_does_not_come_out_is_told(results, changes, figure, difference):
    results.broadcasts[LOUVRE] = summary(LOUVRE, **changes)
    wrong = [c for c in compare(results.broadcasts) if not c.same]
    assert [(c.figure, c.difference) for c in wrong] == [(figure, difference)]


def test_no_summary_is_no_figure_that_came_out():
    assert not any(comparison.same for comparison in compare({}))


def printed(table, width=100):
    output = StringIO()
    Console(file=output, width=width).print(table)
    return output.getvalue()


@pytest.fixture
def screen():
    return DemoConsole(Console(file=StringIO(), width=100))


def test_the_tables_hold_the_figures(results, screen):
    lines = printed(tables.figures(results.broadcasts, screen)).splitlines()
    number = next(n for n, line in enumerate(lines) if "louvre-2020-09-25" in line)
    expected = "louvre-2020-09-25 380,000 470,000 2020-09-25 380,000 760,000 - 75.0%"
    assert lines[number].split() == expected.split(" ")
    assert lines[number + 1].split() == ["louvre,", "fliggy", "12:16"]
    beside = printed(tables.published(compare(results.broadcasts), screen))
    line = next(line for line in beside.splitlines() if "first minute" in line)
    assert line.split()[-3:-1] == ["380,000", "380,000"]
    assert beside.count("none was published") == 3
    lines = printed(tables.refusals(results, screen)).splitlines()
    line = next(line for line in lines if line.strip().startswith("invalid"))
    assert line.split()[1:3] == ["2", "2"]


def test_the_tables_stand_where_nothing_came(screen):
    nothing = Results(TOPICS)
    assert printed(tables.figures({}, screen)).count("?") == 7 * 8
    assert printed(tables.refusals(nothing, screen)).count(screen.wrong) == len(refused())
    assert printed(tables.published(compare({}), screen)).count(screen.wrong) == 6


def test_no_figure_is_cut_on_a_narrow_terminal(results):
    narrow = DemoConsole(Console(file=StringIO(), width=80, force_terminal=True))
    text = printed(tables.figures(results.broadcasts, narrow), width=80)
    assert text.count("380,000") == 8
    assert text.count("760,000") == 7
    assert "3,800,000" in text
    assert "…" not in text
