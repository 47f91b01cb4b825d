"""What the scopes take of memory: `python tests/bench/scopes_memory.py [--venues 10000]`.

Each venue broadcasts two hours a day for as many days as the scope history has, at hours spread
over the day; the world and three platforms have every minute. The changes go through the real agent
and its rows, in as many partitions as a worker may own. Told are the memory that the process has
taken for that (resident, and the most it was), what the changelog would hold, the CPU time of a
change, and the time in which a worker that restores them finds out what is due.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # run as a script, from anywhere

from aiokafka.partitioner import murmur2
from aiokafka.structs import ConsumerRecord, TopicPartition
from rows_memory import resident

from agents.entries import scope_rows
from agents.pipeline.scopes.agent import BATCH_RECORDS, ScopeProcessor
from agents.serving.live import LiveScopes
from agents.worker import tune_gc
from streams.audience.scope_codec import encode_delta, encode_scope
from streams.audience.scope_delta import ScopeDelta
from streams.exact import Batch
from streams.settings import Settings
from streams.topics import Topics

START = 26_500_000
DAY = 1_440
MIB = 2**20
TOGETHER = 10
"""Minutes in one change: a venue's batches are never larger than in calm, so this costs less CPU
than a stream would, and comes to the same rows."""


def change(first: int, minutes: int, audience: int, known: int = 1) -> bytes:
    """What so many new minutes of one broadcast bring, two carried ones included."""
    carried = {first + minutes: audience, first + minutes + 1: audience}
    return encode_delta(
        ScopeDelta(
            {**{first + n: audience + 7 * n for n in range(minutes)}, **carried},
            dict.fromkeys(range(first, first + minutes + 2), known),
            viewer_minutes=minutes * audience,
            joins=minutes,
            views=minutes,
            peak_sum=100,
            broadcasts=1,
            live=1,
            viewers=audience,
            contributing=1,
            fresh=1,
            minute=first + minutes - 1,
            timestamp=(first + minutes) * 60_000,
        )
    )


def changes(venues: int, days: int, partitions: int):
    """Yield (partition, key, value) in the order of the event time."""
    place = {}

    def placed(name: str) -> tuple[int, bytes]:
        key = name.encode()
        if key not in place:
            place[key] = (murmur2(key) & 0x7FFFFFFF) % partitions
        return place[key], key

    for slot in range(days * DAY // TOGETHER):
        first = START + slot * TOGETHER
        for name in ("world", "platform:fliggy", "platform:kuaishou", "platform:twitch"):
            yield *placed(name), change(first, TOGETHER, 3 * 10**8, 800)
        # Two hours are 12 slots of a day's 144.
        for venue in range(venues):
            if (slot - venue) % 144 < 12:
                audience = 100 + venue * 37 % 400_000
                yield *placed(f"venue:museum-{venue}"), change(first, TOGETHER, audience)


async def measure(venues: int, days: int, partitions: int) -> None:
    """Feed the agent, then say what it came to."""
    settings = Settings(partitions=partitions)
    work, live = ScopeProcessor(settings, Topics.of(settings)), LiveScopes()
    rows = [scope_rows() for _ in range(partitions)]
    for number in range(partitions):
        work.restored(number, rows[number])
        live.restored(number, rows[number])
    tune_gc()
    before = resident()
    waiting: list[list[ConsumerRecord]] = [[] for _ in range(partitions)]
    count, cpu, published = 0, 0.0, 0
    now = 1_000.0

    def feed(number: int) -> None:
        nonlocal count, cpu, published, now
        batch = Batch(
            TopicPartition("sums", number),
            waiting[number],
            rows[number],
            caught_up=False,
            read_at=now,
        )
        began = time.process_time()
        with batch:
            work.process_batch(batch)
        batch._done.result()  # raises what the agent raised
        encoded = {
            key: None if row is None else encode_scope(row) for key, row in batch.changed.items()
        }
        rows[number].commit(batch.changed, encoded)
        work.committed(batch)
        cpu += time.process_time() - began
        live.committed(number, batch.changed)
        count += len(batch.records)
        published += len(batch.outputs)
        waiting[number] = []
        now += 0.05

    for partition, key, value in changes(venues, days, partitions):
        offset = len(waiting[partition])
        waiting[partition].append(
            ConsumerRecord("sums", partition, offset, 0, 0, key, value, None, 0, 0, ())
        )
        if offset + 1 == BATCH_RECORDS:
            feed(partition)
    for number in range(partitions):
        feed(number)
    gc.collect()
    taken, most = resident() - before, resident("VmHWM") - before
    held = [(key, value) for part in rows for key, value in part.items()]
    heads = sum(b"/" not in key for key, _ in held)
    began = time.process_time()
    for number in range(partitions):
        work.restored(number, rows[number])
    found = time.process_time() - began
    print(f"{venues:,} venues, two hours a day, {days} days, {partitions} partitions")
    print(f"scopes {heads:,}, chunks {len(held) - heads:,}, changes {count:,}")
    print(f"changelog {sum(len(k) + len(v) for k, v in held) / MIB:.0f} MiB")
    print(f"memory {taken / MIB:.0f} MiB, at most {most / MIB:.0f} MiB")
    print(f"CPU {cpu / count * 1e6:.1f} us a change of {TOGETHER} minutes")
    print(f"published {published / count:.2f} times a change; due after a restore in {found:.2f} s")


def main() -> None:
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--venues", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=8)
    parser.add_argument("--partitions", type=int, default=8)
    options = parser.parse_args()
    asyncio.run(measure(options.venues, options.days, options.partitions))


if __name__ == "__main__":
    main()
