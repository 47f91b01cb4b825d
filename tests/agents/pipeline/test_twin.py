"""Both stages in memory against the brute-force twin of the contract, record by record."""

import asyncio

import pytest
from contract import logs
from contract.logs import Advance
from contract.summaries import COUNTS
from contract.twin import Twin
from driven_pipeline import Code, Exact
from hypothesis import given
from hypothesis import strategies as st
from log_blocks import all_minutes

from agents.pipeline.broadcasts import agent as module
from streams.audience import compute_figures, kept
from streams.audience.scope import scope_summary
from streams.summaries import minute_text

SHORT = ("viewers", "peak_5m", "peak_1h")


@pytest.fixture(autouse=True, scope="module")
def exact_timers():
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "Timers", Exact)
        # Sealed minutes of these short logs, too, are found by lists of blocks.
        for name, value in {"BLOCK_MINUTES": 3, "LARGEST_BLOCK": 5, "PLACES": 2}.items():
            patched.setattr(kept, name, value)
        yield


def same(mine, theirs, without=()):
    """Compare figures; numbers may be written with a fraction or without."""
    assert mine.keys() == theirs.keys()
    for name, value in theirs.items():
        if name in without:
            continue
        if isinstance(value, float):
            assert mine[name] == pytest.approx(value, rel=1e-12), name
        else:
            assert mine[name] == value, name


def compare(code, twin, *, timers):
    """Compare all; what goes stale by the clock alone only where timers have just run."""
    now = () if timers else ("viewers",)
    published, expected = code.last_published(), twin.last_published()
    assert published.keys() == expected.keys()
    for key, summary in expected.items():
        same(published[key], summary, COUNTS)
    heads = code.heads()
    for name in twin.scopes():
        same(as_dict(name, heads[name]), twin.scope(name), now)
        if timers and name != "world":
            assert heads[name].is_active == twin.exported(name), name
    for life in twin.runs:
        key = f"{life.platform}:{life.broadcast}"
        if twin._state.get(key.encode()) is not life:
            continue
        row, figures = code.row(key), life.figures()
        mine = compute_figures(row)
        for name in SHORT:
            assert getattr(mine, name) == figures[name], name
        if timers:
            counts = twin.counts_now(life.key)
            assert row.contribution == (figures["viewers"] if counts else None)
        assert row.final == life.final


async def compare_minutes(code, twin):
    """Each minute of which something was told, sealed or open, wherever it lies."""
    for life in twin.runs:
        key = f"{life.platform}:{life.broadcast}".encode()
        wanted = twin.minutes(key)
        told = await all_minutes(code, key, 0, first=0)
        assert (wanted is None) == (told is None)
        if told is None:
            continue
        assert told.missing == []
        assert [minute.minute for minute in told.minutes] == [
            minute_text(minute) for minute in sorted(wanted)
        ]
        for minute, (_, cell) in zip(told.minutes, sorted(wanted.items()), strict=True):
            for name in ("audience", "high", "joins", "views"):
                assert getattr(minute, name) == getattr(cell, name), (minute, name)


def as_dict(name, head):
    summary = scope_summary(name, head)
    return {field: getattr(summary, field) for field in summary.__struct_fields__}


@logs.tried(60)
@given(st.data())
def test_every_figure_at_every_moment(data):
    environment = data.draw(logs.environments())
    actions = data.draw(logs.driven(data.draw(logs.logs(environment))))
    asyncio.run(hold_together(environment, actions))


async def hold_together(environment, actions):
    code, twin = Code(environment), Twin(environment)
    for action in actions:
        logs.drive(twin, [action])
        code.drive(action)
        timers = isinstance(action, Advance) and not action.behind
        compare(code, twin, timers=timers)
        if timers:
            await compare_minutes(code, twin)
    await compare_minutes(code, twin)
    for days in (1, 301):
        twin.advance(twin.now + days * logs.DAY_MS)
        code.drive(Advance(twin.now))
    published, expected = code.last_published(), twin.last_published()
    assert published.keys() == expected.keys()
    for key, summary in expected.items():
        same(published[key], summary)
