"""What the contract says of a broadcast, sentence by sentence, on small examples."""

import sys
from itertools import permutations

import msgspec
import pytest
from logs import START, at, event

from streams.audience import MINUTE, Row, Rules, encode, figures

RULES = Rules(lateness=15, carry=2)


def row_of(*told, rules=RULES):
    """A row of (minute, second, event), settled after each."""
    row = None
    for minute, second, what in told:
        if row is None:
            row = Row.new(what, at(minute, second), 0, rules)
        else:
            row.accept(what, at(minute, second), 0)
        row.settle()
    return row


def seen(*viewers):
    """Samples a minute apart."""
    return [(minute, 0, event(viewers=count)) for minute, count in enumerate(viewers)]


def test_viewer_minutes_are_viewers_times_minutes():
    told = figures(row_of(*seen(*[380_000] * 120)))
    assert told.viewer_minutes == 45_600_000
    assert told.average == 380_000
    assert told.minutes_live == told.minutes_observed == 120
    assert told.coverage == 1


def test_the_audience_of_a_minute_is_that_of_its_latest_event_and_its_peak_the_greatest():
    row = row_of((0, 10, event(viewers=9)), (0, 50, event(viewers=5)), (0, 30, event(viewers=7)))
    told = figures(row)
    assert (told.viewers, told.peak, told.viewer_minutes) == (5, 9, 5)


def test_of_two_events_at_the_same_time_the_greater_counts():
    for pair in ((3, 4), (4, 3)):
        assert row_of(*[(0, 10, event(viewers=count)) for count in pair]).viewers == 4


def test_unknown_viewers_are_not_zero():
    unknown = figures(row_of((0, 0, event())))
    zero = figures(row_of((0, 0, event(viewers=0))))
    assert (unknown.viewers, unknown.peak, unknown.average) == (None, None, None)
    assert (zero.viewers, zero.peak, zero.average) == (0, 0, 0)
    assert (unknown.minutes_observed, zero.minutes_observed) == (0, 1)


def test_an_unknown_does_not_hide_what_is_known_in_its_minute():
    assert row_of((0, 10, event(viewers=5)), (0, 50, event())).viewers == 5


def test_a_higher_revision_restates_the_whole_minute():
    row = row_of(
        (0, 10, event(viewers=900, joins=50, views=60)),
        (0, 20, event(viewers=4, revision=1)),
        (0, 50, event(viewers=800, joins=70, views=80)),
    )
    told = figures(row)
    assert (told.viewers, told.peak, told.joins, told.views) == (4, 4, 0, None)
    assert told.events == 3


def test_a_correction_may_take_an_audience_away():
    row = row_of((0, 10, event(viewers=900)), (0, 20, event(revision=1)))
    assert figures(row).viewers is None
    assert figures(row).viewer_minutes == 0


def test_a_lower_revision_still_tells_of_the_broadcast():
    row = row_of(
        (0, 10, event(viewers=9, revision=2)),
        (0, 20, event("ended", viewers=5, title="The Seine")),
        (0, 5, event("started", viewers=7)),
    )
    told = figures(row)
    assert (told.viewers, told.peak) == (9, 9)
    assert (told.started_at, told.ended_at, row.title) == (at(0, 5), at(0, 20), "The Seine")


def test_a_missing_minute_carries_the_audience_before_it_for_two_minutes():
    told = figures(row_of((0, 0, event(viewers=10)), (4, 0, event(viewers=20))))
    assert told.viewer_minutes == 10 + 10 + 10 + 20
    assert (told.minutes_observed, told.minutes_carried, told.minutes_live) == (2, 2, 5)
    assert told.average == 12.5
    assert told.coverage == 2 / 5


def test_nothing_is_carried_past_the_newest_minute_in_its_own_sum():
    assert figures(row_of(*seen(10))).viewer_minutes == 10


def test_nothing_is_carried_after_the_end():
    row = row_of((0, 0, event(viewers=10)), (0, 30, event("ended")), (3, 0, event()))
    assert figures(row).viewer_minutes == 10
    assert figures(row).ended_at == at(0, 30)


def test_the_minute_of_the_end_is_carried():
    row = row_of((0, 0, event(viewers=10)), (1, 30, event("ended")), (3, 0, event()))
    assert figures(row).viewer_minutes == 20


