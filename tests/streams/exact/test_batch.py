import asyncio

import pytest
from aiokafka import TopicPartition

from streams.exact import Batch, Rows


def batch():
    return Batch(TopicPartition("source", 0), [], Rows(int, str), caught_up=True, read_at=0.0)


async def test_leaving_the_block_ends_the_wait():
    work = batch()
    waiting = asyncio.create_task(work.wait_processed())
    await asyncio.sleep(0)
    assert not waiting.done()
    with work:
        work.changed[b"a"] = 1
    await waiting


async def test_what_the_block_raises_reaches_the_waiter_and_not_the_agent():
    work = batch()
    with work:
        raise ValueError("bad")
    with pytest.raises(ValueError, match="bad"):
        await work.wait_processed()


async def test_a_cancelled_agent_stays_cancelled():
    work = batch()
    with pytest.raises(asyncio.CancelledError), work:
        raise asyncio.CancelledError
    with pytest.raises(asyncio.CancelledError):
        await work.wait_processed()


async def test_a_batch_nobody_waits_for_any_more():
    work = batch()
    work._done.cancel()
    with work:
        pass


async def test_is_empty_until_there_is_something_to_keep():
    work = batch()
    assert work.is_empty
    work.send("topic", b"key", b"value")
    assert not work.is_empty
    changed = batch()
    changed.changed[b"a"] = None
    assert not changed.is_empty
