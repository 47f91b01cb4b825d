"""A group without state on a topic whose beginning is gone: what it publishes is right."""

import json
import time
from datetime import UTC, datetime

import orjson
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete
from integration.pipeline.hard_log import Record
from integration.pipeline.system import System

from streams.settings import Settings
from streams.topics import Topics

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]

GIVEN = {
    "silence": "60s",
    "final_margin": "1s",
    "lateness": "1m",
    "lateness_by_platform": "",
    "restart_gap": "10m",
    "run_gap": "10m",  # what began so long after the topic's first record is whole
}
START = int(time.time()) - 7_200


def sample(broadcast, minute, **fields):
    at = START + 60 * minute
    event = {
        "platform": "fliggy",
        "broadcast": broadcast,
        "at": datetime.fromtimestamp(at, UTC).isoformat(),
        **fields,
    }
    key = f"fliggy:{broadcast}".encode()
    return Record(0, key, json.dumps(event).encode(), at * 1000, None, event, at)


async def last_summaries(system, settings):
    last = {}
    for record in await system.read(Topics.of(settings).broadcast_summaries):
        last[record.key.decode()] = orjson.loads(record.value)
    return last


async def test_what_began_before_is_not_published_and_counted(brokers, topic_prefix, admin):
    async with System(brokers, topic_prefix, 1, create_time=True, group="blue", **GIVEN) as system:
        before = [sample("long", minute, viewers=1_000 - 9 * minute) for minute in range(90)]
        after = [
            *(sample("short", minute, viewers=50 + minute) for minute in range(90, 95)),
            sample("long", 95, kind="ended"),
            sample("short", 95, kind="ended"),
        ]
        await system.send(before)
        blue = await system.worker()
        await system.done(len(before))
        assert await blue.stop() == 0, blue.tail()
        events = TopicPartition(system.topics.events.name, 0)
        await admin.delete_records({events: RecordsToDelete(50)})

        system.given |= {"group": "green", "output_prefix": f"{topic_prefix}green."}
        green = system.settings = Settings(**system.given)
        system.topics = Topics.of(green)
        async with system:
            first = await system.worker()
            await system.done(len(before))
            await system.metric(first, "audience_cut_broadcasts_total", 1)
            assert any("may no longer hold the beginning" in line for line in first.lines)
            assert await first.stop() == 0, first.tail()

            await system.send(after)
            second = await system.worker()
            await system.done(len(before) + len(after))
            await system.metric(second, "audience_cut_broadcasts_total", 0)
            told = await last_summaries(system, green)
        assert told.keys() == {"fliggy:short"}
        assert (told["fliggy:short"]["peak"], told["fliggy:short"]["events"]) == (144, 6)

        # Blue goes on from its state: it knows all of it.
        system.given |= {"group": "blue", "output_prefix": topic_prefix}
        system.settings = Settings(**system.given)
        system.topics = Topics.of(system.settings)
        await system.worker()
        await system.done(len(before) + len(after))
        told = await last_summaries(system, system.settings)
        assert told["fliggy:long"]["peak"] == 1_000
        assert told["fliggy:short"]["peak"] == 144
