"""Rules that make no sense are refused, so that what a row keeps has a bound."""

import pytest

from streams.audience.rules import MAX_CARRY, MAX_TOLERANCE, Rules


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"lateness": 0}, "lateness is 0 min, must be at least 1"),
        ({"carry": -1}, "carry is -1 min, must be at least 0"),
        ({"carry": MAX_CARRY + 1}, "carry is 61 min, must be at most 60"),
        ({"tolerance": -1}, "tolerance is -1 min, must be at least 0"),
        ({"tolerance": MAX_TOLERANCE + 1}, "tolerance is 121 min, must be at most 120"),
        ({"tolerance": 61}, "must not decrease"),
        ({"restart_gap": 721}, "must not decrease"),
    ],
)
def test_rules_without_sense_are_refused(rules, message):
    with pytest.raises(ValueError, match=message):
        Rules(**({"lateness": 15, "carry": 2} | rules))


def test_the_widest_rules_are_taken():
    rules = Rules(1, MAX_CARRY, MAX_TOLERANCE, MAX_TOLERANCE, MAX_TOLERANCE)
    assert rules.tolerance == rules.run_gap == 120
