"""What the demo makes of what came of a season: complete or not, right or not."""

from io import StringIO
from types import SimpleNamespace

import msgspec
import pytest
from rich.console import Console

from agents.demo.console import DemoConsole
from agents.demo.museums import museums
from agents.demo.season import tables
from agents.demo.season.generator import Season
from agents.demo.season.results import Results, ScopeTotals, scope_deltas
from agents.demo.season.show import Pace, SeasonDemo
from agents.demo.season.totals import totals
from streams.settings import Settings
from streams.summaries import BroadcastSummary, ScopeSummary, encode
from streams.topics import Topics

TOPICS = Topics.of(Settings(topic_prefix="demo-1."))
EVENTS = 10
VIEWS = 20_000_000
BROADCASTS = 9


def broadcast(number, **changes):
    whole = BroadcastSummary(
        platform="fliggy",
        broadcast=f"b{number}",
        run=None,
        venue=f"venue-{number % 2}",
        programme="evening" if number > 6 else None,
        title=None,
        status="ended",
        started_at="2020-05-01T12:00:00.25Z",
        ended_at="2020-05-01T12:30:00Z",
        peak=1_000 + number,
        peak_at="2020-05-01T12:16:00Z",
        peak_held=1_000,
        waiting_peak=None,
        first_minute=500,
        first_audience=500,
        first_audience_at="2020-05-01T12:00:00Z",
        viewer_minutes=6_000,
        minutes_observed=29,
        minutes_carried=1,
        minutes_live=30,
        coverage=0.9,
        average=300,
        joins=0,
        views=10_000 * number,
        events=EVENTS,
        late=0,
    )
    if number < len(museums()):
        museum = museums()[number]
        made = museum.made
        whole = msgspec.structs.replace(
            whole,
            platform=museum.platform,
            broadcast=museum.broadcast,
            started_at=made.start.isoformat(),
            first_minute=made.audience[0][1],
            minutes_live=made.minutes,
            views=made.views,
            joins=70,
        )
    return msgspec.structs.replace(whole, **changes)


def scope(name, sums, **changes):
    kind, _, name = name.partition(":")
    whole = ScopeSummary(
        scope=kind,
        name=name,
        minute="2020-05-01T12:30:00Z",
        viewers=0,
        peak=4_321,
        peak_at="2020-05-01T12:16:00Z",
        **sums._asdict(),
    )
    return msgspec.structs.replace(whole, **changes)


def take_broadcast(results, summary):
    key = f"{summary.platform}:{summary.broadcast}".encode()
    record = SimpleNamespace(key=key, value=encode(summary))
    results.take("demo-1.broadcast-summaries", record)


def take_scope(results, summary):
    name = f"{summary.scope}:{summary.name}".removesuffix(":")
    record = SimpleNamespace(key=name.encode(), value=encode(summary))
    results.take("demo-1.scope-summaries", record)


@pytest.fixture
def results():
    """Results to which all has come that was sent."""
    found = Results(TOPICS, BROADCASTS)
    for number in range(BROADCASTS):
        take_broadcast(found, broadcast(number, events=3, status="live"))
        take_broadcast(found, broadcast(number, events=7))
        take_broadcast(found, broadcast(number))
    for name, sums in scope_deltas(found.broadcasts).items():
        take_scope(found, scope(name, sums))
    return found


def test_all_that_was_sent_is_complete(results):
    assert list(results.missing(BROADCASTS * EVENTS)) == []
    assert (results.ended, results.events) == (BROADCASTS, BROADCASTS * EVENTS)


def test_scopes_are_added_up_by_the_contract(results):
    sums = scope_deltas(results.broadcasts)
    assert sums.keys() == {
        "world",
        "platform:fliggy",
        "platform:kuaishou",
        *{f"venue:venue-{number}" for number in (0, 1)},
        "programme:evening",
    }
    assert sums["programme:evening"] == ScopeTotals(2, 0, 1_007 + 1_008, 12_000, 0, 150_000)
    assert sums["world"].broadcasts == BROADCASTS
    given = [museum.made.views for museum in museums()]
    assert sums["world"].views == sum(70 if n is None else n for n in given) + 60_000 + 150_000


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: take_broadcast(r, broadcast(7, status="live")), "8 broadcasts of 9 have ended"),
        (lambda r: take_broadcast(r, broadcast(7, events=9)), "89 records of 90"),
        (
            lambda r: take_scope(r, scope("world", scope_deltas(r.broadcasts)["world"], joins=1)),
            f"world: joins is 1 for {70 * 6}",
        ),
        (
            lambda r: take_scope(r, scope("venue:venue-1", ScopeTotals(4, 1))),
            "venue:venue-1: live is 1 for 0",
        ),
        (lambda r: r.scopes.pop("programme:evening"), "programme:evening: no summary"),
    ],
)
def test_what_is_missing_is_said(results, change, said):
    change(results)
    assert said in "; ".join(results.missing(BROADCASTS * EVENTS))


