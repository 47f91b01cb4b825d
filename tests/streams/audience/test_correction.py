"""What a correction sends gives exactly what was asked for, and changes nothing else."""

import msgspec
import pytest
from contract import logs
from contract.reading import read
from contract.rules import Settings
from hypothesis import assume, given
from hypothesis import strategies as st

from streams import events, rfc3339
from streams.audience.codec import decode, encode
from streams.audience.correction import (
    CorrectionError,
    SealedError,
    correct_minute,
    correct_start,
    encode_event,
)
from streams.audience.figures import compute_figures
from streams.audience.minute import MINUTE, Cell
from streams.audience.row import Row
from streams.audience.rules import Rules
from streams.rejections import Rejected
from streams.viewer_event import MAX_REVISION, ViewerEvent

NOON = rfc3339.microseconds("2026-11-22T12:00:00Z")
NOON_MINUTE = NOON // MINUTE
RULES = Rules(15, 2)

#: What every accepted event changes, whatever it says.
OF_ANY_EVENT = {"events", "timestamp", "fresh", "viewers_timestamp", "published_events"}
#: What an event changes by its time; looked at one by one below.
OF_ITS_TIME = {"newest_at", "earliest_at", "watched_at", "shown"}


@st.composite
def rows(draw):
    """The newest run of a log of one broadcast, folded as a batch leaves it."""
    environment = draw(logs.environments())
    settings = Settings(environment)
    row = None
    for record in draw(logs.logs(environment, most=1)):
        try:
            event, at, _ = read(record.value)
        except Rejected:
            continue
        told = [(event, at, record.effective_timestamp)]
        if row is None or row.accept_all(told).stopped == 0:
            rules = settings.rules(event.platform)
            run, sealed = (None, -1) if row is None else (at // MINUTE, row.gap_end)
            row, _ = Row.begin(
                told,
                Rules(
                    rules.lateness, rules.carry, rules.tolerance, rules.restart_gap, rules.run_gap
                ),
                run,
                sealed,
            )
        row.fold_sealed()
    assume(row is not None)
    row.final = draw(st.booleans()) and row.final
    return row


def applied(row, correction):
    """A row after a worker has read what a correction sends."""
    copy = decode(encode(row))
    told = []
    for event, at in correction.events:
        read_back, when = events.read(encode_event(event))
        assert (read_back, when) == (event, at)
        told.append((read_back, when, row.timestamp + 1))
    result = copy.accept_all(told)
    assert (result.late, result.stopped) == ([], len(told))
    copy.fold_sealed()
    return copy


def fields_but(row, *names):
    return {
        name: value
        for name, value in msgspec.structs.asdict(row).items()
        if name not in names and name not in OF_ANY_EVENT and name not in OF_ITS_TIME
    }


def given_ones(data):
    found = {}
    for name, least in (("viewers", -1), ("joins", 0), ("views", 0)):
        if data.draw(st.booleans()):
            value = data.draw(st.integers(least, 5))
            found[name] = None if value == -1 else value
    return found


def minute_of(data, row):
    return data.draw(st.integers(row.sealed + 1, row.newest))


@logs.tried(150)
@given(st.data())
def test_a_minute_has_what_was_asked_for_and_nothing_else_is_another(data):
    row = data.draw(rows())
    before = encode(row)
    minute, given_ = minute_of(data, row), given_ones(data)
    was = row.cells.get(minute, Cell(-1, None, None, None, None, None))
    correction = correct_minute("fliggy", "1", row, minute, given_)
    assert encode(row) == before, "the row stays as it is"
    assert len(correction.events) <= 2
    after = applied(row, correction)
    assert compute_figures(after) == compute_figures(correction.row)
    if correction.is_in:
        assert after.cells == row.cells
        return
    cell = after.cells[minute]
    assert cell.revision == max(was.revision, 0) + 1 == correction.revision
    assert cell.audience == given_.get("viewers", was.audience)
    assert cell.joins == given_.get("joins", was.joins)
    assert cell.views == given_.get("views", was.views)
    if "viewers" not in given_:
        assert (cell.at, cell.high) == (was.at, was.high)
    else:
        assert cell.high == cell.audience
    # All other minutes, and all that is folded or has nothing to do with minutes.
    assert {**after.cells, minute: None} == {**row.cells, minute: None}
    # Viewers well past an end undo it: what was folded past it then belongs to the span.
    undone = () if after.ended_at == row.ended_at else ("span", "past_end")
    others = ("cells", "final", *undone)
    assert fields_but(after, *others) == fields_but(row, *others)
    last = correction.events[-1][1]
    assert after.newest == row.newest
    assert after.newest_at == max(row.newest_at, last)
    assert after.earliest_at == min(row.earliest_at, last)
    if minute >= row.earliest_at // MINUTE:
        assert after.earliest_at == row.earliest_at
    if "viewers" not in given_:
        assert after.watched_at == row.watched_at
    told = [change.after for change in correction.restated]
    assert told == [cell.audience, cell.high, cell.joins, cell.views]


@logs.tried(100)
@given(st.data())
def test_a_new_audience_in_the_span_is_observed_there(data):
    row = data.draw(rows())
    viewers = data.draw(st.integers(0, 5))
    first = row.started_at // MINUTE
    assume(max(first, row.sealed + 1) <= row.last_minute)
    minute = data.draw(st.integers(max(first, row.sealed + 1), row.last_minute))
    correction = correct_minute("fliggy", "1", row, minute, {"viewers": viewers})
    after = correction.row
    before = correct_minute("fliggy", "1", row, minute, {"viewers": None}).row
    if after.last_minute == row.last_minute == before.last_minute:
        observed = compute_figures(after).minutes_observed
        cell = row.cells.get(minute)
        if cell is None or cell.audience is None or not correction.is_in:
            assert observed == compute_figures(before).minutes_observed + 1


@logs.tried(100)
@given(st.data())
def test_a_start_is_what_was_asked_for_and_nothing_else_is_another(data):
    row = data.draw(rows())
    at = minute_of(data, row) * MINUTE + data.draw(st.integers(0, MINUTE - 1))
    correction = correct_start("fliggy", "1", row, at)
    after = applied(row, correction)
    assert compute_figures(after) == compute_figures(correction.row)
    assert after.started_at == after.started == at
    assert after.cells == row.cells
    borders = ("started", "started_revision", "started_last")
    # What is folded and lies before the start is a waiting room from then on.
    folded = ("span", "past_end", "waiting_high", "start_high") if at > row.started_at else ()
    left = (*borders, *folded, "final", "past_end", "span")
    assert fields_but(after, *left) == fields_but(row, *left)
    assert after.watched_at == row.watched_at
    assert after.newest == row.newest
    if not correction.is_in:
        assert after.started_revision == max(row.started_revision, 0) + 1 == correction.revision


@logs.tried(100)
@given(st.data())
def test_what_changes_is_told_and_nothing_else(data):
    row = data.draw(rows())
    minute = minute_of(data, row)
    correction = (
        correct_minute("fliggy", "1", row, minute, given_ones(data))
        if data.draw(st.booleans())
        else correct_start("fliggy", "1", row, minute * MINUTE)
    )
    now, then = compute_figures(row), compute_figures(applied(row, correction))
    told = {change.name for change in correction.figures}
    for name in ("peak", "peak_held", "joins", "views", "viewers", "viewer_minutes", "average"):
        assert (name in told) == (getattr(now, name) != getattr(then, name)), name
    for change in correction.figures:
        assert change.before != change.after


@logs.tried(100)
@given(st.data())
def test_a_sealed_minute_is_refused_as_a_worker_would(data):
    row = data.draw(rows())
    minute = data.draw(st.integers(row.sealed - 20, row.newest))
    event = ViewerEvent("fliggy", "1", rfc3339.text(minute * MINUTE), viewers=1, revision=9)
    late = bool(decode(encode(row)).accept_all([(event, minute * MINUTE, 1)]).late)
    for correct in (
        lambda: correct_minute("fliggy", "1", row, minute, {"viewers": 1}),
        lambda: correct_start("fliggy", "1", row, minute * MINUTE),
    ):
        if late:
            with pytest.raises(SealedError):
                correct()
        else:
            assert correct().open_until == minute + row.lateness


def sample(minute, viewers=None, second=0, **fields):
    at = NOON + minute * MINUTE + round(second * 1_000_000)
    return ViewerEvent("fliggy", "1", rfc3339.text(at), viewers=viewers, **fields), at, 1


def row_of(*told):
    row, _ = Row.begin(told, RULES)
    row.fold_sealed()
    return row


def test_since_when_a_minute_is_sealed_is_said():
    row = row_of(sample(0, 5), sample(20, 5))
    with pytest.raises(SealedError) as caught:
        correct_minute("fliggy", "1", row, NOON_MINUTE + 3, {"viewers": 1})
    assert str(caught.value) == (
        "the minute 2026-11-22T12:03:00Z of fliggy:1 is sealed since 2026-11-22T12:18:00Z, when "
        "its newest minute was 15 min later (AUDIENCE_LATENESS when it began): what is told of it "
        "now is refused as late; its open minutes are those from 2026-11-22T12:06:00Z to "
        "2026-11-22T12:20:00Z"
    )
    assert caught.value.since == NOON_MINUTE + 18
    assert correct_minute("fliggy", "1", row, NOON_MINUTE + 6, {"viewers": 1}).events


def test_a_minute_of_a_former_run_is_sealed_since_this_one_began():
    row = Row.new(*sample(0, 5), RULES, NOON_MINUTE, NOON_MINUTE - 2)
    with pytest.raises(SealedError, match="since its run of 2026-11-22T12:00:00Z began") as caught:
        correct_minute("fliggy", "1", row, NOON_MINUTE - 2, {"viewers": 1})
    assert caught.value.since == NOON_MINUTE
    assert correct_minute("fliggy", "1", row, NOON_MINUTE - 1, {"viewers": 1}).events


@pytest.mark.parametrize("minute", [6, 525_600])
def test_what_is_yet_to_come_is_refused(minute):
    row = row_of(sample(0, 5), sample(5, 5))
    with pytest.raises(CorrectionError, match="has come to the minute 2026-11-22T12:05:00Z"):
        correct_minute("fliggy", "1", row, NOON_MINUTE + minute, {"viewers": 1})
    with pytest.raises(CorrectionError, match="has come to the minute 2026-11-22T12:05:00Z"):
        correct_start("fliggy", "1", row, NOON + minute * MINUTE)


def test_one_absurd_sample_is_put_right():
    row = row_of(sample(0, 5), sample(1, 9_000_000, 10), sample(1, 6, 40, joins=3), sample(2, 7))
    correction = correct_minute("fliggy", "1", row, NOON_MINUTE + 1, {"viewers": 6})
    assert [tuple(change) for change in correction.restated] == [
        ("viewers", 6, 6),
        ("high", 9_000_000, 6),
        ("joins", 3, 3),
        ("views", None, None),
    ]
    assert [tuple(change) for change in correction.figures] == [
        ("peak", 9_000_000, 7),
        ("peak_at", "2026-11-22T12:01:00Z", "2026-11-22T12:02:00Z"),
    ]
    ((event, _),) = correction.events
    assert encode_event(event) == (
        b'{"platform":"fliggy","broadcast":"1","at":"2026-11-22T12:01:40Z","kind":"sample",'
        b'"viewers":6,"joins":3,"revision":1}'
    )


def test_a_high_that_stays_is_told_before_the_audience():
    row = row_of(sample(0, 5), sample(1, 9, 10), sample(1, 6, 40), sample(2, 7))
    correction = correct_minute("fliggy", "1", row, NOON_MINUTE + 1, {"joins": 2})
    (high, told), (last, at) = correction.events
    assert (high.viewers, high.joins, last.viewers, last.joins) == (9, None, 6, 2)
    assert told < at == NOON + MINUTE + 40_000_000


def test_viewers_can_become_unknown():
    row = row_of(sample(0, 5), sample(1, 0), sample(2, 7))
    correction = correct_minute("fliggy", "1", row, NOON_MINUTE + 1, {"viewers": None})
    assert correction.row.cells[NOON_MINUTE + 1].audience is None
    assert ("minutes_observed", 3, 2) in [tuple(change) for change in correction.figures]


def test_the_first_minute_is_corrected_in_the_span_and_not_before_it():
    row = row_of(sample(0, 5, 10), sample(0, None, 30, kind="started"), sample(1, 7))
    correction = correct_minute("fliggy", "1", row, NOON_MINUTE, {"viewers": 6})
    assert correction.events[0][1] == NOON + 30_000_000
    assert ("first_minute", None, 6) in [tuple(change) for change in correction.figures]


def test_what_is_so_already_needs_no_event():
    row = row_of(sample(0, 5, kind="started"), sample(1, 7))
    assert correct_minute("fliggy", "1", row, NOON_MINUTE + 1, {"viewers": 7}).is_in
    assert correct_start("fliggy", "1", row, NOON).is_in


def test_a_start_that_is_put_right_makes_a_waiting_room_of_what_was_before():
    row = row_of(sample(0, 50, kind="started"), sample(5, 7))
    correction = correct_start("fliggy", "1", row, NOON + 3 * MINUTE)
    figures = {change.name: (change.before, change.after) for change in correction.figures}
    assert figures["started_at"] == ("2026-11-22T12:00:00Z", "2026-11-22T12:03:00Z")
    assert figures["waiting_peak"] == (None, 50)
    assert figures["peak"] == (50, 7)


def test_a_start_after_the_end_takes_the_end_back_and_says_so():
    row = row_of(sample(0, 5), sample(1, 5, kind="ended"), sample(3, 0))
    correction = correct_start("fliggy", "1", row, NOON + 2 * MINUTE)
    figures = {change.name: (change.before, change.after) for change in correction.figures}
    assert figures["ended_at"] == ("2026-11-22T12:01:00Z", None)
    assert figures["status"] == ("ended", "live")


def test_no_revision_is_left():
    row = row_of(sample(0, 5, revision=MAX_REVISION), sample(0, kind="started", revision=5))
    with pytest.raises(CorrectionError, match="its revision is 1000000 already"):
        correct_minute("fliggy", "1", row, NOON_MINUTE, {"viewers": 1})
    assert correct_start("fliggy", "1", row, NOON + 1).revision == 6
