"""What must hold of the twin by the contract, whatever the log: it is the measure of the code."""

from collections import defaultdict
from dataclasses import replace

from contract import logs
from contract.logs import (
    DAY_MS,
    NO_STRAGGLERS,
    ONE_RUN,
    as_told,
    drive,
    driven,
    environments,
    settle,
    shows,
    tried,
    within_lateness,
)
from contract.summaries import COUNTS, NOT_PUBLISHED
from contract.twin import Twin
from hypothesis import event as saw
from hypothesis import given
from hypothesis import strategies as st

from streams.rfc3339 import microseconds


def but(summary, *names):
    return {name: value for name, value in summary.items() if name not in names}


def all_summaries(twin, *names):
    return {key: but(twin.summary(key), *names) for key in twin.run_keys()}


def all_scopes(twin, *names):
    return {name: but(twin.scope(name), *names) for name in twin.scopes()}


@tried(30)
@given(st.data())
def test_figures_within_their_bounds(data):
    environment = data.draw(environments())
    twin = drive(Twin(environment), data.draw(driven(data.draw(logs.logs(environment)))))
    for key in twin.run_keys():
        told = twin.summary(key)
        known = [name for name in told if told[name] is not None]
        saw(f"known: {'waiting_peak' in known}, {'peak_held' in known}, {'run' in known}")
        saw(f"{told['status']}, an end: {told['ended_at'] is not None}")
        assert 0 <= told["minutes_observed"] + told["minutes_carried"] <= told["minutes_live"]
        assert 0 <= told["coverage"] <= 1
        assert told["events"] >= 1
        if told["peak"] is None:
            assert told["minutes_observed"] == told["minutes_carried"] == 0
            assert told["viewers"] is told["average"] is told["peak_held"] is None
        else:
            assert (told["peak_held"] or 0) <= told["peak"]
            assert (told["peak_5m"] or 0) <= (told["peak_1h"] or 0) <= told["peak"]
            assert max(told["viewers"], told["average"], told["first_minute"] or 0) <= told["peak"]
            assert told["started_at"][:16] <= told["peak_at"][:16]
        assert told["peak_held"] != 0
        if told["first_audience"] is not None:
            assert told["started_at"][:16] <= told["first_audience_at"][:16]
        if told["ended_at"] is not None:
            assert microseconds(told["started_at"]) <= microseconds(told["ended_at"])


@tried(30)
@given(st.data())
def test_figures_sum_up_into_scopes(data):
    """From what is published alone, so that nothing else could tell another sum."""
    environment = data.draw(environments())
    twin = settle(drive(Twin(environment), data.draw(driven(data.draw(logs.logs(environment))))))
    sums = defaultdict(lambda: defaultdict(int))
    for told in twin.last_published().values():
        views = told["joins"] if told["views"] is None else told["views"]
        names = ["world", f"platform:{told['platform']}", f"venue:{told['venue']}"]
        names += [f"programme:{told['programme']}"] if told["programme"] else []
        for name in names:
            sums[name]["viewer_minutes"] += told["viewer_minutes"]
            sums[name]["joins"] += told["joins"]
            sums[name]["views"] += views
            sums[name]["peak_sum"] += told["peak"] or 0
            sums[name]["broadcasts"] += 1
    figures = ("viewer_minutes", "joins", "views", "peak_sum", "broadcasts")
    for name in twin.scopes():
        scope = twin.scope(name)
        assert {figure: scope[figure] for figure in figures} == {
            figure: sums[name][figure] for figure in figures
        }
        assert scope["live"] == 0
        assert scope["viewers"] is None
        assert (scope["peak"] is None) == (scope["peak_at"] is None)
        if name not in sums:
            assert scope["peak"] is None
    saw(f"runs: {min(3, len(twin.run_keys()))}, left: {set(sums) != set(twin.scopes())}")


@tried(30)
@given(st.data())
def test_the_order_within_the_lateness_does_not_matter(data):
    show = data.draw(shows(names=NO_STRAGGLERS, always_named=True))
    show.sort(key=lambda shown: shown.at)
    twins = [drive(Twin(ONE_RUN), data.draw(within_lateness(ONE_RUN, show))) for _ in range(2)]
    assert [dict(twin.refused) for twin in twins] == [{}, {}]
    assert all_summaries(twins[0]) == all_summaries(twins[1])
    # `minute` is judged after each record, `viewers` by the clock.
    first, second = (all_scopes(twin, "minute", "viewers") for twin in twins)
    assert first == second
    assert len(first) == 4


@tried(30)
@given(st.data())
def test_what_comes_twice_changes_events_alone(data):
    show = data.draw(shows(names=NO_STRAGGLERS))
    show.sort(key=lambda shown: shown.at)
    records, with_more = data.draw(logs.once_and_twice(ONE_RUN, show))
    once, twice = drive(Twin(ONE_RUN), records), drive(Twin(ONE_RUN), with_more)
    assert all_summaries(once, "events") == all_summaries(twice, "events")
    assert all_scopes(once, "viewers") == all_scopes(twice, "viewers")
    [before], [after] = all_summaries(once).values(), all_summaries(twice).values()
    assert after["events"] == before["events"] + len(with_more) - len(records)


