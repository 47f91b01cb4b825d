"""What producers, topics and disks make of records: read, or told of and passed by."""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2
from confluent_kafka import Producer
from integration.exact.harness import PARTITIONS, Words
from integration.exact.test_refusals import refused
from kafka_tools import alter_topic

from agents.broker import Broker

pytestmark = pytest.mark.kafka

CODECS = ("gzip", "snappy", "lz4", "zstd")


def place(word):
    return (murmur2(word) & 0x7FFFFFFF) % PARTITIONS


async def write(words, values, **options):
    """Write words by aiokafka, in one batch a partition."""
    options = {"linger_ms": 200, "max_batch_size": 1_000_000, **options}
    async with AIOKafkaProducer(bootstrap_servers=words.brokers, **options) as producer:
        sent = [await producer.send(words.source, w, partition=place(w)) for w in values]
        await asyncio.gather(*sent)


async def line(worker, *texts, seconds=30):
    """Wait for a line with all these texts."""
    async with asyncio.timeout(seconds):
        while not (found := [s for s in worker.lines if all(text in s for text in texts)]):
            assert worker.running, worker.tail()
            await asyncio.sleep(0.1)
    return found


def silent(worker):
    assert not [s for s in worker.lines if "session lost" in s], worker.tail(40)


async def test_every_codec_of_producers_and_of_topics(brokers, topic_prefix):
    async with Words(brokers, topic_prefix) as words:
        worker = await words.worker()
        for number, codec in enumerate(CODECS):
            # The topics' own settings, each another than the producers'.
            await alter_topic(words.admin, words.source, {"compression.type": CODECS[number - 1]})
            changelog = {"compression.type": codec, "cleanup.policy": "compact"}
            await alter_topic(words.admin, words.changelog, changelog)
            values = [b"%s-%d" % (codec.encode(), n % 20) for n in range(200)]
            await write(words, values, compression_type=codec)
            await alter_topic(words.admin, words.source, {"compression.type": "producer"})
            await write(words, values, compression_type=codec)
            other = Producer(
                {"bootstrap.servers": brokers, "compression.type": codec, "linger.ms": 200}
            )
            for word in values:
                other.produce(words.source, word, partition=place(word))
            assert other.flush(10) == 0
            words.expected.update(values * 3)
        await words.finished()
        silent(worker)
        assert await worker.stop() == 0, worker.tail()
        second = await words.worker()
        await words.write(100)
        await words.finished()
        rows = [int(s.split()[2]) for s in second.lines if s.startswith("restored")]
        assert sum(rows) == 80, "read back from a compressed changelog"


@pytest.mark.parametrize("may_not_ask", [False, True])
async def test_what_is_too_large_to_be_sent(brokers, topic_prefix, may_not_ask):
    """One record of a batch makes an output that its topic does not take."""
    async with Words(brokers, topic_prefix, may_not_ask=may_not_ask) as words:
        await alter_topic(words.admin, words.output, {"max.message.bytes": "20000"})
        partition = place(b"swollen")
        good = [w for n in range(3_000) if place(w := b"word-%d" % n) == partition][:600]
        await write(words, [*good[:400], b"swollen", *good[400:]])
        words.expected.update(good)
        worker = await words.worker(batch=1_000)
        await words.finished()
        (told,) = await line(worker, "unreadable", words.output, "max.message.bytes")
        assert told.startswith("unreadable 400 1 what comes of it cannot be sent")
        silent(worker)
        await words.write(500)
        await words.finished()
        assert not (
            topics := {r.value for r in await words.read(words.output) if len(r.value) > 9}
        ), topics


async def test_a_long_batch_is_taken_in_parts(brokers, topic_prefix):
    async with Words(brokers, topic_prefix, batch=100_000, batch_bytes=1_000_000) as words:
        await alter_topic(words.admin, words.source, {"max.message.bytes": "50000000"})
        values = [b"%04d" % n * 500 for n in range(20)] * 200  # 8 MB
        largest = {"max_batch_size": 30_000_000, "max_request_size": 50_000_000}
        await write(words, values, compression_type="gzip", **largest)
        words.expected.update(values)
        worker = await words.worker()
        await words.finished()
        silent(worker)


async def test_a_broker_that_serves_damaged_batches(tmp_path, topic_prefix):
    """Of the source: told of, and passed by. Of the changelog: rows would be missing."""
    broker = Broker(tmp_path)
    await asyncio.to_thread(broker.start)
    try:
        async with Words(broker.bootstrap, topic_prefix) as words:
            await write(words, [b"word"] * 5)
            await write(words, [b"word"] * 7)
            await write(words, [b"word"] * 9)
            number = place(b"word")
            spoil(tmp_path, f"{words.source}-{number}", batch=1)
            words.expected.update([b"word"] * 14)
            worker = await words.worker()
            await words.finished()
            await line(worker, "unreadable 5 7 ", "checksum")
            silent(worker)
            assert await worker.stop() == 0, worker.tail()
            spoil(tmp_path, f"{words.changelog}-{number}", batch=0)
            place_of_it = f"offset 0 of the changelog {words.changelog}/{number} cannot be read"
            await refused(words, place_of_it, "checksum", "another group")
    finally:
        await asyncio.to_thread(broker.stop)


def spoil(folder, partition, batch):
    """Turn a bit of one of a partition's batches, as a bad disk does."""
    (log,) = folder.rglob(f"{partition}/00000000000000000000.log")
    content = log.read_bytes()
    at = 0
    for _ in range(batch):
        at += 12 + int.from_bytes(content[at + 8 : at + 12], "big")
    end = at + 12 + int.from_bytes(content[at + 8 : at + 12], "big")
    with log.open("r+b") as file:
        file.seek(end - 1)
        file.write(bytes([content[end - 1] ^ 1]))
