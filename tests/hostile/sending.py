"""Sends hostile records by seed, by every client and codec; knows what must become of each."""

import asyncio
import random
import time
import zlib
from collections import Counter, defaultdict
from contextlib import AsyncExitStack

import confluent_kafka
from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from hostile import batches, slow, values
from streams.events import read
from streams.rejections import Reason, Rejected
from streams.routing import MAX_KEY_BYTES

CHUNK = 400
#: A value that is larger is read once more here, to see what that costs.
WORTH_MEASURING = 4_096
#: Seconds after which it is measured with care.
SEEMS_SLOW = 0.002
#: As in tests/streams/test_slow_values.py.
MOST = 8

#: What a batch may be that no producer makes; the others are good ones, by a client and a codec.
ODD_WAYS = ("raw", "odd", "broken")


# One of each, however many records are sent.
_ONLY = {reason.value: frozenset({reason.value}) for reason in Reason}
_TAKEN, _ANY = frozenset({"late", None}), frozenset({"future", "late", None})


def expected(record, timestamp, partitions):
    """The reasons for which a record may be refused; None among them: it may be accepted, or late.

    Args:
        record: It.
        timestamp: Its Kafka timestamp in milliseconds.
        partitions: How many there are.
    """
    if record.key is not None and len(record.key) > MAX_KEY_BYTES:
        return _ONLY["misrouted"]
    try:
        event, at = read(record.value)
    except Rejected as refused:
        return _ONLY[refused.reason]
    right = f"{event.platform}:{event.broadcast}".encode()
    if record.key != right or values.place(right, partitions) != record.partition:
        return _ONLY["misrouted"]
    ahead = at / 1e6 - timestamp / 1e3 - 120
    if abs(ahead) < 30 and record.timestamp is None:
        return _ANY  # the producer's clock decides, by which we do not know
    too_far = at / 1e6 - time.time() - 720  # by the worker's clock, when it will be read
    if ahead <= 0 and 0 < too_far + 300 < 330:
        return _ANY
    return _ONLY["future"] if max(ahead, too_far) > 0 else _TAKEN


