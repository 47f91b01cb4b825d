"""Being alone with a deployment's state, and writing to it."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from agents import kafka
from agents.state.operation import StateError
from agents.topics.groups import fence, members_of
from streams.errors import BrokerUnreachableError, LiveAudienceError
from streams.exact import ExactError
from streams.exact.errors import SessionLost
from streams.names import Names

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

    from aiokafka import AIOKafkaProducer

    from agents.state.stages import Stage
    from streams.settings import Settings

#: One transaction carries so many bytes at most, but for a last record.
TRANSACTION_BYTES: Final = 8 * 1024 * 1024

#: A produced batch; the topics' `max.message.bytes` is larger.
_BATCH_BYTES: Final = 900_000

_LOOKS: Final = 100
_LOOK_SECONDS: Final = 0.1


class Record(NamedTuple):
    """One record to be written; without a value it deletes its key."""

    topic: str
    partition: int
    key: bytes
    value: bytes | None


@contextmanager
def told_in_words() -> Iterator[None]:
    """Turn the exactly-once layer's errors into such as are shown to people.

    Raises:
        LiveAudienceError: for any of them.
    """
    try:
        yield
    except SessionLost as error:
        raise BrokerUnreachableError(f"Kafka did not do it: {error}") from error
    except ExactError as error:
        raise StateError(str(error)) from error


@asynccontextmanager
async def exclusive(
    settings: Settings, counts: Sequence[tuple[Stage, int]], what: str
) -> AsyncIterator[Writer]:
    """Be alone with the state, as long as nobody else asks for it in the same way.

    A worker that is in the group is refused. One that Kafka has given up, but that may wake up
    again, is fenced, as is another command of this kind; what either left open is aborted.

    Args:
        settings: The settings in force.
        counts: How many partitions each stage has, or will have.
        what: What is to be done, for people.

    Raises:
        StateError: A worker is in one of the groups.
        LiveAudienceError: The broker cannot be reached or does not allow it.
    """
    names = Names.of(settings)
    await refuse_members(settings, what)
    async with kafka.producer(
        settings,
        transactional_id=names.state_transaction,
        transaction_timeout_ms=int(settings.transaction_timeout.total_seconds() * 1000),
        max_batch_size=_BATCH_BYTES,
        max_request_size=2**31 - 1,  # the topics say what is too large, not the client
    ) as producer:
        await fence(
            settings,
            (
                stage.exact.transactional_id(stage.source, number)
                for stage, count in counts
                for number in range(count)
            ),
        )
        await refuse_members(settings, what)
        yield Writer(producer, settings.deadline.total_seconds())
    # A commit is answered before readers see it. Whoever asks for the same id anew is answered
    # when they do.
    async with kafka.producer(settings, transactional_id=names.state_transaction):
        pass


async def refuse_members(settings: Settings, what: str) -> None:
    """Do nothing if nobody is in the deployment's groups.

    Raises:
        StateError: Somebody is.
    """
    names = Names.of(settings)
    members = await members_of(settings, [names.broadcasts_group, names.scopes_group])
    if members:
        raise StateError(
            f"workers of AUDIENCE_GROUP={settings.group} are at work ({', '.join(members)}): stop "
            f"them all before {what}; one that was killed leaves the group after its "
            "AUDIENCE_SESSION_TIMEOUT"
        )


class Writer:
    """Writes records, each call in one transaction.

    Args:
        producer: Transactional, started.
        deadline: How long one transaction may take, in seconds.
    """

    def __init__(self, producer: AIOKafkaProducer, deadline: float) -> None:
        self._producer = producer
        self._deadline = deadline

    async def transact(self, records: Iterable[Record]) -> None:
        """Write all of these or none.

        Raises:
            LiveAudienceError: It took too long.
            KafkaError: It did not go.
        """
        try:
            async with asyncio.timeout(self._deadline), self._producer.transaction():
                await self._send(records)
        except TimeoutError as error:
            raise LiveAudienceError(
                f"a transaction took over {self._deadline:g} s (AUDIENCE_DEADLINE): see that "
                "Kafka answers and has its replicas, then run the same command again"
            ) from error

    async def learn(self, topic: str, partitions: int) -> None:
        """Wait until a topic's new partitions can be written to.

        Raises:
            LiveAudienceError: It took too long.
        """
        client = self._producer.client
        for _ in range(_LOOKS):
            if len(await self._producer.partitions_for(topic)) >= partitions:
                return
            await client.force_metadata_update()
            await asyncio.sleep(_LOOK_SECONDS)
        raise LiveAudienceError(
            f"the cluster does not tell of the new partitions of {topic} yet: run the same command "
            "again"
        )

    async def _send(self, records: Iterable[Record]) -> None:
        producer = self._producer
        now = time.time_ns() // 1_000_000
        open_batches: dict[tuple[str, int], Any] = {}
        sent = []
        for topic, partition, key, value in records:
            target = (topic, partition)
            batch = open_batches.get(target)
            if batch is None or batch.append(key=key, value=value, timestamp=now) is None:
                if batch is not None:
                    sent.append(await producer.send_batch(batch, topic, partition=partition))
                batch = open_batches[target] = producer.create_batch()
                batch.append(key=key, value=value, timestamp=now)  # the first always fits
        for (topic, partition), batch in open_batches.items():
            sent.append(await producer.send_batch(batch, topic, partition=partition))
        await asyncio.gather(*sent)


def in_transactions(
    groups: Iterable[Sequence[Record]],
) -> Iterator[list[Record]]:
    """Put groups of records, which belong together, into lists that make one transaction each."""
    chunk: list[Record] = []
    size = 0
    for group in groups:
        chunk.extend(group)
        size += sum(64 + len(record.key) + len(record.value or b"") for record in group)
        if size >= TRANSACTION_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
