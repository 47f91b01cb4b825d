"""Rows against the brute-force run, in any batching, with the codec between batches."""

from contract import logs
from contract.reading import read
from contract.rules import Settings
from contract.run import Run
from hypothesis import assume, given
from hypothesis import strategies as st

from streams.audience.codec import decode, encode
from streams.audience.delta import Delta, add_to_groups
from streams.audience.figures import compute_figures
from streams.audience.row import Row
from streams.audience.rules import Rules
from streams.audience.runs import begins_run
from streams.audience.scope_delta import ScopeDelta
from streams.audience.snapshot import NO_ROW, snapshot
from streams.rejections import Rejected

NAMES = {"first_audience_at": "first_audience_minute", "peak_at": "peak_minute"}


def rules_of(settings, platform):
    rules = settings.rules(platform)
    return rules, Rules(
        rules.lateness, rules.carry, rules.tolerance, rules.restart_gap, rules.run_gap
    )


def compare(row, run):
    figures = compute_figures(row)
    for name, value in run.figures().items():
        mine = getattr(figures, NAMES.get(name, name))
        if name == "venue":
            mine = mine or "unknown"
        assert mine == value, name
    assert row.gap_end == run.restart()
    assert row.sealed == run.sealed()
    assert row.last_minute == run.last()


def events_of(records):
    for record in records:
        try:
            event, at, _ = read(record.value)
        except Rejected:
            continue
        yield event, at, record.effective_timestamp


@logs.tried(300)
@given(st.data())
def test_a_row_has_the_figures_of_the_run(data):
    environment = data.draw(logs.environments())
    settings = Settings(environment)
    records = data.draw(logs.logs(environment, most=1))
    row = run = None
    relabelled = 0
    events = list(events_of(records))
    while events:
        size = data.draw(st.integers(1, 6))
        batch, events = events[:size], events[size:]
        while batch:
            first, at, _ = batch[0]
            twin_rules, rules = rules_of(settings, first.platform)
            if row is None:
                run = Run(twin_rules)
                row, result = Row.begin(batch, rules)
            elif begins_run(row, first, at, rules):
                sealed = row.gap_end
                run = Run(twin_rules, at // logs.MINUTE, sealed)
                row, result = Row.begin(batch, rules, at // logs.MINUTE, sealed)
                relabelled = 0
            else:
                result = row.accept_all(batch)
            late = []
            for place, (event, when, _) in enumerate(batch[: result.stopped]):
                begins = event.revision == 0 and (
                    event.kind == "started" or (event.viewers or 0) > 0
                )
                if run.is_late(when):
                    late.append(place)
                    run.late += 1
                else:
                    is_first = place == 0 and not run.told
                    assert is_first or not (begins and when // logs.MINUTE > run.restart())
                    run.accept(event, when)
            relabelled += result.relabelled
            assert late == result.late
            assert relabelled == run.relabelled
            compare(row, run)
            batch = batch[result.stopped :]
            row.fold_sealed()
            compare(row, run)
            row = decode(encode(row))
            compare(row, run)


def begun(events, sizes, rules):
    """A row of one run, batch by batch, and what became of each event."""
    row, before, deltas, late, busy, relabelled, publish = None, NO_ROW, {}, [], -1, 0, False
    place = 0
    for size in sizes:
        batch = events[place : place + size]
        if not batch:
            break
        if row is None:
            row, result = Row.begin(batch, rules)
        else:
            before = snapshot(row)
            result = row.accept_all(batch, before)
        add_to_groups(lambda *group: deltas.setdefault(group, Delta()), before, row, result)
        row.fold_sealed()
        row = decode(encode(row))
        late += [place + number for number in result.late]
        busy = busy if result.last_busy < 0 else place + result.last_busy
        relabelled += result.relabelled
        publish |= result.publish
        place += size
    for delta in deltas.values():
        delta.timestamp = 0  # a batch's newest, also in scopes that the row left within it
    changes = {group: ScopeDelta.from_delta(delta) for group, delta in deltas.items()}
    for change in changes.values():
        # Of zeros past an end that stood meanwhile only what may be the earliest is told.
        change.known = {min(change.known): 1} if change.known else {}
    return row, changes, (late, busy, relabelled, publish)


@logs.tried(200)
@given(st.data())
def test_batches_make_no_difference(data):
    """What is kept is a matter of the events alone: the very same row and deltas."""
    environment = data.draw(st.sampled_from([logs.ONE_RUN, logs.ONE_RUN | logs.CARRY_BY_PLATFORM]))
    records = data.draw(logs.logs(environment, most=1))
    events = list(events_of(records))
    assume(events)
    _, rules = rules_of(Settings(environment), events[0][0].platform)
    one = begun(events, [1] * len(events), rules)
    sizes = data.draw(st.lists(st.integers(1, 9), min_size=len(events), max_size=len(events)))
    assert begun(events, sizes, rules) == one
    assert begun(events, [len(events)], rules) == one


@logs.tried(200)
@given(st.data())
def test_order_within_lateness_and_repetition_make_no_difference(data):
    environment = logs.ONE_RUN
    show = data.draw(logs.shows(names=logs.NO_STRAGGLERS, always_named=True))
    once, twice = data.draw(logs.once_and_twice(environment, show))
    _, rules = rules_of(Settings(environment), show[0].fields["platform"])
    rows = []
    for records in (once, twice, logs.as_told(show)):
        events = list(events_of(records))
        row, changes, (late, *_) = begun(events, [3] * len(events), rules)
        assert not late
        (change,) = changes.values()
        figures = compute_figures(row)
        figures.events = 0
        rows.append((figures, {m: a for m, a in change.minutes.items() if a}, change.peak_sum))
    assert rows[0] == rows[1] == rows[2]
