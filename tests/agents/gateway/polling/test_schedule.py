"""Each broadcast in each minute where the budget suffices, fair where not, never over it."""

import math
from collections import Counter, defaultdict
from zoneinfo import ZoneInfo

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from agents.gateway.polling.budget import DayBudget, MinuteBudget
from agents.gateway.polling.schedule import LATEST, TOGETHER, Schedule, Target

PACIFIC = ZoneInfo("America/Los_Angeles")
START = 1_795_780_800.0  # a full minute, 2026-11-27T12:00Z: four in the morning there
BATCH = 50
#: A failing evening is shown as it is: to make it smaller takes minutes.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


def names(count):
    return [f"video-{number}" for number in range(count)]


def evening(schedule, targets_at, minutes, *, step=0.5, fails=lambda call: False):
    """Run minutes of it; the calls that were made, as (time, ids, together)."""
    made = []
    for tick in range(int(minutes * 60 / step)):
        now = START + tick * step
        schedule.follow(targets_at(now), now)
        for call in schedule.due(now):
            made.append((now, list(call.ids), call.together))
            if fails(call):
                schedule.failed(call, now, 3)
            else:
                schedule.answered(call.ids)
    return made


def by_minute(made):
    """In which minutes each id was asked for."""
    found = defaultdict(Counter)
    for at, ids, _ in made:
        for each in ids:
            found[each][int((at - START) // 60)] += 1
    return found


def day(units):
    budget = DayBudget(units, PACIFIC)
    budget.set_share(1, START)
    return budget


@settings(max_examples=25, deadline=None, phases=PHASES)
@given(st.integers(1, 320), st.integers(0, 120), st.text(max_size=5))
def test_each_broadcast_in_each_minute_where_the_budget_suffices(count, legs, seed):
    calls = math.ceil(count / BATCH)
    # So many units a day that a minute and its last five seconds bring them.
    schedule = Schedule(day(math.ceil(calls * 60 / LATEST * 1440) + 10), BATCH, seed)
    targets = [Target(each, together=n < legs) for n, each in enumerate(names(count))]
    made = evening(schedule, lambda now: targets, 6)
    for times in by_minute(made).values():
        # Once in each; the first minute begins with nothing saved.
        assert all(times[minute] == 1 for minute in range(1, 6))
    assert all((at - START) % 60 < LATEST for at, _, _ in made)
    assert all(len(ids) <= BATCH for _, ids, _ in made)


@settings(max_examples=20, deadline=None, phases=PHASES)
@given(st.integers(1, 200), st.integers(1, 120), st.text(max_size=5))
def test_legs_have_their_second_however_many_others_there_are(count, legs, seed):
    schedule = Schedule(day(20_000), BATCH, seed)
    targets = [Target(each, together=n < legs) for n, each in enumerate(names(count))]
    made = evening(schedule, lambda now: targets, 4)
    seconds = {(at - START) % 60 for at, _, together in made if together and at >= START + 60}
    assert seconds == {TOGETHER}


@settings(max_examples=15, deadline=None, phases=PHASES)
@given(st.integers(200, 900), st.integers(0, 60), st.integers(2_000, 8_000))
def test_it_is_fair_where_the_budget_does_not_suffice(count, legs, units):
    schedule = Schedule(day(units), BATCH)
    targets = [Target(each, together=n < legs) for n, each in enumerate(names(count))]
    minutes = 40
    made = evening(schedule, lambda now: targets, minutes, step=1)
    assert len(made) <= units / 86_400 * minutes * 60 + 1e-6
    counts = {each: sum(times.values()) for each, times in by_minute(made).items()}
    assert len(counts) == count  # nobody starves
    wanted = math.ceil(count / BATCH)
    if schedule.allowed < schedule.wanted:
        # Whoever has waited longest is next: nobody waits for longer than a round of all, give or
        # take the order of the calls within a minute.
        rest = [counts[target.id] for target in targets if not target.together]
        last = {}
        for number, (_, ids, _) in enumerate(made):
            for each in ids:
                assert number - last.get(each, number) <= wanted + schedule.allowed + 2
                last[each] = number
        assert min(rest) >= 0.75 * max(rest) - 2
        assert schedule.interval > 1
        assert schedule.minutes.missed > 0
    # Nothing worth a call is left lying.
    assert len(made) >= min(wanted * (minutes - 1), units / 86_400 * (minutes - 1) * 60 - 4)


@settings(max_examples=15, deadline=None, phases=PHASES)
@given(
    st.lists(st.tuples(st.integers(0, 299), st.integers(1, 400)), min_size=1, max_size=80),
    st.integers(500, 10_000),
    st.integers(0, 10),
)
def test_never_over_the_budget_whatever_comes_and_fails(spans, units, failing):
    """Broadcasts begin and end at any time, and calls fail: each try is paid for."""
    schedule = Schedule(day(units), 5)
    spans = [(f"v{n}", begin, begin + length) for n, (begin, length) in enumerate(spans)]

    def live(now):
        return [Target(name) for name, begin, end in spans if begin <= now - START < end]

    made = evening(schedule, live, 12, step=1, fails=lambda call: len(call.ids) < failing)
    for number, (at, _, _) in enumerate(made):
        assert number + 1 <= units / 86_400 * (at - START) + 1e-6


def test_a_new_broadcast_is_asked_for_at_once():
    budget = MinuteBudget(800)
    budget.set_share(1, START)
    schedule = Schedule(budget, 100)
    made = evening(
        schedule,
        lambda now: [Target("old"), *([Target("new")] if now >= START + 130 else [])],
        4,
    )
    first = next(at for at, ids, _ in made if "new" in ids)
    assert START + 130 <= first <= START + 133
    assert by_minute(made)["new"] == {2: 1, 3: 1}


def test_what_waits_for_its_start_costs_little_and_fills_what_is_paid_for():
    schedule = Schedule(day(10_000), BATCH)
    waiting = [Target(f"w{n}", live=False, every=10) for n in range(100)]
    made = evening(schedule, lambda now: waiting, 21, step=1)
    assert len(made) == 6  # two calls each ten minutes
    schedule = Schedule(day(10_000), BATCH)
    made = evening(schedule, lambda now: [Target("live"), *waiting], 21, step=1)
    # Beside a live one they come along: only the first minute takes calls of their own.
    assert len(made) <= 21 + 3


def test_a_call_that_fails_is_made_again_within_its_minute():
    schedule = Schedule(day(10_000), BATCH)
    seen = []
    made = evening(
        schedule,
        lambda now: [Target("one")],
        5,
        fails=lambda call: seen.append(call.tries) or len(seen) % 2 == 1,
    )
    assert [each for each in seen if each] == [1] * (len(made) // 2)
    assert schedule.minutes.missed == 0
    assert schedule.minutes.sampled >= 3


def test_a_platform_that_is_down_is_not_hammered():
    schedule = Schedule(day(10_000), BATCH)
    made = evening(schedule, lambda now: [Target("one")], 10, fails=lambda call: True)
    assert len(made) <= 4 * 10
    assert schedule.minutes.sampled == 0
    assert schedule.minutes.missed == 8


def test_minutes_in_which_the_process_slept_are_missed():
    schedule = Schedule(day(10_000), BATCH)
    schedule.follow([Target("one")], START)
    for second in range(120):
        for call in schedule.due(START + second):
            schedule.answered(call.ids)
    schedule.due(START + 60 * 5)
    assert (schedule.minutes.sampled, schedule.minutes.missed) == (1, 3)


def test_legs_are_asked_for_in_one_second_in_all_polls():
    budget = MinuteBudget(800)
    budget.set_share(1, START)
    youtube, twitch = Schedule(day(10_000), BATCH, "a"), Schedule(budget, 100, "b")
    found = []
    for schedule, prefix in ((youtube, "y"), (twitch, "t")):
        targets = [Target(f"{prefix}{n}", together=n == 77) for n in range(120)]
        made = evening(schedule, lambda now, targets=targets: targets, 5)
        found.append([at for at, ids, _ in made if f"{prefix}77" in ids and at >= START + 60])
    assert found[0] == found[1] == [START + 60 * n + TOGETHER for n in range(1, 5)]
