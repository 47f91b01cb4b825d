"""Every figure of every log, batched in every way, is what brute force makes of it."""

import json

import msgspec
from hypothesis import event as saw
from hypothesis import given
from hypothesis import strategies as st
from logs import logs, rules, tried
from twin import Twin, scope, scope_summary

from streams.audience import Difference, Row, decode, encode, figures, standing, summary
from streams.audience.difference import by_minute
from streams.audience.scope import Change
from streams.summaries import decode_scope_summary
from streams.summaries import encode as encode_summary


def take(row, told, rules, before=None):
    """Accept what is told, into a new row where there is none; say what was accepted."""
    if row is None:
        row = Row.new(*told[0], rules)
        late = [1 + place for place in row.accept_all(told[1:])]
    else:
        late = row.accept_all(told, before)
    return row, [place not in late for place in range(len(told))]


def check(row, twin):
    assert msgspec.structs.asdict(figures(row)) == twin.figures()
    assert row.viewers == twin.figures()["viewers"]
    assert row.ended_at == twin.ended_at()
    assert row.started_at == twin.started_at()
    assert row.title == twin.title()
    assert row.timestamp == twin.timestamp()
    for cell in row.cells.values():
        assert (cell.at is None) == (cell.audience is None)
        assert cell.higher is None or cell.higher > cell.audience
    published = encode_summary(summary("fliggy", "b1", row, "live"))
    assert json.loads(published) == twin.summary("fliggy", "b1", "live")
    assert (row.venue, row.programme) == (twin.first().venue, twin.first().programme)


@tried(250)
@given(logs, rules, st.booleans())
def test_a_row_has_the_figures_of_its_events(log, rules, restarts):
    twin, row = Twin(rules.lateness, rules.carry), None
    was_suppressed = was_released = False
    for told in log:
        row, accepted = take(row, told, rules)
        assert accepted == [twin.accept(*record) for record in told]
        before = encode(row)
        check(row, twin)
        assert encode(row) == before, "figures changed the row"
        was_released |= was_suppressed and row.released
        row.settle()
        was_suppressed |= bool(row.suppressed)
        check(row, twin)
        assert all(minute > row.newest - row.lateness for minute in row.cells)
        settled = encode(row)
        row.settle()
        assert encode(row) == settled, "settling twice is not settling once"
        if restarts:
            row = decode(settled)
            assert encode(row) == settled
            check(row, twin)
        assert len(row.suppressed) <= 2 * rules.carry
    saw(f"minutes suppressed: {was_suppressed}, and released: {was_released}")


def known(audiences):
    return {minute: audience for minute, audience in audiences.items() if audience}


def check_scope(total, twins):
    told = scope(twins)
    assert total.newest == told["minute"]
    for figure in ("viewer_minutes", "joins", "views", "peak_sum", "broadcasts", "live"):
        assert getattr(total, figure) == told[figure], figure
    audiences = {}
    for twin in twins:
        for minute, audience in twin.audiences().items():
            audiences[minute] = audiences.get(minute, 0) + audience
    minutes, counts = by_minute(total.audience), by_minute(total.known)
    assert minutes == known(audiences)
    assert all(count > 0 for count in counts.values())
    # What a scope would tell: its audience where one is known, else null.
    heard = {minute: minutes.get(minute, 0) for minute in counts if minute <= total.newest}
    peak = max(heard.values(), default=None)
    assert heard.get(total.newest) == told["audience"]
    assert peak == told["peak"]
    assert min((m for m in heard if heard[m] == peak), default=None) == told["peak_minute"]
    published = scope_summary("world", "", twins)
    assert decode_scope_summary(json.dumps(published).encode()).peak == peak


def change_of(before, row):
    change = Difference()
    change.take(before, row)
    return Change.of(change)


@tried(120)
@given(
    st.lists(st.tuples(logs, rules), min_size=1, max_size=3),
    st.randoms(use_true_random=False),
    st.booleans(),
)
def test_a_scope_is_the_sum_of_all_differences(broadcasts, random, restarts):
    total = Difference()
    twins = [Twin(rules.lateness, rules.carry) for _, rules in broadcasts]
    rows = [None] * len(broadcasts)
    todo = [index for index, (log, _) in enumerate(broadcasts) for _ in log]
    random.shuffle(todo)
    position = [0] * len(broadcasts)
    for index in todo:
        log, rules = broadcasts[index]
        told = log[position[index]]
        position[index] += 1
        before = standing(rows[index])
        row, accepted = take(rows[index], told, rules, before)
        for record in told:
            twins[index].accept(*record)
        change = Difference()
        change.take(before, row)
        if not any(accepted):
            assert Change.of(change) is None
        total.add(change)
        row.settle()
        assert change_of(standing(row), row) is None, "settling changed a scope"
        rows[index] = decode(encode(row)) if restarts else row
        check_scope(total, [twin for twin in twins if twin.accepted])
    for twin, row in zip(twins, rows, strict=True):
        total.retire(row)
        twin.final = True
        check_scope(total, twins)
    assert total.live == 0


@tried(120)
@given(st.data(), logs, rules)
def test_neither_order_nor_repetition_within_the_lateness_matters(data, log, rules):
    told = [record for batch in log for record in batch]
    first, second = (arrivals(data, told, rules.lateness) for _ in range(2))
    second = [record for record in second for _ in range(data.draw(st.integers(1, 2)))]
    results = []
    for arrived in (first, second):
        row, accepted = None, []
        while len(accepted) < len(arrived):
            size = data.draw(st.integers(1, len(arrived)))
            row, taken = take(row, arrived[len(accepted) : len(accepted) + size], rules)
            row.settle()
            accepted += taken
        assert all(accepted)
        told = msgspec.structs.asdict(figures(row))
        del told["events"]
        results.append((told, row.title, row.timestamp, row.suppressed, row.suppressed_zeros))
    assert results[0] == results[1]


def arrivals(data, told, lateness):
    """The records as they may arrive, each delayed by less than the lateness allows."""
    delays = data.draw(
        st.lists(
            st.integers(0, (lateness - 1) * 60_000_000),
            min_size=len(told),
            max_size=len(told),
        )
    )
    return [
        record
        for _, _, record in sorted(
            (record[1] + delay, number, record)
            for number, (record, delay) in enumerate(zip(told, delays, strict=True))
        )
    ]
