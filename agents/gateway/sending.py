"""Writes to Kafka, and says whether it is stored: also while no broker can be reached."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError, RequestTimedOutError

from agents.gateway.topics import REJECTED_BYTES
from agents.kafka import client_options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streams.settings import Settings

log = structlog.get_logger(__name__)

#: Records wait so long for others of their batch, in milliseconds: a batch costs the broker more
#: than a record does.
_LINGER: Final = 2
_PAUSE: Final = 1.0
#: What came and is not stored yet: beyond it senders are told to come again.
_MOST_WAITING: Final = 20_000


class Unacknowledged(Exception):
    """Kafka has not acknowledged it in time; it may still be stored later."""


class Output(NamedTuple):
    """One record."""

    topic: str
    key: bytes
    value: bytes
    timestamp: int
    headers: Sequence[tuple[str, bytes]] = ()


class Sender:
    """An idempotent producer that waits for all copies, begun anew when it has failed.

    Args:
        settings: brokers and security.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._beginning: asyncio.Task[None] | None = None
        self._waiting = 0
        self._failed: set[asyncio.Task[None]] = set()
        self._late: set[asyncio.Task[None]] = set()

    @property
    def not_ready_reason(self) -> str | None:
        """What is missing, or None."""
        return None if self._producer is not None else "Kafka cannot be reached for writing yet"

    def start(self) -> None:
        """Begin to connect; returns at once."""
        if self._beginning is None or self._beginning.done():
            self._beginning = asyncio.create_task(self._connect())

    async def stop(self) -> None:
        """Send what waits, for a bounded time, and disconnect."""
        if self._beginning is not None:
            self._beginning.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._beginning
        if self._failed or self._late:
            await asyncio.wait(self._failed | self._late, timeout=_PAUSE)
        for task in self._late:
            task.cancel()
        producer, self._producer = self._producer, None
        if producer is not None:
            await _close(producer)

    async def _connect(self) -> None:
        while True:
            producer = AIOKafkaProducer(
                **client_options(self._settings),
                enable_idempotence=True,
                acks="all",
                linger_ms=_LINGER,
                max_request_size=REJECTED_BYTES,
            )
            try:
                await producer.start()
            except asyncio.CancelledError:
                await _close(producer)
                raise
            except (KafkaError, OSError) as error:
                log.warning("Kafka cannot be reached; it is tried again", reason=str(error))
                await _close(producer)
                await asyncio.sleep(_PAUSE)
            else:
                self._producer = producer
                return

    async def send(
        self, outputs: Sequence[Output], seconds: float, lost: Callable[[], None]
    ) -> None:
        """Write records and wait until they are stored.

        Args:
            outputs: the records.
            seconds: how long to wait at most.
            lost: called once for each record that is not stored in the end.

        Raises:
            Unacknowledged: some of them were not stored in time.
        """
        if self._producer is None or self._waiting >= _MOST_WAITING:
            for _ in outputs:
                lost()
            raise Unacknowledged
        # Without a task for each: what becomes of them in the end is seen to in `_append`.
        sent: list[asyncio.Future[Any]] = []
        try:
            async with asyncio.timeout(seconds):
                for output in outputs:
                    # (One by one: where one fails, those before it are on their way.)
                    sent.append(await self._append(output, lost))  # noqa: PERF401 - see above
                await asyncio.wait(sent)
        except TimeoutError:
            # There is no room for it while Kafka is away: it waits on, for who never sends again.
            for output in outputs[len(sent) :]:
                self._append_later(output, lost)
            raise Unacknowledged from None
        except Unacknowledged:
            for _ in outputs[len(sent) :]:
                lost()
            raise
        if any(each.cancelled() or each.exception() is not None for each in sent):
            raise Unacknowledged

    async def _append(self, output: Output, lost: Callable[[], None]) -> asyncio.Future[Any]:
        """Hand a record to the producer; what becomes of it is seen to, whoever still waits.

        Raises:
            Unacknowledged: the producer does not take it.
        """
        producer = self._producer
        if producer is None:
            raise Unacknowledged
        self._waiting += 1
        try:
            sent: asyncio.Future[Any] = await producer.send(
                output.topic,
                output.value,
                output.key,
                timestamp_ms=output.timestamp,
                headers=list(output.headers),
            )
        except (KafkaError, OSError) as error:
            self._waiting -= 1
            self._failed_to_store(producer, output.topic, error)
            raise Unacknowledged from None
        except asyncio.CancelledError:
            self._waiting -= 1
            raise

        def done(future: asyncio.Future[Any]) -> None:
            self._waiting -= 1
            if future.cancelled():
                lost()
            elif (error := future.exception()) is not None:
                lost()
                self._failed_to_store(producer, output.topic, error)

        sent.add_done_callback(done)
        return sent

    def _append_later(self, output: Output, lost: Callable[[], None]) -> None:
        async def append() -> None:
            try:
                await self._append(output, lost)
            except Unacknowledged:
                lost()
            except asyncio.CancelledError:
                lost()
                raise

        task = asyncio.create_task(append())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    def _failed_to_store(
        self, producer: AIOKafkaProducer, topic: str, error: BaseException
    ) -> None:
        log.warning("a record was not stored", topic=topic, reason=repr(error))
        if not isinstance(error, KafkaTimeoutError | RequestTimedOutError):
            self._begin_anew(producer)

    def _begin_anew(self, failed: AIOKafkaProducer) -> None:
        """Replace a producer: after some errors an idempotent one takes nothing any more."""
        if self._producer is not failed:
            return
        self._producer = None
        closing = asyncio.create_task(_close(failed))
        self._failed.add(closing)
        closing.add_done_callback(self._failed.discard)
        self.start()


async def _close(producer: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(5):
            await producer.stop()
    except (KafkaError, OSError, TimeoutError) as error:
        log.debug("a producer did not close in order", reason=repr(error))
