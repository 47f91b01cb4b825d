"""A small season by the demo, on a real Kafka: all that comes out equals brute force."""

import io

import orjson
import pytest
from integration.pipeline.oracle import Oracle, as_event
from kafka_tools import admin_client, consume_all
from rich.console import Console

from agents.demo.console import DemoConsole
from agents.demo.season import run
from agents.demo.season.generator import Season
from streams.events import read
from streams.settings import Settings

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

BROADCASTS = 300
VIEWS = 25_000_000


def brute_force(season):
    """An oracle with all events of the season in it, by the settings that are in force."""
    oracle = Oracle({})
    for key, value, _ in season.records():
        _, at = read(value)
        assert oracle.accept(key, as_event(orjson.loads(value)), at)
    return oracle


async def test_all_that_comes_of_a_season_equals_brute_force(brokers, tmp_path):
    season = Season(seed=11, broadcasts=BROADCASTS, views=VIEWS)
    file = io.StringIO()
    screen = DemoConsole(Console(file=file, width=128, highlight=False))
    settings = Settings(data=tmp_path, http_port=0)
    code = await run(settings, once=True, brokers=brokers, keep=True, screen=screen, season=season)
    told = file.getvalue()
    assert code == 0, told
    prefix = next(line for line in told.splitlines() if line.startswith("Left as they are"))
    prefix = prefix.split()[-1].removesuffix("*")
    try:
        expected = brute_force(season)
        await compare_broadcasts(brokers, prefix, expected)
        world = await compare_scopes(brokers, prefix, expected)
        assert (world["broadcasts"], world["views"], world["live"]) == (BROADCASTS, VIEWS, 0)
        assert await consume_all(brokers, f"{prefix}viewer-events-rejected") == []
    finally:
        async with admin_client(brokers) as client:
            names = [name for name in await client.list_topics() if name.startswith(prefix)]
            await client.delete_topics(names)
    assert "All 8 published figures came out." in told
    assert f"{world['peak']:,}" in told
    assert f"{sum(len(run.told) for run in expected.runs.values()):,} records in" in told
    assert "0 refused, 0 of them late ✓" in told


async def compare_broadcasts(brokers, prefix, expected):
    last = {r.key: r.value for r in await consume_all(brokers, f"{prefix}broadcast-summaries")}
    assert last.keys() == expected.runs.keys()
    for key in expected.runs:
        assert orjson.loads(last[key]) == expected.summary(key, "ended"), key


async def compare_scopes(brokers, prefix, expected):
    last = {
        r.key.decode(): orjson.loads(r.value)
        for r in await consume_all(brokers, f"{prefix}scope-summaries")
    }
    wanted = expected.scopes()
    assert last.keys() == wanted.keys()
    assert len(wanted) > 100
    for name, summary in wanted.items():
        assert last[name] == summary, name
    return last["world"]
