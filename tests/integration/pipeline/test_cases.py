"""Every public complaint of `tests/contract/cases/`, through a real worker on a real Kafka."""

from collections import Counter
from dataclasses import replace

import orjson
import pytest
from contract.test_cases import CASES, HOUR, records
from integration.pipeline.clock import Clock, worker_with
from integration.pipeline.system import System
from integration.pipeline.test_scopes import settled
from kafka_tools import Tables

from streams import audience

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]

# Some records are of 1970: Kafka must not delete them for it.
KEPT = {"retention": "30000d", "tombstone": "30001d"}


def differences(expected, found):
    """What is not as it must be, of figures by key."""
    return {
        key: {name: found.get(key, {}).get(name) for name, value in figures.items()}
        for key, figures in expected.items()
        if any(found.get(key, {}).get(name, "missing") != value for name, value in figures.items())
    }


def key_of(name):
    """The key of the broadcast that a summary of this key is of, whichever run it is."""
    platform, _, broadcast = name.partition(":")
    return f"{platform.partition('/')[0]}:{broadcast}".encode()


def is_gone(value):
    """Whether a row has gone; one that was not read yet has not."""
    return value is None or (value and isinstance(audience.decode(value), audience.Tombstone))


@pytest.mark.parametrize("name", CASES)
async def test_a_case(name, brokers, topic_prefix, tmp_path):
    case = CASES[name]
    broadcasts = {
        key: {"status": "final", **figures} for key, figures in case["broadcasts"].items()
    }
    log = list(records(case))
    clock = Clock(tmp_path / "clock", max(record.read_at for record in log) / 1000)
    rules = case.get("settings", {})
    # Kafka's own clock is not the test's, so the timestamps are those that it would have given.
    async with System(brokers, topic_prefix, 1, create_time=True, rules=rules, **KEPT) as system:
        topics = system.topics
        watched = (topics.broadcast_summaries, topics.scope_summaries, topics.broadcasts_changelog)
        tables = Tables(brokers, *(topic.name for topic in watched))

        def last(topic):
            found = tables[topic.name].items()
            return {key.decode(): orjson.loads(value) for key, value in found}

        def wrong():
            summaries, scopes = last(topics.broadcast_summaries), last(topics.scope_summaries)
            return differences(broadcasts, summaries) | differences(case.get("scopes", {}), scopes)

        def rows():
            found = tables[topics.broadcasts_changelog.name]
            keys = {key_of(name) for name in broadcasts} | {key for key in found if key[0]}
            return {key for key in keys if not is_gone(found.get(key, b""))}

        await system.send([replace(record, partition=0) for record in log])
        async with worker_with(system, clock), tables:
            await system.done(len(log))
            await settled(system)
            while_live = case.get("viewers_while_live", {})

            def wrong_while_live():
                scopes = last(topics.scope_summaries)
                return differences({s: {"viewers": v} for s, v in while_live.items()}, scopes)

            await tables.until_not(wrong_while_live)
            clock.advance(HOUR / 1000)
            await tables.until_not(wrong)
            clock.advance(24 * HOUR / 1000)  # rows go, and say all once more
            await tables.until_not(rows)
            await tables.until_not(wrong)
            published = {r.key.decode() for r in await system.read(topics.broadcast_summaries)}
            assert published == broadcasts.keys()
        rejected = await system.read(system.topics.rejected)
        assert Counter(dict(r.headers)["reason"].decode() for r in rejected) == case["refused"]
