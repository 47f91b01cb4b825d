"""What waits in partitions that are not at work, by what the group has committed."""

import pytest

from streams.exact.group_offsets import LOOK_SECONDS, STALLED_SECONDS, GroupOffsets
from streams.exact.progress import Lag

OWN = Lag(None, 3.0)
LONG = STALLED_SECONDS + LOOK_SECONDS


@pytest.fixture
def offsets():
    return GroupOffsets()


def looks(offsets, ends, committed, until, begin=0.0):
    """Look again and again, with the same result."""
    now = begin
    while now <= until:
        offsets.look(ends, committed, now)
        now += LOOK_SECONDS
    return now - LOOK_SECONDS


def test_before_the_first_look_a_partition_knows_best_itself(offsets):
    assert offsets.lag(0, 7, OWN, 1.0) == OWN
    assert offsets.stalled(1_000.0, without=()) == {}


def test_what_waits_is_what_lies_behind_the_stored_position(offsets):
    offsets.look({0: 100, 1: 100}, {0: 40, 1: None}, 10.0)
    assert offsets.lag(0, None, OWN, 12.0) == Lag(60, 3.0)
    # What the worker has written itself is newer than what was looked at.
    assert offsets.lag(0, 90, OWN, 12.0) == Lag(10, 3.0)
    assert offsets.lag(0, 30, OWN, 12.0) == Lag(60, 3.0)
    assert offsets.lag(0, 100, OWN, 12.0) == Lag(0, 0.0)
    assert offsets.lag(1, 25, OWN, 12.0) == Lag(75, 3.0)
    assert offsets.lag(1, None, OWN, 12.0) == Lag(None, 3.0)


def test_a_topic_without_records_has_no_lag(offsets):
    offsets.look({0: 0}, {0: None}, 10.0)
    assert offsets.lag(0, None, OWN, 12.0) == Lag(0, 0.0)
    assert offsets.stalled(looks(offsets, {0: 0}, {}, LONG), without=()) == {}


def test_it_is_as_old_as_the_time_since_the_position_moved(offsets):
    offsets.look({0: 50}, {0: 50}, 0.0)
    now = looks(offsets, {0: 70}, {0: 50}, 60.0, LOOK_SECONDS)
    assert offsets.lag(0, None, OWN, now) == Lag(20, now)
    assert offsets.lag(0, None, Lag(None, 500.0), now) == Lag(20, 500.0)
    offsets.look({0: 80}, {0: 60}, now)
    assert offsets.lag(0, None, Lag(None, 0.0), now + 1) == Lag(20, 1.0)


def test_when_nobody_answers_it_is_unknown_and_ages(offsets):
    offsets.look({0: 50}, {0: 50}, 0.0)
    assert offsets.lag(0, None, OWN, 2 * LOOK_SECONDS) == Lag(0, 0.0)
    assert offsets.lag(0, None, OWN, 60.0) == Lag(None, 60.0)
    assert offsets.lag(0, None, OWN, 90.0) == Lag(None, 90.0)


def test_a_partition_that_nobody_moves_is_told_by_everybody(offsets):
    offsets.look({0: 50, 1: 50, 2: 50}, {0: 50, 1: 50, 2: None}, 0.0)
    now = looks(offsets, {0: 70, 1: 50, 2: 50}, {0: 50, 1: 50, 2: None}, LONG, LOOK_SECONDS)
    assert offsets.stalled(now, without=()) == {0: Lag(20, now), 2: Lag(None, now)}
    assert offsets.stalled(now, without={0: "mine", 2: "mine"}) == {}
    # No answers for long: it still stood still when it was last seen.
    assert offsets.stalled(now + 100, without={2}) == {0: Lag(None, now + 100)}
    offsets.look({0: 70, 1: 50, 2: 50}, {0: 51, 1: 50, 2: 50}, now)
    assert offsets.stalled(now, without=()) == {}


def test_one_that_moves_is_not_told_however_much_waits_and_none_after_a_silence(offsets):
    for number in range(100):
        offsets.look({0: 10_000, 1: 10}, {0: number, 1: 5 if number == 0 else 10}, number * 5.0)
    assert offsets.stalled(495.0, without=()) == {}
    assert offsets.stalled(5_000.0, without=()) == {}


def test_the_marker_of_a_transaction_that_is_left_for_a_minute_is_no_stall(offsets):
    # A position passes it a minute after the last commit at the latest.
    now = looks(offsets, {0: 50}, {0: 49}, 65.0)
    assert offsets.stalled(now, without=()) == {}
