"""Rows against the brute-force run, in any batching, with the codec between batches."""

from contract2 import logs
from contract2.reading import read
from contract2.rules import Settings
from contract2.run import Run
from hypothesis import given
from hypothesis import strategies as st

from streams.audience.row import Row
from streams.audience.row_codec import decode_row, encode_row
from streams.audience.row_figures import compute_figures
from streams.audience.rules import Rules
from streams.audience.runs import begins_run
from streams.refusals import Refused

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
        except Refused:
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
            row = decode_row(encode_row(row))
            compare(row, run)
