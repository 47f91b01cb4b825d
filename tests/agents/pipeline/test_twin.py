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

from agents.pipeline.broadcasts import agent as module
from streams.audience import compute_figures
from streams.audience.scope import scope_summary

SHORT = ("viewers", "peak_5m", "peak_1h")


@pytest.fixture(autouse=True, scope="module")
def exact_timers():
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "Timers", Exact)
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
        compare(code, twin, timers=isinstance(action, Advance) and not action.behind)
    for days in (1, 301):
        twin.advance(twin.now + days * logs.DAY_MS)
        code.drive(Advance(twin.now))
    published, expected = code.last_published(), twin.last_published()
    assert published.keys() == expected.keys()
    for key, summary in expected.items():
        same(published[key], summary)
