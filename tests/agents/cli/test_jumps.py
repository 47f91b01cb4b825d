import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.cli.jumps import JumpDetector
from streams import rfc3339

NOON = rfc3339.microseconds("2026-11-22T12:00:00Z")
DAY = rfc3339.DAY
YEAR = 365 * DAY


def told(*ats, key="fliggy:1", detector=None):
    """The lines of those that are told, of a broadcast's events in this order."""
    detector = detector or JumpDetector()
    return [
        number for number, at in enumerate(ats, 1) if detector.look(number, key, at) is not None
    ]


def test_a_mistyped_year_is_told_with_its_broadcast_line_and_times():
    detector = JumpDetector()
    assert detector.look(6, "fliggy:1", NOON) is None
    said = detector.look(7, "fliggy:1", NOON + YEAR)
    assert said == (
        "line 7: the time of fliggy:1 jumps by 365 days, from 2026-11-22T12:00:00Z to "
        "2027-11-22T12:00:00Z; if that is a mistake, all that follows of it is late"
    )


def test_a_jump_back_is_told_too():
    detector = JumpDetector()
    detector.look(1, "fliggy:1", NOON)
    said = detector.look(2, "fliggy:1", NOON - 2 * DAY)
    assert "jumps by 2 days" in said
    assert said.endswith("if that is a mistake, it is late")


def test_a_day_is_no_jump():
    assert told(NOON, NOON + DAY, NOON) == []
    assert told(NOON, NOON + DAY + 1) == [2]
    assert told(NOON, NOON - DAY - 1) == [2]


def test_one_that_is_off_is_told_once():
    assert told(NOON, NOON + YEAR, NOON + 60, NOON + 120) == [2]
    assert told(NOON, NOON - YEAR, NOON + 60, NOON + 120) == [2]


def test_what_stays_off_is_told_once_and_its_end_too():
    assert told(NOON, NOON + YEAR, NOON + YEAR + 60, NOON + 60) == [2, 4]


def test_another_jump_is_told_anew():
    assert told(NOON, NOON + YEAR, NOON + 2 * YEAR) == [2, 3]


def test_broadcasts_are_compared_with_themselves_alone():
    detector = JumpDetector()
    assert told(NOON, detector=detector) == []
    assert told(NOON + YEAR, key="fliggy:2", detector=detector) == []


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5 * DAY)), max_size=60))
def test_its_memory_is_bounded_and_costs_nothing_where_there_are_few(events):
    small, large = JumpDetector(3), JumpDetector()
    for number, (broadcast, at) in enumerate(events):
        few = small.look(number, f"a:{broadcast}", at)
        all_ = large.look(number, f"a:{broadcast}", at)
        assert len(small._last) <= 3
        if len({each for each, _ in events[: number + 1]}) <= 3:
            assert few == all_


@pytest.mark.parametrize("kept", [1, 2])
def test_the_one_unheard_of_for_longest_is_forgotten(kept):
    detector = JumpDetector(kept)
    detector.look(1, "a:1", NOON)
    detector.look(2, "a:2", NOON)
    detector.look(3, "a:1", NOON)
    detector.look(4, "a:3", NOON)  # a:2 has to go, or all others
    assert (detector.look(5, "a:1", NOON + YEAR) is not None) == (kept == 2)
