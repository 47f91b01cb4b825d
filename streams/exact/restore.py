"""Reading a partition's rows back from its changelog."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.exact.deadline import close_within, with_deadline
from streams.exact.errors import SessionLost, Unrecoverable
from streams.exact.fetch import take, use_raw_records
from streams.exact.position import POSITION_KEY, Position, decode_position

if TYPE_CHECKING:
    from streams.exact.fetch import FetchResponse
    from streams.exact.parsing import Unreadable
    from streams.exact.rows import Rows
    from streams.exact.settings import ExactSettings

#: Records loaded between two looks at what else there is to do.
_RESTORE_CHUNK = 5_000

#: No row is larger: this layer wrote them all, in batches that the topic took.
_MAX_ROW_BYTES = 1 << 28

#: Told (records read, records to read) about once a second.
Progress = Callable[[int, int], None]


class RestoreResult(NamedTuple):
    """What was read.

    Attributes:
        position: How far the rows have come, None where nothing was ever committed.
        end: The changelog offset up to which the rows are known.
        records: How many records were read.
    """

    position: Position | None
    end: int
    records: int


async def restore(
    settings: ExactSettings,
    changelog: TopicPartition,
    rows: Rows[Any],
    known: RestoreResult | None,
    progress: Progress,
) -> RestoreResult:
    """Bring rows up to what the changelog holds now.

    The partition's producer has been taken over before, so nobody else's transaction can end
    behind the end that is read to.

    Args:
        settings: The layer's settings.
        changelog: Which partition to read.
        rows: Filled in place.
        known: What an earlier restore or commit left in `rows`: only what is new is read then.
        progress: Told how far it is.

    Raises:
        SessionLost: Kafka did not answer in time.
        Unrecoverable: The changelog holds what cannot be read.
        NewerFormat: A newer version of the program wrote the position.
    """
    consumer = AIOKafkaConsumer(
        **settings.reader(f"restore-{changelog.topic}-{changelog.partition}"), group_id=None
    )
    what = f"reading {changelog.topic}/{changelog.partition}"
    try:
        async with with_deadline(settings.deadline, what):
            await consumer.start()
            use_raw_records(consumer, _MAX_ROW_BYTES)
            # Asked for by offset: after seek_to_beginning the end was seen as the position.
            begin = (await consumer.beginning_offsets([changelog]))[changelog]
            end = (await consumer.end_offsets([changelog]))[changelog]
        position = known.position if known else None
        start = known.end if known else begin
        if known and not begin <= known.end <= end:
            # The changelog lost what we were reading on from: begin anew.
            known, position, start = None, None, begin
        if known is None:
            rows.clear()
        consumer.assign([changelog])
        consumer.seek(changelog, start)
        count = 0
        reported_at = time.monotonic()
        at = start
        while at < end:
            fetched = await _next(consumer, changelog, settings.deadline, what)
            while not fetched.is_over:
                records, unreadable = fetched.take(_RESTORE_CHUNK)
                if unreadable:
                    raise Unrecoverable(_damaged(changelog, unreadable[0]))
                for record in records:
                    if record.key == POSITION_KEY:
                        position = decode_position(record.value)
                    else:
                        rows.load(record.key, record.value)
                count += len(records)
                at = fetched.end
                await asyncio.sleep(0)  # other partitions are at work meanwhile
            if time.monotonic() - reported_at >= 1:
                reported_at = time.monotonic()
                progress(at - start, end - start)
        return RestoreResult(position, end, count)
    finally:
        await close_within(2.0, consumer.stop())


async def _next(
    consumer: AIOKafkaConsumer, changelog: TopicPartition, deadline: float, what: str
) -> FetchResponse:
    """Give what is fetched next.

    Raises:
        SessionLost: Nothing came in time: `getmany` would give nothing for ever where the leader is
            unknown, or aiokafka's fetch task has died.
    """
    began = time.monotonic()
    while True:
        async with with_deadline(deadline, what):
            fetched = await take(consumer, changelog, 1000)
        if fetched is not None:
            return fetched
        if time.monotonic() - began > deadline:
            raise SessionLost(
                f"{what}: no fetch was answered for over {deadline:g} s: its leader is unknown or "
                "does not work"
            )


def _damaged(changelog: TopicPartition, found: Unreadable) -> str:
    """Say what of a changelog cannot be read, and what to do about it."""
    return (
        f"offset {found.offset} of the changelog {changelog.topic}/{changelog.partition} cannot be "
        f"read: {found.detail}. Rows would be missing silently. Where the partition has another "
        "replica let that lead (kafka-leader-election.sh), or bring the broker's disk back from a "
        "backup; otherwise start under another group, which rebuilds everything from what the "
        "source topic holds"
    )