@pytest.mark.parametrize(
    ("later", "ended"),
    [
        ((2, 30, event(viewers=5)), True),  # platforms count on for a moment: `carry` exactly
        ((2, 30.000001, event(viewers=5)), False),
        ((9, 0, event(viewers=0)), True),
        ((9, 0, event()), True),
        ((0, 30, event("started")), True),  # not later than the end
        ((0, 30.000001, event("started")), False),
    ],
)
def test_it_went_on_if_it_started_again_or_was_watched_for_longer_than_the_carry(later, ended):
    told = [(0, 0, event(viewers=10)), (0, 30, event("ended")), later]
    for order in permutations(told):
        assert figures(row_of(*order)).ended_at == (at(0, 30) if ended else None)


def test_the_latest_end_counts():
    row = row_of((5, 0, event("ended")), (3, 0, event("ended")), (4, 0, event("started")))
    assert figures(row).ended_at == at(5)


@pytest.mark.parametrize("resumed", [event("started"), event(viewers=1), event("ended")])
def test_sealed_minutes_after_an_end_are_carried_once_it_went_on(resumed):
    rules = Rules(lateness=1, carry=2)
    told = [(0, 0, event(viewers=10)), (0, 30, event("ended")), (4, 0, event())]
    row = row_of(*told, rules=rules)
    assert row.folded == START + 3
    assert figures(row).viewer_minutes == 10
    row = row_of(*told, (9, 0, resumed), rules=rules)
    assert figures(row).viewer_minutes == 10 + 10 + 10 + (resumed.viewers or 0)
    assert figures(row).minutes_carried == 2


def test_zeros_after_an_end_weigh_in_the_average_once_it_went_on():
    rules = Rules(lateness=1, carry=2)
    told = [(0, 0, event(viewers=6)), (0, 30, event("ended")), (1, 0, event(viewers=0))]
    row = row_of(*told, (5, 0, event()), rules=rules)
    assert figures(row).average == 3
    row = row_of(*told, (5, 0, event("started")), rules=rules)
    assert figures(row).average == 1.5


def test_a_minute_is_sealed_when_the_newest_is_the_lateness_ahead():
    row = row_of((0, 0, event(viewers=1)), (15, 0, event(viewers=1)))
    assert row.accept(event(viewers=7), at(1), 0)
    assert not row.accept(event(viewers=7), at(0, 59), 0)
    assert (row.events, row.late) == (3, 1)
    assert figures(row).peak == 7


def test_a_late_event_changes_nothing_but_late():
    row = row_of((0, 0, event(viewers=1)), (15, 0, event(viewers=1)))
    before = msgspec.structs.asdict(row)
    late = event("ended", viewers=99, joins=9, views=9, title="late", revision=9)
    assert not row.accept(late, at(0), 10**15)
    assert msgspec.structs.asdict(row) == before | {"late": 1}


def test_the_start_is_the_earliest_started_event_else_the_earliest_event():
    assert figures(row_of((1, 0, event()), (0, 0, event()))).started_at == at(0)
    told = [(1, 0, event()), (3, 0, event("started")), (2, 0, event("started"))]
    assert figures(row_of(*told)).started_at == at(2)


def test_the_first_minute_is_that_of_the_start_sealed_or_open():
    told = [(0, 0, event(viewers=1)), (1, 0, event("started", viewers=2)), (2, 0, event(viewers=3))]
    assert figures(row_of(*told)).first_minute == 2
    assert figures(row_of(*told, (90, 0, event(viewers=9)))).first_minute == 2
    assert figures(row_of((0, 0, event("started")), (1, 0, event(viewers=3)))).first_minute is None


def test_the_start_may_move_to_a_later_minute_after_the_first_was_sealed():
    told = [(0, 0, event(viewers=1)), (20, 0, event(viewers=2)), (20, 30, event("started"))]
    assert figures(row_of(*told)).first_minute == 2
    assert figures(row_of(*told)).minutes_live == 1
    assert figures(row_of(*told)).coverage == 1


def test_peaks_of_windows_reach_back_into_sealed_minutes():
    rules = Rules(lateness=1, carry=2)
    falling = seen(*range(1000, 900, -1))
    told = figures(row_of(*falling, rules=rules))
    assert (told.peak, told.peak_5m, told.peak_1h) == (1000, 905, 960)
    assert told.peak_minute == START
    told = figures(row_of(*falling, (10_000, 0, event(viewers=5)), rules=rules))
    assert (told.peak, told.peak_5m, told.peak_1h) == (1000, 5, 5)


def test_the_peak_is_at_the_earliest_minute_that_reached_it():
    told = [(20, 0, event(viewers=5)), (8, 0, event(viewers=5)), (40, 0, event(viewers=5))]
    assert figures(row_of(*told)).peak_minute == START + 8


