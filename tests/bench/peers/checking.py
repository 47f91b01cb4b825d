"""Whether a contestant has come to the right figures: its rows beside what the events say."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from contestant import Contestant, Kept, Place, kept

sys.path.append(str(Path(__file__).parent / "programs"))

import figures

_SHOWN = 3


async def truth(brokers: str, topic: str, partitions: int, least: bytes = b"") -> dict[bytes, Kept]:
    """Do the job over all events of a topic, in this process.

    Args:
        brokers: the broker's address.
        topic: the events.
        partitions: of it.
        least: keys that begin so alone; all by default.
    """
    rows: dict[bytes, figures.Row] = {}
    async for key, value in records(brokers, topic, partitions):
        if key.startswith(least):
            event = orjson.loads(value)
            rows[key] = figures.add(rows.get(key), figures.millis(event["at"]), event["viewers"])
    return {key: kept(row) for key, row in rows.items()}


async def records(brokers: str, topic: str, partitions: int) -> AsyncIterator[tuple[bytes, bytes]]:
    """Read a topic up to where it ended at the start, of transactions those that were committed."""
    async with AIOKafkaConsumer(
        bootstrap_servers=brokers,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=2**22,
    ) as consumer:
        waiting = {TopicPartition(topic, number) for number in range(partitions)}
        consumer.assign(list(waiting))
        begins = await consumer.beginning_offsets(list(waiting))
        ends = await consumer.end_offsets(list(waiting))
        for each, offset in begins.items():
            consumer.seek(each, offset)
        while waiting:
            for batch in (await consumer.getmany(*waiting, timeout_ms=200)).values():
                for record in batch:
                    if record.value is not None:
                        yield record.key, record.value
            waiting = {each for each in waiting if await consumer.position(each) < ends[each]}


async def rows(contestant: Contestant, place: Place) -> dict[bytes, Kept]:
    """Read what a contestant has kept."""
    topic = contestant.changelog(place)
    if topic is None:
        return dict(contestant.local(place))
    stage = place.stage
    latest = {key: value async for key, value in records(stage.brokers, topic, stage.partitions)}
    return dict(found for each in latest.items() if (found := contestant.row(*each)) is not None)


def differences(found: dict[bytes, Kept], wanted: dict[bytes, Kept]) -> list[str]:
    """Say in words where rows differ from the truth; nothing if they do not."""
    keys = [
        key for key in sorted(wanted.keys() | found.keys()) if found.get(key) != wanted.get(key)
    ]
    said = [f"{key!r}: kept {found.get(key)}, true is {wanted.get(key)}" for key in keys[:_SHOWN]]
    return [f"{len(keys):,} of {len(wanted):,} broadcasts differ", *said] if keys else []


async def check(contestant: Contestant, place: Place, wanted: dict[bytes, Kept]) -> None:
    """Make sure that a contestant's figures are right; one that keeps nothing is not asked.

    Raises:
        RuntimeError: they are not; the message shows some that differ.
    """
    if contestant.durable and (wrong := differences(await rows(contestant, place), wanted)):
        raise RuntimeError(f"{contestant.name}: wrong figures. " + "\n".join(wrong))


def counted(found: dict[bytes, Kept]) -> int:
    """How many events are in rows."""
    return sum(row[0] + row[1] for row in found.values())
