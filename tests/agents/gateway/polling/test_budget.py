"""Whatever is tried, whenever, by however many gateways: never more than the platform allows."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.gateway.polling.backoff import Backoff
from agents.gateway.polling.budget import DayBudget, MinuteBudget

PACIFIC = ZoneInfo("America/Los_Angeles")
DAY = 86_400.0
MIDNIGHT = datetime(2026, 11, 27, tzinfo=PACIFIC).timestamp()

#: Steps of a life: so many seconds pass, then so many calls are tried; perhaps a restart between.
STEPS = st.lists(
    st.tuples(
        st.floats(0, 20_000), st.integers(0, 1_500), st.sampled_from(("", "", "", "restart"))
    ),
    max_size=25,
)


def spent_of(budget_of, steps, start):
    """When units were spent, by gateways that share the budget and start anew now and then."""
    shares = (0.5, 0.3, 0.2)
    gateways = [budget_of() for _ in shares]
    now, spent = start, []
    for each, share in zip(gateways, shares, strict=True):
        each.set_share(share, now)
    for number, (seconds, tries, what) in enumerate(steps):
        now += seconds
        own = number % len(gateways)
        if what:
            gateways[own] = budget_of()
            gateways[own].set_share(shares[own], now)
        for gateway in gateways:
            for _ in range(tries):
                if not gateway.take(1, now):
                    break
                spent.append(now)
    return spent


@settings(max_examples=40, deadline=None)
@given(STEPS, st.floats(0, DAY))
def test_no_day_costs_more_than_it_may(steps, begin):
    spent = spent_of(lambda: DayBudget(10_000, PACIFIC), steps, MIDNIGHT + begin)
    days = {}
    for at in spent:
        day = datetime.fromtimestamp(at, PACIFIC).date()
        days[day] = days.get(day, 0) + 1
        # And at no time is more spent than the day has brought.
        passed = at - DayBudget(1, PACIFIC).period(at)[0]
        assert days[day] <= 10_000 * passed / DAY + 1e-6
    assert all(count <= 10_000 for count in days.values())


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_no_sixty_seconds_cost_more_than_they_may(steps):
    steps = [(seconds / 300, tries, what) for seconds, tries, what in steps]
    spent = spent_of(lambda: MinuteBudget(800), steps, 1_000.0)
    first = 0
    for number, at in enumerate(spent):
        while spent[first] <= at - 60:
            first += 1
        assert number - first + 1 <= 800


@settings(max_examples=40, deadline=None)
@given(STEPS, st.floats(0, DAY))
def test_whoever_goes_on_with_what_was_written_down_spends_no_more(steps, begin):
    now = MIDNIGHT + begin
    budget = DayBudget(10_000, PACIFIC)
    budget.set_share(1, now)
    noted, days = (0.0, 0.0), {}
    for seconds, tries, what in steps:
        now += seconds
        if what:
            budget = DayBudget(10_000, PACIFIC)
            budget.set_share(1, now)
            budget.resume(*noted, now) if noted[0] else None
        for _ in range(tries):
            if not budget.take(1, now):
                break
            noted = budget.period(now)[0], budget.spent(now)
            day = datetime.fromtimestamp(now, PACIFIC).date()
            days[day] = days.get(day, 0) + 1
            assert days[day] <= 10_000 * (now - noted[0]) / DAY + 1e-6
    assert all(count <= 10_000 for count in days.values())


def test_what_a_quiet_day_leaves_is_there_in_the_evening_and_gone_at_midnight():
    budget = DayBudget(9_600, PACIFIC)
    budget.set_share(1, MIDNIGHT)
    assert budget.left(MIDNIGHT + 12 * 3600) == pytest.approx(4_800)
    assert budget.lasts(1, MIDNIGHT + 12 * 3600) == pytest.approx(4_800 / (1 - 9_600 / DAY))
    assert budget.lasts(0.1, MIDNIGHT + 12 * 3600) == float("inf")
    assert budget.left(MIDNIGHT + DAY + 900) == pytest.approx(100)


@pytest.mark.parametrize(("date", "hours"), [((2026, 3, 8), 23), ((2026, 11, 1), 25)])
def test_a_day_of_23_or_25_hours_has_no_more_units(date, hours):
    start = datetime(*date, tzinfo=PACIFIC).timestamp()
    budget = DayBudget(10_000, PACIFIC)
    assert budget.period(start + 3600) == (start, start + hours * 3600)
    budget.set_share(1, start)
    assert budget.left(start + hours * 3600 - 1) == pytest.approx(10_000, abs=1)


def test_a_clock_that_is_set_back_brings_nothing_twice():
    budget = MinuteBudget(800)
    budget.set_share(1, 1_000)
    assert budget.left(1_001) == pytest.approx(12)
    assert budget.left(990) == pytest.approx(12)
    assert budget.left(1_001) == pytest.approx(12)
    assert budget.left(0) == 0


def test_the_platform_is_believed_when_less_is_left():
    budget = MinuteBudget(800)
    budget.set_share(1, 0)
    assert budget.left(60) == pytest.approx(80)
    budget.told(3, 60)
    assert budget.left(60) == pytest.approx(3)
    budget.told(700, 60)
    assert budget.left(60) == pytest.approx(3)


@given(st.text(), st.lists(st.none() | st.floats(-10, 10_000), min_size=1, max_size=30))
def test_pauses_double_are_bounded_and_never_shorter_than_asked(seed, asked):
    backoff = Backoff(seed)
    for number, each in enumerate(asked):
        pause = backoff.failed(each)
        least = min(300, 2 * 2**number) / 2
        assert least <= pause <= 3602
        if each is not None:
            assert pause >= min(each, 3600)
    backoff.worked()
    assert backoff.failed() <= 2


def test_the_days_of_the_budget_are_those_of_its_zone():
    at = datetime(2026, 11, 27, 7, 59, tzinfo=UTC).timestamp()
    begin, end = DayBudget(1, PACIFIC).period(at)
    assert datetime.fromtimestamp(end, UTC) == datetime(2026, 11, 27, 8, tzinfo=UTC)
    assert end - begin == DAY
