"""The bare loop that the worker is measured against; a program of its own.

aiokafka's `getmany`, msgspec into a typed struct, one dictionary with what was last said of each
key. It judges nothing, keeps nothing, writes nothing: nobody can read from Kafka with aiokafka and
do less. Its consumer fetches exactly as the worker's does, and its garbage collector is set as the
worker's is, so that neither of them makes a difference.

    python bare.py BROKERS TOPIC PARTITIONS EVENTS BATCH FETCH_BYTES

It prints a line with the time (seconds since 1970) when it can begin, one when it is done, and
waits for the end of its input, so that it can be looked at.
"""

import asyncio
import gc
import sys
import time

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition


class Event(msgspec.Struct, gc=False):
    """A viewer event, its fields typed and nothing else of them checked."""

    platform: str
    broadcast: str
    at: str
    kind: str = "sample"
    viewers: int | None = None
    joins: int | None = None
    views: int | None = None
    venue: str | None = None
    programme: str | None = None
    title: str | None = None
    revision: int = 0


def fetch_options(fetch_bytes: int) -> dict[str, object]:
    """Say how to fetch, as the worker does (streams/exact/source.py)."""
    return {
        "isolation_level": "read_committed",
        "fetch_max_bytes": 4 * fetch_bytes,
        "max_partition_fetch_bytes": fetch_bytes,
        "fetch_max_wait_ms": 100,
        "metadata_max_age_ms": 60_000,
    }


async def loop(
    brokers: str, topic: str, partitions: int, events: int, batch: int, fetch_bytes: int
) -> None:
    """Read a topic once."""
    decode = msgspec.json.Decoder(Event).decode
    state: dict[bytes, Event] = {}
    consumer = AIOKafkaConsumer(
        bootstrap_servers=brokers,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        **fetch_options(fetch_bytes),
    )
    await consumer.start()
    try:
        gc.collect()
        gc.freeze()
        gc.set_threshold(100_000, 20, 50)
        consumer.assign([TopicPartition(topic, number) for number in range(partitions)])
        print(time.time(), flush=True)
        done = 0
        while done < events:
            for records in (await consumer.getmany(timeout_ms=1000, max_records=batch)).values():
                done += len(records)
                for record in records:
                    state[record.key] = decode(record.value)
        print(time.time(), len(state), flush=True)
        sys.stdin.read()
    finally:
        await consumer.stop()


if __name__ == "__main__":
    asyncio.run(loop(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])))
