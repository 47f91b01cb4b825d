"""Where the producers' clients really put keys, against where the router wants them."""

import pytest
from confluent_kafka import Producer
from kafka_tools import consume_all, create_topic, produce_all

from streams.routing import PartitionChecker, partition_for

pytestmark = pytest.mark.kafka

PARTITIONS = 7
BROADCASTS = [f"louvre-{number}" for number in range(300)] + ["直播:1", "x" * 128, "😀" * 31 + "é"]
KEYS = [f"fliggy:{broadcast}".encode() for broadcast in BROADCASTS]


def produce_with_librdkafka(brokers, topic, **settings):
    failed = []
    producer = Producer({"bootstrap.servers": brokers, **settings})
    for key in KEYS:
        producer.produce(
            topic, key=key, on_delivery=lambda error, _: error and failed.append(error)
        )
    assert producer.flush(30) == 0
    assert failed == []


async def assert_placed_by(partitioner, brokers, topic):
    placed = {record.key: record.partition for record in await consume_all(brokers, topic)}
    assert placed == {key: partition_for(key, PARTITIONS, partitioner) for key in KEYS}
    router = PartitionChecker(partitioner, PARTITIONS)
    for key, broadcast in zip(KEYS, BROADCASTS, strict=True):
        router.check(key, placed[key], "fliggy", broadcast)


async def test_aiokafka_places_by_murmur2(brokers, topic_prefix):
    topic = topic_prefix + "events"
    await create_topic(brokers, topic, PARTITIONS)
    await produce_all(brokers, topic, [(key, b"{}") for key in KEYS])
    await assert_placed_by("murmur2", brokers, topic)


async def test_confluent_kafka_places_by_crc32(brokers, topic_prefix):
    topic = topic_prefix + "events"
    await create_topic(brokers, topic, PARTITIONS)
    produce_with_librdkafka(brokers, topic)
    await assert_placed_by("crc32", brokers, topic)


async def test_confluent_kafka_can_be_told_to_place_by_murmur2(brokers, topic_prefix):
    topic = topic_prefix + "events"
    await create_topic(brokers, topic, PARTITIONS)
    produce_with_librdkafka(brokers, topic, partitioner="murmur2_random")
    await assert_placed_by("murmur2", brokers, topic)
