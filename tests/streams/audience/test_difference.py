"""What batches change in scopes, on small examples."""

from logs import START, at, event

from streams.audience import Difference, Row, Rules, standing
from streams.audience.difference import by_minute
from streams.audience.scope import Change

RULES = Rules(lateness=15, carry=2)


def begun(*told, rules=RULES):
    row = None
    for minute, what in told:
        if row is None:
            row = Row.new(what, at(minute), 0, rules)
        else:
            row.accept(what, at(minute), 0)
    row.settle()
    return row


def change(row, *told):
    """What a batch of events changes; None if nothing."""
    before, total = standing(row), Difference()
    row.accept_all([(what, at(minute), 0) for minute, what in told], before)
    total.take(before, row)
    return Change.of(total)


def retired(row):
    total = Difference()
    total.retire(row)
    return Change.of(total)


def test_a_new_broadcast_adds_all_that_it_is():
    row = Row.new(event(viewers=5, joins=3), at(0), 0, RULES)
    total = Difference()
    total.take(standing(None), row)
    assert Change.of(total) == Change(
        minutes={START: 5, START + 1: 5, START + 2: 5},
        known={START: 1, START + 1: 1, START + 2: 1},
        viewer_minutes=5,
        joins=3,
        views=3,
        peak_sum=5,
        broadcasts=1,
        live=1,
        newest=START,
        timestamp=0,
    )


def test_a_minute_that_was_carried_is_changed_to_what_was_observed():
    told = change(begun((0, event(viewers=5))), (1, event(viewers=7)))
    assert told.minutes == {START + 1: 2, START + 2: 2, START + 3: 7}
    assert told.known == {START + 3: 1}
    assert (told.viewer_minutes, told.peak_sum, told.newest) == (7, 2, START + 1)


def test_what_was_carried_came_from_the_latest_observed_minute():
    row = begun((0, event(viewers=5)), (1, event(viewers=7)))
    assert change(row, (2, event(viewers=9))).minutes == {START + 2: 2, START + 3: 2, START + 4: 9}


def test_an_end_takes_back_what_was_carried_past_it():
    told = change(begun((0, event(viewers=5))), (0, event("ended")))
    assert told.minutes == {START + 1: -5, START + 2: -5}
    assert told.known == {START + 1: -1, START + 2: -1}
    assert (told.viewer_minutes, told.live, told.newest) == (0, -1, -1)


def test_a_carried_minute_counts_in_viewer_minutes_when_the_newest_has_passed_it():
    told = change(begun((0, event(viewers=5))), (2, event()))
    assert told.minutes == {}
    assert told.viewer_minutes == 10


def test_sealed_minutes_after_an_end_come_back_once_and_only_when_it_resumes():
    told = [(0, event(viewers=10)), (0, event("ended")), (4, event())]
    row = begun(*told, rules=Rules(lateness=1, carry=2))
    assert set(row.suppressed) == {START + 1, START + 2}
    quiet = change(row, (5, event()))
    assert (quiet.minutes, quiet.known, quiet.viewer_minutes) == ({}, {}, 0)
    row.settle()
    back = change(row, (6, event("started")))
    assert back.minutes == {START + 1: 10, START + 2: 10}
    assert back.known == {START + 1: 1, START + 2: 1}
    assert (back.viewer_minutes, back.live) == (20, 1)
    row.settle()
    assert change(row, (7, event())).minutes == {}


def test_views_stand_in_for_joins_once_they_are_given():
    row = begun((0, event(joins=5)), (1, event(joins=6)), (40, event(joins=7)))
    told = change(row, (41, event(joins=1, views=100)))
    assert (told.joins, told.views) == (1, 100 - 18)


def test_views_may_be_taken_back_by_a_correction():
    row = begun((0, event(joins=5, views=100)))
    told = change(row, (0, event(joins=4, revision=1)))
    assert (told.joins, told.views) == (-1, 4 - 100)


def test_views_may_be_taken_back_alone():
    row = begun((0, event(joins=5, views=100)))
    told = change(row, (0, event(joins=5, revision=1)))
    assert (told.joins, told.views) == (0, 5 - 100)


def test_a_peak_may_be_corrected_down_to_that_of_another_minute():
    row = begun((0, event(viewers=50)), (1, event(viewers=90)))
    told = change(row, (1, event(viewers=1, revision=1)))
    assert told.peak_sum == -40


def test_a_peak_may_be_corrected_down_to_that_of_a_sealed_minute():
    row = begun((0, event(viewers=50)), (40, event(viewers=90)))
    told = change(row, (40, event(viewers=1, revision=1)))
    assert told.peak_sum == -40


def test_what_changes_nothing_is_empty():
    row = begun((0, event(viewers=5)), (40, event(viewers=5)))
    assert change(row, (3, event(viewers=9))) is None  # late
    assert change(row, (40, event(viewers=5))) is None  # the same again
    assert change(row, (41, event())) is not None


def test_an_ended_broadcast_is_no_longer_live_and_a_silent_one_is_not_once_it_is_final():
    row = begun((0, event(viewers=5)))
    assert retired(row) == Change({}, {}, live=-1, timestamp=0)
    row.accept(event("ended"), at(1), 0)
    assert retired(row) is None


def test_one_that_resumes_is_live_again():
    row = begun((0, event(viewers=5)), (1, event("ended")))
    assert change(row, (1, event("started"))) is None  # not later than its end
    assert change(row, (2, event("started"))).live == 1


def test_differences_add_up():
    total, other = Difference(), Difference()
    for difference, by in ((total, 1), (other, 10)):
        difference.audience.update({1: 5 * by, 2: -5 * by})
        difference.known.update({by: 1, 11: -1})
        for name in ("viewer_minutes", "joins", "views", "peak_sum", "broadcasts", "live"):
            setattr(difference, name, by)
    total.newest, other.newest, other.timestamp = 9, 8, 7
    total.add(other)
    assert total.audience == {1: 55, 2: -55}
    assert total.known == {1: 1, 10: 1, 11: -2}
    assert Change.of(total) == Change(
        {1: 55}, {**dict.fromkeys(range(1, 10), 1), 10: 2}, 11, 11, 11, 11, 11, 11, 9, 7
    )


def test_steps_are_told_by_minute():
    assert by_minute({}) == {}
    assert by_minute({5: 3, 8: -3}) == {5: 3, 6: 3, 7: 3}
    assert by_minute({8: -1, 5: 1, 6: 0, 7: -1, 9: 1}) == {5: 1, 6: 1, 8: -1}


def test_a_gap_of_years_costs_nothing():
    told = change(begun((0, event(viewers=5))), (10**9, event(viewers=7)))
    assert told.minutes == dict.fromkeys(range(START + 10**9, START + 10**9 + 3), 7)
    assert told.viewer_minutes == 5 + 5 + 7
