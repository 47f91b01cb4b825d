"""What is on its way to the scopes when a state is exported."""

from contextlib import asynccontextmanager
from datetime import timedelta
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition

from agents.state import exporting
from streams.audience.scope_codec import encode_delta
from streams.audience.scope_delta import ScopeDelta
from streams.errors import BrokerUnreachableError
from streams.exact.cluster import TopicMetadata
from streams.settings import Settings

SUMS = TopicPartition("sums", 0)
STAGE = SimpleNamespace(source="sums")


class Consumer:
    """Gives records once, and stands behind them."""

    def __init__(self, records, end):
        self._records = records
        self._end = end
        self._at = 0

    def assign(self, _):
        pass

    def seek(self, *_):
        pass

    async def beginning_offsets(self, _):
        return {SUMS: 0}

    async def end_offsets(self, _):
        return {SUMS: self._end}

    async def position(self, _):
        return self._at

    async def getmany(self, *_, **__):
        found, self._records = self._records, []
        self._at += len(found)
        return {SUMS: found} if found else {}


async def export(monkeypatch, records, end):
    @asynccontextmanager
    async def reader(_):
        yield Consumer(records, end)

    async def facts_of(*_):
        return {"sums": TopicMetadata("id", 1)}

    monkeypatch.setattr(exporting.kafka, "reader", reader)
    monkeypatch.setattr(exporting, "facts_of", facts_of)
    written = []
    sink = SimpleNamespace(write=written.append)
    settings = Settings(deadline=timedelta(seconds=5)).model_copy(
        update={"deadline": timedelta(seconds=0.05)}
    )
    await exporting._Export(settings, sink, lambda *_: None)._sums(STAGE, {})
    return written


def record(offset, key, value):
    return SimpleNamespace(offset=offset, key=key, value=value)


async def test_what_the_scopes_would_skip_is_left_out(monkeypatch):
    """No import takes what cannot be read: one odd record would spoil the whole file."""
    change = encode_delta(ScopeDelta({1: 1}, {}))
    odd = [
        record(0, b"world", None),
        record(1, None, change),
        record(2, b"world", b"{"),
        record(3, b"world", change),
        record(4, b"no scope", change),
    ]
    written = await export(monkeypatch, odd, 5)
    assert [(each.key, each.value) for each in written] == [(b"world", change)]


async def test_a_topic_that_does_not_answer_ends_it(monkeypatch):
    with pytest.raises(BrokerUnreachableError, match="nothing more came of sums"):
        await export(monkeypatch, [], 5)
