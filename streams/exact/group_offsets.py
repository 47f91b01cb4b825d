"""What a group has committed of a topic, beside where the topic ends: lag as seen from outside.

A partition at work knows its lag by its own fetches. Of one that is restoring or failing, or that
nobody works on, only the brokers know: its stored position goes to the group's offsets in the same
transaction as to the changelog, so the two are equal.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from aiokafka import TopicPartition

from streams.exact.deadline import with_deadline
from streams.exact.errors import SessionLost, Unrecoverable
from streams.exact.progress import Lag

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from aiokafka import AIOKafkaConsumer

logger = logging.getLogger(__name__)

#: So often is looked, in seconds.
LOOK_SECONDS: Final = 5.0

#: A look that is older does not tell how much waits now.
_FRESH_SECONDS: Final = 2 * LOOK_SECONDS

#: Whoever has a partition moves its position at least each minute where it is behind, for markers
#: of transactions too. So one that has not moved for longer is at work nowhere, or stuck.
STALLED_SECONDS: Final = 90.0


class _Seen(NamedTuple):
    """A partition at the last look.

    Attributes:
        end: Its last stable offset.
        committed: What the group has committed, None if nothing is known.
        looked: When that was, in monotonic seconds.
        moved: When it last was seen to have moved, or to wait for nothing; likewise.
    """

    end: int
    committed: int | None
    looked: float
    moved: float

    def waiting(self, stored: int | None = None) -> int | None:
        """Return how many offsets wait behind the position, None where that is not known."""
        known = [offset for offset in (self.committed, stored) if offset is not None]
        if not known:
            return None if self.end else 0
        return max(0, self.end - max(known))


class GroupOffsets:
    """Follows all partitions of a topic, whoever works on them. Pure.

    All times are of a monotonic clock, in seconds.
    """

    def __init__(self) -> None:
        self._seen: dict[int, _Seen] = {}

    def look(
        self, ends: Mapping[int, int], committed: Mapping[int, int | None], now: float
    ) -> None:
        """Take note of what the brokers say.

        Args:
            ends: The last stable offset of each partition.
            committed: What the group has committed of each, None for nothing.
            now: The time.
        """
        for partition, end in ends.items():
            seen = _Seen(end, committed.get(partition), now, now)
            before = self._seen.get(partition)
            if before is not None and before.committed == seen.committed and seen.waiting() != 0:
                seen = seen._replace(moved=before.moved)
            self._seen[partition] = seen

    def lag(self, partition: int, stored: int | None, own: Lag, now: float) -> Lag:
        """Return the lag of a partition that is this worker's and not at work.

        Args:
            partition: Its number.
            stored: The position that the worker knows it by, None before it has read that.
            own: What the partition says of itself.
            now: The time.
        """
        seen = self._seen.get(partition)
        if seen is None:
            return own
        waiting = seen.waiting(stored) if now - seen.looked <= _FRESH_SECONDS else None
        if waiting == 0:
            return Lag(0, 0.0)
        return Lag(waiting, max(own.seconds, now - seen.moved))

    def stalled(self, now: float, *, without: Container[int]) -> dict[int, Lag]:
        """Return the lags of partitions that nobody seems to work on.

        Something waits there, and the group's position has not moved for a while.

        Args:
            now: The time.
            without: Partitions that are left out: those of which the worker knows better.
        """
        return {
            partition: Lag(
                seen.waiting() if now - seen.looked <= _FRESH_SECONDS else None, now - seen.moved
            )
            for partition, seen in self._seen.items()
            if partition not in without and seen.looked - seen.moved >= STALLED_SECONDS
        }


async def watch_offsets(
    consumer: AIOKafkaConsumer, topic: str, partitions: int, offsets: GroupOffsets, deadline: float
) -> None:
    """Ask the brokers now and then, until cancelled; where they do not answer, what is known ages.

    To be ended before the consumer is: a closed one would connect anew.

    Args:
        consumer: One of the group that was started, with isolation `read_committed`.
        topic: What is read.
        partitions: How many partitions that has.
        offsets: Is told of each answer.
        deadline: How long one may take, in seconds.
    """
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            await look_at_offsets(consumer, topic, partitions, offsets, deadline)
        except (SessionLost, Unrecoverable) as error:
            logger.debug("the offsets of %s are not known: %s", topic, error)
        except Exception:  # no reason to stop: the work itself does not rest on it
            logger.exception("the offsets of %s could not be looked at", topic)


async def look_at_offsets(
    consumer: AIOKafkaConsumer, topic: str, partitions: int, offsets: GroupOffsets, deadline: float
) -> None:
    """Ask the brokers once; arguments as of `watch_offsets`.

    Raises:
        SessionLost: They did not answer.
        Unrecoverable: They do not allow it.
    """
    every = [TopicPartition(topic, number) for number in range(partitions)]
    async with with_deadline(deadline, f"asking for the offsets of {topic}"):
        # (In this order: then nothing that waits is taken for nothing.)
        ends = await consumer.end_offsets(every)
        committed = await consumer._coordinator.fetch_committed_offsets(every)  # noqa: SLF001  # it alone asks for several at once
    found = {tp.partition: known.offset for tp, known in committed.items()}
    offsets.look(
        {tp.partition: end for tp, end in ends.items()},
        {number: None if offset < 0 else offset for number, offset in found.items()},
        time.monotonic(),
    )