@tried(30)
@given(st.data())
def test_what_comes_twice_at_once_changes_counts_alone(data):
    """With runs, stragglers and all: a record that follows itself says nothing new."""
    environment = data.draw(environments())
    records = data.draw(logs.logs(environment))
    once = drive(Twin(environment), records)
    twice = drive(Twin(environment), [record for record in records for _ in range(2)])
    assert all_summaries(once, *COUNTS) == all_summaries(twice, *COUNTS)
    assert all_scopes(once) == all_scopes(twice)
    assert {reason: 2 * count for reason, count in once.refused.items()} == twice.refused


@tried(30)
@given(st.data())
def test_a_replay_gives_the_same_however_it_is_batched(data):
    """The clock decides when something is final, never a figure, while rows last."""
    environment = data.draw(st.sampled_from([logs.LASTING, logs.ONE_RUN]))
    shown = data.draw(shows(names=[name for name in logs.SCENES if name != "next day"]))
    records = data.draw(within_lateness(environment, shown))
    end = records[-1].read_at
    as_it_came = drive(Twin(environment), data.draw(driven(records)))
    at_once = drive(Twin(environment), [replace(record, read_at=end) for record in records])
    before, after = (all_summaries(twin, "status") for twin in (as_it_came, at_once))
    assert before == after
    assert as_it_came.refused == at_once.refused
    for twin in (as_it_came, at_once):
        settle(twin)
    assert as_it_came.last_published() == at_once.last_published()
    assert all_scopes(as_it_came) == all_scopes(at_once)
    saw(f"runs: {min(3, len(before))}, published: {min(4, len(as_it_came.published))}")


@tried(30)
@given(st.data())
def test_what_is_published_is_how_it_stands(data):
    environment = data.draw(environments())
    twin = Twin(environment)
    for action in data.draw(driven(data.draw(logs.logs(environment)))):
        drive(twin, [action])
        published = twin.last_published()
        for key in twin.run_keys():
            told = but(twin.summary(key), *NOT_PUBLISHED, *COUNTS)
            if told["status"] == "live" and key in published:
                assert published[key]["status"] == "live"
            elif told["status"] != "live":
                assert but(published[key], *COUNTS) == told
    settle(twin)
    assert twin.last_published() == {
        key: but(told, *NOT_PUBLISHED) for key, told in all_summaries(twin).items()
    }


@tried(30)
@given(st.data())
def test_now_is_the_sum_of_what_is_live_and_fresh(data):
    environment = data.draw(environments())
    twin = drive(Twin(environment), data.draw(driven(data.draw(logs.logs(environment)))))
    for name in twin.scopes():
        counting = [
            told["viewers"]
            for key in twin.run_keys()
            if twin.counts_now(key)
            for told in [twin.summary(key)]
            if name in ("world", f"platform:{told['platform']}", f"venue:{told['venue']}")
            or name == f"programme:{told['programme']}"
        ]
        assert twin.scope(name)["viewers"] == (sum(counting) if counting else None)
    now = twin.now
    twin.advance(now)
    before = twin.scope("world")["viewers"] if twin.scopes() else None
    twin.advance(now + DAY_MS, behind=(0,))
    assert not twin.scopes() or twin.scope("world")["viewers"] == before
    twin.advance(now + DAY_MS)
    assert not twin.scopes() or twin.scope("world")["viewers"] is None


@tried(30)
@given(st.data())
def test_zeros_after_an_end_change_nothing(data):
    show = data.draw(shows(names=NO_STRAGGLERS, always_named=True))
    last = max(shown.at for shown in show)
    base = {name: show[0].fields[name] for name in ("platform", "broadcast", "venue", "programme")}
    show.append(logs.Shown(last + 1, base | {"kind": "ended"}))
    zeros = [
        logs.Shown(last + 1 + number * logs.MINUTE, base | {"viewers": 0})
        for number in range(1, data.draw(st.integers(2, 40)))
    ]
    alone, with_zeros = Twin(ONE_RUN), Twin(ONE_RUN)
    drive(alone, as_told(show))
    drive(with_zeros, as_told([*show, *zeros]))
    names = ("events", "peak_5m", "peak_1h")
    assert all_summaries(alone, *names) == all_summaries(with_zeros, *names)
    assert all_scopes(alone, "viewers") == all_scopes(with_zeros, "viewers")
    assert len(alone.published) == len(with_zeros.published)


@tried(30)
@given(st.data())
def test_an_end_that_is_taken_back_never_was(data):
    show = data.draw(shows(names=NO_STRAGGLERS, always_named=True))
    base = {name: show[0].fields[name] for name in ("platform", "broadcast", "venue", "programme")}
    first = min(shown.at for shown in show)
    last = max(shown.at for shown in show)
    show.append(logs.Shown(first - 1, base | {"viewers": 3}))
    show.append(logs.Shown(last + 1, base | {"kind": "started"}))
    silent = {"platform", "broadcast", "venue", "programme", "kind"}
    kept = [
        shown
        for shown in show
        if not (shown.fields.get("kind") == "ended" and set(shown.fields) <= silent)
    ]
    with_ends, without = drive(Twin(ONE_RUN), as_told(show)), drive(Twin(ONE_RUN), as_told(kept))
    assert all_summaries(with_ends, "events") == all_summaries(without, "events")
    # `minute` was ever the last of a span; without the ends, spans were longer before.
    assert all_scopes(with_ends, "minute") == all_scopes(without, "minute")
    saw(f"ends taken back: {len(show) - len(kept)}")
