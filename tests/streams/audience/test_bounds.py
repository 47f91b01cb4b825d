"""What is kept of a run has a bound, however long it goes on."""

import pytest

from streams.audience.codec import decode, encode
from streams.audience.minute import MINUTE
from streams.audience.row import Row
from streams.audience.rules import Rules
from streams.audience.runs import Tombstone, begins_run, gap_end
from streams.viewer_event import ViewerEvent

START = 29_500_000
MONTH, YEAR = 30 * 24 * 60, 365 * 24 * 60
RULES = Rules(lateness=15, carry=2)
WIDEST = Rules(lateness=15, carry=60, tolerance=120, restart_gap=720)


def event(minute, viewers=None, kind="sample", revision=0, **more):
    told = ViewerEvent(
        platform="twitch",
        broadcast="b",
        venue="louvre",
        programme="night",
        at="",
        viewers=viewers,
        kind=kind,
        revision=revision,
        joins=3,
        views=10**9 + minute,
        **more,
    )
    return told, (START + minute) * MINUTE + 30_000_000, (START + minute) * 60_000


def take(row, events, each=60):
    """Take events in, and the largest size on the way."""
    largest = 0
    for begin in range(0, len(events), each):
        result = row.accept_all(events[begin : begin + each])
        assert not result.late
        assert result.accepted == len(events[begin : begin + each])
        row.fold_sealed()
        value = encode(row)
        largest = max(largest, len(value))
        row = decode(value)
    return row, largest


def begun(rules, minutes=90):
    row, _ = Row.begin([event(0, 10**6, "started", title="a title")], rules)
    # Falling: each minute may yet be the peak of a window.
    return take(row, [event(minute, 10**6 - minute) for minute in range(1, minutes)])


@pytest.mark.parametrize("rules", [RULES, WIDEST])
def test_a_month_of_zeros_after_an_end(rules):
    row, hour = begun(rules)
    waiting = rules.tolerance - 1  # all that may still be watched after an end, and is
    told = [event(90, 0, "ended")]
    told += [event(91 + minute, 10**6 - minute) for minute in range(waiting)]
    row, soon = take(row, told)
    row, largest = take(row, [event(91 + waiting + n, 0) for n in range(MONTH)])
    print(f"{rules}: {hour} B an hour, {soon} B after an end, {largest} B in a month of zeros")
    assert row.ended_at is not None
    assert row.past_end is not None
    assert len(row.past_end.held) <= rules.tolerance + rules.carry + 1
    # A minute that is held takes at most 5 bytes for itself, 5 for its audience, 2 for the rest;
    # one of the last hour that may be the peak of a window takes 10.
    assert largest <= hour + 12 * (rules.tolerance + rules.carry + 1) + 60 * 10 + 120


def test_a_year_long_show():
    row, hour = begun(RULES)
    row, largest = take(row, [event(n, 10**6 - n % 100) for n in range(90, YEAR)], each=600)
    print(f"{hour} B an hour, {largest} B in a year")
    assert largest <= hour + 40  # the sums have more digits
    assert row.events == YEAR


def test_an_id_used_again_daily():
    rules = Rules(lateness=15, carry=2)
    row, sizes = None, []
    for day in range(60):
        events = [event(day * 1440, 5, "started")]
        events += [event(day * 1440 + minute, 5) for minute in range(1, 120)]
        events += [event(day * 1440 + 120, 0, "ended")]
        assert begins_run(row, *events[0][:2], rules)
        minute = events[0][1] // MINUTE
        row, _ = Row.begin(events, rules, minute if day else None, gap_end(row, rules))
        row.fold_sealed()
        sizes.append(len(encode(row)))
    print(f"{sizes[0]} B on the first day, {sizes[-1]} B on the last")
    assert max(sizes) <= sizes[0] + 20
    assert len(encode(Tombstone(row.last_minute, 10**13))) < 24
