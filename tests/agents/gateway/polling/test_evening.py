"""Short evenings of `tests/bench/gateway_evening.py`: quotas hold, minutes are sampled."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[3] / "bench"))

from gateway_evening import evening


async def test_each_minute_is_sampled_and_nothing_is_refused():
    found = await evening(hours=0.4, youtube=60, twitch=400)
    for platform in ("youtube", "twitch"):
        assert found[platform]["refused"] == []
        assert found[platform]["minutes_sampled"] >= 0.99
    assert found["twitch"]["most_points_of_a_minute"] <= 20


async def test_two_gateways_together_stay_within_the_quotas():
    found = await evening(hours=0.4, youtube=60, twitch=400, gateways=2)
    for platform in ("youtube", "twitch"):
        assert found[platform]["refused"] == []
        assert found[platform]["minutes_sampled"] >= 0.98


async def test_a_budget_that_is_too_small_is_shared_and_never_passed(logged):
    found = await evening(hours=0.5, youtube=300, twitch=0, units=2_880, always=1.0)
    # Two units a minute, less the reserve, for six calls.
    assert found["youtube"]["refused"] == []
    assert 0.25 <= found["youtube"]["minutes_sampled"] <= 0.34
    assert found["youtube"]["most_units_of_a_day"] <= 2_880 * 0.95 / 48
    told = [each for each in logged if "does not allow a sample" in each["event"]]
    assert {each["calls_wanted"] for each in told} == {6}
    assert 1 <= len(told) <= 3


async def test_what_a_quiet_morning_has_saved_is_there_in_the_evening():
    saved = await evening(hours=0.4, youtube=300, twitch=0, units=2_880, always=1.0, idle=2)
    # (Their first minute ends before the first look.)
    assert saved["youtube"]["minutes_sampled"] >= 0.95
    assert saved["youtube"]["refused"] == []
