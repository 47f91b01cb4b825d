"""Reading rows back where Kafka does not give them."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition

from streams.exact import ExactSettings, Rows
from streams.exact.errors import SessionLost
from streams.exact.restore import restore

CHANGELOG = TopicPartition("counts", 0)
SETTINGS = ExactSettings(client={}, group="test", deadline=0.05)


class Silent:
    """A consumer that knows of records and never gets them, as where its fetch task has died."""

    def __init__(self, **_):
        self._fetcher = SimpleNamespace(_records={})

    async def start(self):
        pass

    async def stop(self):
        pass

    async def beginning_offsets(self, _):
        return {CHANGELOG: 0}

    async def end_offsets(self, _):
        return {CHANGELOG: 5}

    def assign(self, _):
        pass

    def seek(self, *_):
        pass

    async def getmany(self, *_, **__):
        self.asked = getattr(self, "asked", 0) + 1
        if self.asked > 1_000:
            pytest.fail("it asks for ever")
        await asyncio.sleep(0.001)
        return {}


async def test_a_changelog_that_does_not_answer_ends_the_restore(monkeypatch):
    monkeypatch.setattr("streams.exact.restore.AIOKafkaConsumer", Silent)
    rows = Rows(int, str)
    with pytest.raises(SessionLost, match=r"counts/0: no fetch was answered for over 0.05 s"):
        await restore(SETTINGS, CHANGELOG, rows, None, lambda *_: None)