def test_a_refused_record_is_accounted_for_and_told(results):
    record = SimpleNamespace(key=b"x", value=b"", headers=[("reason", b"late")])
    results.take("demo-1.viewer-events-rejected", record)
    assert list(results.missing(BROADCASTS * EVENTS)) != []
    assert list(results.missing(BROADCASTS * EVENTS + 1)) == []
    assert results.refused == {"late": 1}


class _Told:
    """A show of a small season, and what it prints."""

    def __init__(self):
        self.file = StringIO()
        screen = DemoConsole(Console(file=self.file, width=120, highlight=False))
        self.show = SeasonDemo(Season(broadcasts=BROADCASTS, views=VIEWS), 1.0, screen)

    def of(self, results):
        self.show._print_results(results, Pace(2.0, BROADCASTS * EVENTS, 300 * 1024 * 1024))
        return self.show.code, self.file.getvalue()


def in_all(results, **changes):
    sums = scope_deltas(results.broadcasts)["world"]
    take_scope(results, scope("world", sums, **{"views": VIEWS, **changes}))


def test_a_season_that_comes_out(results):
    in_all(results)
    code, text = _Told().of(results)
    assert code == 0
    assert "All 8 published figures came out." in text
    assert "90 records in 2.0 s: 45 a second; 0 refused, 0 of them late ✓" in text
    assert "All 6 scopes add up to what their broadcasts say ✓" in text
    assert "The worker had 300 MiB of memory at most." in text


@pytest.mark.parametrize("changes", [{"views": VIEWS - 1}, {"broadcasts": BROADCASTS + 1}])
def test_a_total_that_does_not_come_out_is_told(results, changes):
    in_all(results, **changes)
    code, text = _Told().of(results)
    assert code == 1
    assert "1 of 8 published figures did not come out." in text
    assert text.count("✗") == 1


def test_a_museums_figure_that_does_not_come_out_is_told(results):
    in_all(results)
    take_broadcast(results, broadcast(0, first_minute=1))
    code, text = _Told().of(results)
    assert (code, "1 of 8 published figures did not come out." in text) == (1, True)


def test_a_refused_record_is_a_failure(results):
    in_all(results)
    results.refused["late"] += 1
    code, text = _Told().of(results)
    assert (code, "1 refused, 1 of them late ✗" in text) == (1, True)


def printed(table):
    output = StringIO()
    Console(file=output, width=100).print(table)
    return [line.split() for line in output.getvalue().splitlines()]


def test_the_leaderboard_has_the_largest_first():
    many = [broadcast(number + 10, peak=number, views=None, joins=5) for number in range(30)]
    rows = printed(tables.broadcasts(many))
    names = [row[0] for row in rows if row and row[0].startswith("b") and row[0][1:-1].isdigit()]
    assert names == [f"b{number}," for number in range(39, 29, -1)]
    assert rows[-2][-1] == "5", "joins where views are not given"


def test_scopes_of_one_kind_are_ranked_by_views():
    sums = ScopeTotals(broadcasts=1, views=10)
    some = [scope(f"venue:v{n:02d}", sums._replace(views=n)) for n in range(12)]
    rows = printed(tables.scopes("venue", "Venues", [*some, scope("platform:x", sums)]))
    assert " ".join(rows[0]) == "Venues by views, the first 10 of 12"
    assert [row[0] for row in rows if row and row[0].startswith("v0")] == [
        f"v{n:02d}" for n in range(9, 1, -1)
    ]
    rows = printed(tables.scopes("platform", "Platforms", [*some, scope("platform:x", sums)]))
    assert " ".join(rows[0]) == "Platforms by views"


def test_totals_are_those_of_the_season():
    world = scope("world", ScopeTotals(broadcasts=BROADCASTS, views=VIEWS))
    assert all(total.same for total in totals(world, Season(broadcasts=BROADCASTS, views=VIEWS)))
    assert not any(total.same for total in totals(world, Season()))
