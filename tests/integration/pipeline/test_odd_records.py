"""Records that once ended or stopped a worker, and what becomes of each: on a real Kafka."""

import struct
import time

import orjson
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.record.util import calc_crc32c
from confluent_kafka import Producer
from integration.pipeline.system import System
from kafka_tools import admin_client, alter_topic

pytestmark = pytest.mark.kafka

KEY = b"fliggy:b"
NOW = int(time.time() * 1000)


def event(viewers):
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW / 1000))
    return orjson.dumps({"platform": "fliggy", "broadcast": "b", "at": at, "viewers": viewers})


async def odd_header(system):
    """A header's name that is not UTF-8, between two good records in one batch."""
    async with AIOKafkaProducer(bootstrap_servers=system.brokers) as producer:
        batch = producer.create_batch()
        for headers in ([], [("ZZZZ", b"x")], []):
            batch.append(timestamp=NOW, key=KEY, value=event(1), headers=headers)
        # No client of Python's writes such a name: it is put into the finished bytes.
        built = bytearray(batch._build())
        start = built.index(b"ZZZZ")
        built[start : start + 4] = b"\xff\xfe\xfd\xfc"
        struct.pack_into(">I", built, 17, calc_crc32c(bytes(built[21:])))
        batch._build = lambda: built
        await (await producer.send_batch(batch, system.topics.events.name, partition=0))


def send(system, codec, *records):
    producer = Producer(
        {
            "bootstrap.servers": system.brokers,
            "compression.type": codec,
            "linger.ms": 50,
            "message.max.bytes": 200_000_000,
            "queue.buffering.max.kbytes": 1_000_000,
        }
    )
    for key, value, headers in records:
        producer.produce(
            system.topics.events.name, value, key, 0, headers=headers, timestamp=NOW - 1_000
        )
    assert producer.flush(30) == 0


async def test_each_is_accounted_for_and_stops_nothing(brokers, topic_prefix):
    async with System(brokers, topic_prefix, 1, create_time=True) as system:
        worker = await system.worker()
        await odd_header(system)
        own = [("trace", b"\x00\x01"), ("reason", b"mine")]
        for codec in ("gzip", "snappy", "lz4", "zstd"):
            send(system, codec, (KEY, event(2), []), (KEY, b"no JSON", own), (KEY, event(3), []))
        largest = {**system.topics.events.config, "max.message.bytes": "100000000"}
        async with admin_client(brokers) as client:
            await alter_topic(client, system.topics.events.name, largest)
        send(system, "gzip", (KEY, b"0" * 100_000_000, own), (KEY, event(4), []))
        send(system, "gzip", (b"k" * 5_000_000, event(5), []), (KEY, event(6), []))
        slow = (b"[" + b"1e400," * 10_900 + b"1]")[:65_400]
        send(system, "gzip", *[(KEY, slow, [])] * 100)
        await system.done(3 + 12 + 2 + 2 + 100, 60)
        refused = {}
        for record in await system.read(system.topics.rejected):
            headers = dict(record.headers)
            refused.setdefault(headers["reason"], []).append((record, headers))
        assert sorted(refused) == [b"malformed"] or sorted(refused) == [b"malformed", b"misrouted"]
        found = [record for kind in refused.values() for record in kind]
        assert len(found) == 4 + 1 + 1 + 100
        plain = [record for record, _ in found if record.value == b"no JSON"]
        assert [record.timestamp for record in plain] == [NOW - 1_000] * 4
        assert all(record.headers[0] == ("trace", b"\x00\x01") for record in plain)
        (bomb,) = [(r, h) for r, h in found if h.get("truncated") == b"100000000"]
        assert (bomb[0].key, len(bomb[0].value)) == (KEY, 512 * 1024)
        assert b"a record of 100000" in bomb[1]["detail"]
        (huge,) = [(r, h) for r, h in found if "key-bytes" in h]
        assert (len(huge[0].key), huge[1]["key-bytes"]) == (1_024, b"5000000")
        assert worker.running
        assert not [line for line in worker.lines if "session lost" in line], worker.tail()
        (row,) = (await system.rows()).values()
        assert row.events == 3 + 8 + 2
