"""The short way to a difference comes to what the long one does."""

import pytest
from hypothesis import event as saw
from hypothesis import given
from logs import START, at, event, logs, rules, tried

from streams.audience import Row, Rules, difference, standing
from streams.audience import step as module
from streams.audience.step import step

RULES = Rules(lateness=15, carry=2)


@tried(400)
@given(logs, rules)
def test_a_step_is_the_difference(log, rules):
    row = None
    for told in log:
        before, again = standing(row), standing(row)
        for what, when, timestamp in told:
            if row is None:
                row = Row.new(what, when, timestamp, rules)
            else:
                row.accept(what, when, timestamp)
        expected = difference(before, row)
        assert step(again, row) == expected
        saw(f"empty {expected.is_empty}")
        row.settle()


def begun(*told):
    row = None
    for minute, what in told:
        if row is None:
            row = Row.new(what, at(minute), 0, RULES)
        else:
            row.accept(what, at(minute), 0)
    row.settle()
    return row


@pytest.mark.parametrize(
    ("row", "minute", "what"),
    [
        (begun((0, event(viewers=5))), 1, event(viewers=7)),
        (begun((0, event(viewers=5))), 0, event(viewers=7)),
        (begun((0, event(viewers=5))), 3, event(viewers=7)),
        (begun((0, event(viewers=5))), 2, event(joins=4)),
        (begun((0, event())), 1, event(viewers=0)),
        (begun((0, event(joins=5)), (1, event(viewers=2))), 2, event(views=100)),
        (begun((0, event(viewers=9, views=5))), 1, event(viewers=7, views=6)),
        (begun((0, event(viewers=9))), 0, event(viewers=9)),
    ],
)
def test_the_usual_takes_the_short_way(row, minute, what, monkeypatch):
    before, again = standing(row), standing(row)
    row.accept(what, at(minute, 30), 0)
    expected = difference(before, row)
    monkeypatch.setattr(module, "difference", None)
    assert step(again, row) == expected
    assert START in again.cells


def test_so_does_a_new_broadcast(monkeypatch):
    row = Row.new(event(viewers=5, joins=2), at(0), 0, RULES)
    expected = difference(standing(None), row)
    monkeypatch.setattr(module, "difference", None)
    assert step(standing(None), row) == expected
