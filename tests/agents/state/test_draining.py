"""Applying what lies in old partitions, where Kafka does not answer."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition

from agents.state.draining import Drain
from agents.state.stages import stages
from streams.exact.errors import SessionLost
from streams.settings import Settings

SOURCE = TopicPartition("viewer-events", 0)


async def test_a_partition_that_is_not_answered_ends_the_command(monkeypatch):
    settings = Settings(partitions=1)
    stage, _ = stages(settings)
    drain = Drain(settings, stage, 1, {}, "id", {})
    limit = settings.deadline.total_seconds()
    topics_checked = []
    drain._progress.partitions[0] = SimpleNamespace(
        look=topics_checked.append, unanswered=lambda _: limit + len(topics_checked) - 2, reached=0
    )

    async def ends(_):
        return {0: 5}

    monkeypatch.setattr(drain, "_ends", ends)
    task = asyncio.ensure_future(asyncio.sleep(60))
    with pytest.raises(SessionLost, match="viewer-events/0: no fetch was answered for over"):
        async with asyncio.timeout(10):
            await drain._watch([task], [SOURCE], 0.0, lambda *_: None)
    task.cancel()
    assert len(topics_checked) == 3