def test_joins_of_a_minute_are_restated_and_views_go_on():
    row = row_of(
        (0, 10, event(joins=5, views=100)),
        (0, 50, event(joins=8, views=120)),
        (1, 10, event(joins=2, views=110)),
    )
    assert (figures(row).joins, figures(row).views) == (10, 120)


def test_labels_are_those_of_the_first_record_and_the_title_the_latest():
    row = row_of(
        (1, 0, event(venue="louvre", title="b")),
        (0, 0, event(venue="versailles", programme="night", title="c")),
        (1, 0, event(title="a")),
        (2, 0, event()),
    )
    assert (row.venue, row.programme, row.title) == ("louvre", None, "b")


def test_the_rules_are_those_of_the_first_event():
    row = row_of((0, 0, event(viewers=1)), rules=Rules(lateness=2, carry=1))
    assert (row.lateness, row.carry) == (2, 1)


@pytest.mark.parametrize(("lateness", "carry"), [(0, 0), (-1, 2), (1, -1)])
def test_rules_without_sense_are_refused(lateness, carry):
    with pytest.raises(ValueError, match="must be at least"):
        Rules(lateness, carry)


# --- bounds -----------------------------------------------------------------------------------


def long_broadcast(minutes, viewers):
    """A row after so many minutes, and the greatest sizes that it ever had."""
    row = Row.new(event("started", viewers=9), at(0), 0, RULES)
    sizes = {}
    for minute in range(1, minutes):
        row.accept(
            event(viewers=viewers(minute), joins=3, views=10**6 + minute), at(minute), minute
        )
        row.settle()
        sizes = {
            "cells": max(sizes.get("cells", 0), len(row.cells)),
            "recent": max(sizes.get("recent", 0), len(row.recent)),
            "suppressed": max(sizes.get("suppressed", 0), len(row.suppressed)),
            "bytes": max(sizes.get("bytes", 0), len(encode(row))),
        }
    return row, sizes


@pytest.mark.parametrize(
    "viewers",
    [
        lambda minute: 100_000 + minute * 7919 % 50_000,
        lambda minute: 10**9 - minute,  # falling: every minute may be the peak of the next hour
        lambda minute: 10**6 + minute,
        lambda minute: minute % 3 or None,
    ],
)
def test_a_month_is_kept_in_what_three_hours_take(viewers):
    _, few = long_broadcast(3 * 60, viewers)
    row, many = long_broadcast(30 * 24 * 60, viewers)
    assert row.events == 30 * 24 * 60
    assert {**many, "bytes": 0} == {**few, "bytes": 0}
    assert many["bytes"] <= few["bytes"] + 30  # the sums grow by a few digits
    assert many["cells"] == RULES.lateness
    assert many["recent"] <= 60 - RULES.lateness


def test_zeros_after_the_end_take_no_room():
    row = row_of((0, 0, event(viewers=10)), (0, 30, event("ended")))
    for minute in range(1, 5_000, 2):
        row.accept(event(viewers=0 if minute % 3 else None), at(minute), 0)
        row.settle()
    assert row.ended_at == at(0, 30)
    assert len(row.suppressed) <= 2 * RULES.carry
    assert row.suppressed_zeros > 1_000
    assert len(encode(row)) < 400


def test_a_gap_of_years_costs_what_a_gap_of_minutes_does():
    counts = []
    for gap in (200, 5_000_000):
        row = row_of(*seen(*range(30)))
        row.accept(event(viewers=5), at(gap), 0)
        counts.append(_steps(lambda row=row: (row.settle(), figures(row))))
    assert counts[0] == counts[1]


def _steps(work):
    """How many lines of Python a piece of work runs."""
    count = 0

    def trace(frame, kind, argument):
        nonlocal count
        count += kind == "line"
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(previous)
    return count


def test_times_before_any_lateness_has_passed_since_1970_are_fine():
    row = Row.new(event("started", viewers=3), 0, 0, RULES)
    row.accept(event(viewers=4), 20 * MINUTE, 0)
    row.settle()
    told = figures(row)
    assert (told.started_at, told.peak, told.first_minute, told.viewer_minutes) == (0, 4, 3, 13)


def test_nothing_is_carried_in_1970_before_anything_was_observed():
    row = Row.new(event(), 0, 0, Rules(lateness=1, carry=5))
    row.accept(event(), 20 * MINUTE, 0)
    row.settle()
    assert (figures(row).viewer_minutes, figures(row).minutes_carried) == (0, 0)
