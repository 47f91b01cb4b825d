"""Blocks of sealed minutes from a real Kafka: each from its place, or with the reason why not."""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete
from kafka_tools import create_topic

from agents.serving.web.blocks import KafkaBlocks
from agents.serving.web.sealed import BlockError, sealed_minutes
from streams.audience.kept import HEADER, KeptMinutes, MinuteBlock, Place, encode_block
from streams.audience.minute import Cell
from streams.settings import Settings

pytestmark = pytest.mark.kafka

BEGAN = 26_000_000
NAME = b"kick:b"


def block(first, count, before=()):
    cells = {
        minute: Cell(0, 5, minute - BEGAN, None, None, None)
        for minute in range(first, first + count)
    }
    return MinuteBlock(cells, list(before))


async def written(producer, topic, found, others=3):
    """A transaction with a block's record in the midst of others; where it lies."""
    async with producer.transaction():
        headers = [(HEADER, encode_block(found))]
        sends = [
            await producer.send(
                topic,
                b"{}",
                NAME if here else b"kick:other",
                headers=headers if here else [],
                partition=1,
            )
            for here in (*[False] * others, True, *[False] * others)
        ]
        record = (await asyncio.gather(*sends))[others]
    return Place(record.partition, record.offset, found.first, found.last)


@pytest.mark.parametrize("compression", ["producer", "zstd"])
async def test_a_block_is_fetched_from_its_place(brokers, topic_prefix, admin, compression):
    topic = f"{topic_prefix}{compression}"
    await create_topic(brokers, topic, 2, compression_type=compression)
    blocks = KafkaBlocks(Settings(brokers=brokers), topic)
    producer = AIOKafkaProducer(bootstrap_servers=brokers, transactional_id=topic, linger_ms=20)
    async with producer:
        old = await written(producer, topic, block(BEGAN, 40))
        places = [old]
        for number in range(1, 4):
            found = block(BEGAN + 40 * number, 40, places[:number])
            places.append(await written(producer, topic, found))
        kept = KeptMinutes(
            BEGAN - 1, BEGAN + 170, {BEGAN + 165: Cell(0, 5, 165, None, None, None)}, places[2:]
        )
        whole = await sealed_minutes(kept, NAME, BEGAN, BEGAN + 165, blocks, 20.0)
        assert whole.gaps == []
        assert {minute: cell.audience for minute, cell in whole.cells.items()} == {
            BEGAN + offset: offset for offset in (*range(160), 165)
        }
        # While a transaction that began before is open, what lies behind it is there all the same.
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"{}", b"kick:open", partition=1)
        async with AIOKafkaProducer(
            bootstrap_servers=brokers, transactional_id=f"{topic}-2"
        ) as second:
            behind = await written(second, topic, block(BEGAN + 160, 40))
        assert (await blocks.block(NAME, behind)).first == BEGAN + 160
        await producer.abort_transaction()
    with pytest.raises(BlockError, match="something else: the topic was made anew"):
        await blocks.block(b"kick:x", old)
    with pytest.raises(BlockError, match="something else: the topic was made anew"):
        await blocks.block(b"kick:other", Place(1, old.offset - 1, BEGAN, BEGAN))
    with pytest.raises(BlockError, match="AUDIENCE_MINUTES_RETENTION"):
        await blocks.block(NAME, Place(1, 10**6, BEGAN, BEGAN))
    await admin.delete_records({TopicPartition(topic, 1): RecordsToDelete(places[1].offset + 1)})
    part = await sealed_minutes(kept, NAME, BEGAN, BEGAN + 165, blocks, 20.0)
    assert {gap[:2] for gap in part.gaps} == {(place.first, place.last) for place in places[:2]}
    assert all("AUDIENCE_MINUTES_RETENTION" in why for _, _, why in part.gaps)
    assert min(part.cells) == BEGAN + 80
    await blocks.close()


async def test_who_does_not_answer_is_told_in_time():
    blocks = KafkaBlocks(Settings(brokers="127.0.0.1:1"), "minutes")
    kept = KeptMinutes(BEGAN, BEGAN + 9, {}, [Place(0, 0, BEGAN + 1, BEGAN + 9)])
    found = await sealed_minutes(kept, NAME, BEGAN + 1, BEGAN + 9, blocks, 5.0)
    (gap,) = found.gaps
    assert (gap.first, gap.last) == (BEGAN + 1, BEGAN + 9)
    assert "Kafka" in gap.why
    await blocks.close()