class Sender:
    """Sends records to a topic.

    Args:
        brokers: Where to.
        topic: The topic.
        partitions: How many it has.
        seed: Of all that is made.
        codecs: Those that are used.

    Attributes:
        expected: By partition and offset, what may become of a record: reasons and its value's CRC.
            Records of odd batches that the broker took are not in it.
        ways: How many records went each way, and what the broker refused of odd batches.
        slowest: The greatest CPU time of reading a value, as `slow.times_plain` has it; 0 if none
            took `SEEMS_SLOW`.
    """

    def __init__(self, brokers, topic, partitions, seed, codecs=tuple(batches.CODECS)):
        self.brokers, self.topic, self.partitions = brokers, topic, partitions
        self.seed = seed
        self.rng = random.Random(seed)
        self.codecs = codecs
        self.expected = defaultdict(dict)
        self.ways = Counter()
        self.slowest = 0.0
        self._read = slow.reading()

    async def __aenter__(self):
        self._stack = AsyncExitStack()
        self._client = AIOKafkaClient(bootstrap_servers=self.brokers)
        await self._client.bootstrap()
        self._stack.push_async_callback(self._client.close)
        await self._client.set_topics([self.topic])
        self._confluent = [
            confluent_kafka.Producer(
                {
                    "bootstrap.servers": self.brokers,
                    "compression.type": codec,
                    "linger.ms": self.rng.choice((0, 5, 50)),
                    "batch.size": self.rng.choice((1_000, 100_000, 1_000_000)),
                    "message.max.bytes": 900_000,
                }
            )
            for codec in self.codecs
        ]
        self._aiokafka = []
        for codec in self.codecs:
            producer = AIOKafkaProducer(
                bootstrap_servers=self.brokers,
                compression_type=None if codec == "none" else codec,
                linger_ms=self.rng.choice((0, 5, 20)),
                max_batch_size=self.rng.choice((1_000, 16_384, 300_000)),
                max_request_size=1_000_000,
            )
            self._aiokafka.append(await self._stack.enter_async_context(producer))
        return self

    async def __aexit__(self, *error):
        self._confluent.clear()  # else they would call for the broker as long as the process runs
        await self._stack.aclose()

    async def send(self, count):
        """Send so many records, and batches that are none: the same for the same seed, but for
        the times in them."""
        left, chunk = count, 0
        while left > 0:
            # Anew for each chunk: what depends on the clock changes nothing after it.
            self.rng, chunk = random.Random(f"{self.seed}/{chunk}"), chunk + 1
            way = self.rng.choice((*ODD_WAYS * 4, "aiokafka", "confluent"))
            names = way in ODD_WAYS
            size = min(left, self.rng.randrange(1, 60) if names else CHUNK)
            left -= size
            if not chunk % 500:
                print(f"{left} to send", flush=True)
            made = []
            for number in range(size):
                made.append(values.record(self.rng, self.partitions, share=0.01, names=names))
                self._measure(made[-1].value)
                if not number % 20:
                    await asyncio.sleep(0)
            if way == "confluent":
                await asyncio.to_thread(self._by_confluent, made)
            elif way == "aiokafka":
                await self._by_aiokafka(made)
            else:
                await self._raw(way, made)
            self.ways[way] += size

    def _measure(self, value):
        if value is None or len(value) < WORTH_MEASURING:
            return
        # Looked at closely only if it seems slow: the machine may just be busy.
        if slow.seconds(self._read, value, 1) > SEEMS_SLOW:
            times = slow.times_plain(self._read, value)
            self.slowest = max(self.slowest, times)
            assert times < MOST, f"{times:.1f} times: {value[:100]!r} … {value[-50:]!r}"

    def _note(self, record, partition, offset, timestamp):
        may = expected(record, timestamp, self.partitions)
        crc = None if record.value is None else zlib.crc32(record.value)
        self.expected[partition][offset] = (may, crc)

    def _by_confluent(self, made):
        producer = self.rng.choice(self._confluent)
        failed = []

        def told(record):
            def delivered(error, message):
                if error is not None:
                    failed.append(error)
                else:
                    at = record.timestamp or message.timestamp()[1]
                    self._note(record, message.partition(), message.offset(), at)

            return delivered

        for record in made:
            while True:
                try:
                    producer.produce(
                        self.topic,
                        record.value,
                        record.key,
                        record.partition,
                        on_delivery=told(record),
                        timestamp=record.timestamp or 0,
                        headers=record.headers,
                    )
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
        assert producer.flush(60) == 0
        assert not failed, failed[:3]

    async def _by_aiokafka(self, made):
        producer = self.rng.choice(self._aiokafka)
        for record in made:
            if record.key is record.value is None:  # which it refuses itself
                record.value = b""
        sent = [
            await producer.send(
                self.topic,
                record.value,
                record.key,
                partition=record.partition,
                timestamp_ms=record.timestamp,
                headers=record.headers,
            )
            for record in made
        ]
        for record, answer in zip(made, await asyncio.gather(*sent), strict=True):
            # (The answer's timestamp is that of its batch's first record.)
            at = record.timestamp or int(time.time() * 1_000)
            self._note(record, answer.partition, answer.offset, at)

    async def _raw(self, way, made):
        """Send batches of our own making, of one partition each."""
        by_partition = defaultdict(list)
        for record in made:
            by_partition[record.partition].append(record)
        now = int(time.time() * 1_000)
        for partition, records in by_partition.items():
            codec = self.rng.choice(self.codecs)
            data = batches.batch(records, now, codec)
            if way == "odd":
                data = batches.odd(self.rng, data)
            elif way == "broken":
                data = batches.broken(self.rng, data)
            try:
                error, base = await batches.produce(self._client, self.topic, partition, data)
            except KafkaError as lost:  # the broker hangs up on what it cannot even parse
                error, base = type(lost), None
            if error is not None:
                self.ways[f"{way}: {error.__name__}"] += len(records)
                assert way != "raw", (error, codec)
            elif way == "raw":
                for place, record in enumerate(records):
                    at = now if record.timestamp is None else record.timestamp
                    self._note(record, partition, base + place, at)
            else:
                assert way == "odd", (way, data[:80].hex())
                self.ways["odd: taken"] += len(records)
