"""Both stages over partitions in memory: batches as Kafka's transactions would have them."""

from collections import defaultdict

import orjson
from aiokafka.partitioner import murmur2
from aiokafka.structs import ConsumerRecord, TopicPartition

from agents.entries import BroadcastEntry, ScopeEntry
from agents.pipeline.broadcasts.agent import BroadcastProcessor
from agents.pipeline.scopes.agent import ScopeProcessor, heads
from streams import audience
from streams.audience import Row
from streams.audience import row as row_module
from streams.audience.scope_codec import decode_scope, encode_scope
from streams.exact import Batch, Rows
from streams.exact.batch import Placed
from streams.settings import Settings
from streams.topics import Topics


def place(key, partitions):
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def fail_at_666(monkeypatch):
    """Let a row raise, half of its work done, whenever 666 viewers are told."""

    def failing(accept):
        def fail(row, told, *others):
            result = accept(row, told, *others)
            if any(event.viewers == 666 for event, _, _ in told):
                row.events = 10**9
                raise ZeroDivisionError("a defect")
            return result

        return fail

    # All events but a run's first go through them: those of a run that goes on, and of a new one.
    # Both are looked up by name whether or not the arithmetic is compiled.
    monkeypatch.setattr(Row, "accept_all", failing(Row.accept_all))
    monkeypatch.setattr(row_module, "accept_from", failing(row_module.accept_from))


class Stage:
    """One agent over its partitions: reads a topic, keeps rows, hands on what it sends."""

    def __init__(self, line, topic, make, restored, decode, encode, entry):
        self.line, self.topic, self.make, self.restored = line, topic, make, restored
        self.decode, self.encode, self.entry = decode, encode, entry
        self.position = defaultdict(int)
        self.rows = {number: self.new_rows() for number in range(line.partitions)}
        self.start()

    def start(self):
        """Begin as a new process does: all that is left is what Kafka holds."""
        self.work = self.make()
        for number, rows in self.rows.items():
            self.rows[number] = self.new_rows()
            for key, value in rows.items():
                self.rows[number].load(key, value)
            self.restored(self.work, number, self.rows[number])

    def new_rows(self):
        return Rows(self.decode, self.encode, self.entry, cache_size=5)

    def waiting(self, partition):
        return len(self.line.log[self.topic, partition]) - self.position[partition]

    def batch(self, partition, most, *, lost=False, caught_up=False):
        """Work off one batch; if `lost`, nothing of it becomes durable."""
        start = self.position[partition]
        records = self.line.log[self.topic, partition][start : start + most]
        rows = self.rows[partition]
        batch = Batch(
            TopicPartition(self.topic, partition),
            records,
            rows,
            caught_up=caught_up,
            read_at=self.line.now,
        )
        with batch:
            self.work.process_batch(batch)
        assert batch._done.exception() is None, batch._done.exception()
        if lost:
            return batch
        encoded = {
            key: None if row is None else self.encode(row) for key, row in batch.changed.items()
        }
        batch.removed = rows.commit(batch.changed, encoded)
        self.position[partition] += len(records)
        placed = []
        for output in batch.outputs:
            target = place(output.key, self.line.partitions) if output.key else 0
            if output.mark is not None:
                offset = len(self.line.log[output.topic, target])
                placed.append(Placed(output.mark, target, offset))
            self.line.append(
                output.topic,
                target,
                output.key,
                output.value,
                output.timestamp or int(self.line.now * 1000),
                headers=tuple(output.headers),
            )
        batch.placed = placed
        self.work.committed(batch)
        return batch


class Line:
    """The pipeline.

    Attributes:
        now: The clock, in seconds.
        log: What each topic's partitions hold.
    """

    def __init__(self, partitions, **settings):
        self.partitions = partitions
        self.now = 1_000.0
        self.settings = Settings(partitions=partitions, **settings)
        self.topics = Topics.of(self.settings)
        self.log = defaultdict(list)
        self.broadcasts = Stage(
            self,
            self.topics.events.name,
            lambda: BroadcastProcessor(self.settings, self.topics),
            lambda work, number, rows: work.restored(number, rows, self.now, self.now, partitions),
            audience.decode,
            audience.encode,
            BroadcastEntry,
        )
        self.scopes = Stage(
            self,
            self.topics.scope_deltas.name,
            lambda: ScopeProcessor(self.settings, self.topics),
            lambda work, number, rows: work.restored(number, rows),
            decode_scope,
            encode_scope,
            ScopeEntry,
        )

    def append(self, topic, partition, key, value, timestamp, *, log_append=True, headers=()):
        log = self.log[topic, partition]
        log.append(
            ConsumerRecord(
                topic,
                partition,
                len(log),
                timestamp,
                int(log_append),
                key,
                value,
                None,
                0,
                0,
                headers,
            )
        )

    def send(self, records):
        for record in records:
            self.append(
                self.topics.events.name,
                record.partition,
                record.key,
                record.value,
                record.timestamp,
            )

    def drain(self, most=1_000):
        """Work off all that waits, and publish all that is due."""
        for stage in (self.broadcasts, self.scopes):
            for number in range(self.partitions):
                while stage.waiting(number):
                    stage.batch(number, most)
        for _ in range(2):
            self.now += 1
            for number in range(self.partitions):
                self.scopes.batch(number, most)

    def heads(self):
        return {
            key.decode(): head for rows in self.scopes.rows.values() for key, head in heads(rows)
        }

    def published(self):
        """All summaries of scopes by their key, in the order in which they were published."""
        told = defaultdict(list)
        for number in range(self.partitions):
            for record in self.log[self.topics.scope_summaries.name, number]:
                told[record.key.decode()].append((record.timestamp, orjson.loads(record.value)))
        return told
