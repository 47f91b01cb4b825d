"""A bound on everything that waits for Kafka."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiokafka.errors import (
    ConsumerStoppedError,
    IllegalGenerationError,
    IllegalOperation,
    InvalidProducerEpoch,
    KafkaError,
    ProducerFenced,
)

from streams.authorization import NOT_ALLOWED, missing_right
from streams.connection import causes, failures
from streams.exact.errors import Fenced, SessionLost, Unrecoverable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Container

_FENCED = (ProducerFenced, InvalidProducerEpoch)


@asynccontextmanager
async def with_deadline(
    seconds: float, what: str, reads: Container[str] | None = None
) -> AsyncIterator[None]:
    """Bound a wait for Kafka and say in this layer's terms what became of it.

    aiokafka waits for ever in several places (a producer whose old transaction the broker cannot
    finish never starts; one that failed never commits again): nothing here waits without this.

    Args:
        seconds: How long it may take.
        what: What is waited for, for people.
        reads: Topics that are only read from meanwhile; None if nothing is written to.

    Raises:
        Fenced: Another worker took the partition over.
        Unrecoverable: The broker does not allow it, and never will.
        SessionLost: It took too long, or failed in a way that a new session mends.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise SessionLost(f"{what} took over {seconds:g} s{_unconnected(seconds)}") from error
    except _FENCED as error:
        raise Fenced(f"{what}: another worker has taken the partition over") from error
    except (KafkaError, ConsumerStoppedError, IllegalGenerationError, IllegalOperation) as error:
        # aiokafka tells of some as an unexpected error that comes of the one that matters.
        denied = next((each for each in causes(error) if isinstance(each, NOT_ALLOWED)), None)
        if denied is not None:
            raise Unrecoverable(f"{what}: {missing_right(denied, reads)}") from error
        raise SessionLost(f"{what}: {error!r}{_unconnected(seconds)}") from error


def _unconnected(seconds: float) -> str:
    """Which brokers could not be connected to meanwhile, and why: aiokafka only logs it."""
    return "".join(f"; no connection to {each}" for each in failures(seconds + 1))


async def close_within(seconds: float, closing: Awaitable[object]) -> None:
    """Close something of aiokafka's, for a bounded time, whatever it answers."""
    task = asyncio.ensure_future(closing)
    done, _ = await asyncio.wait({task}, timeout=seconds)
    if not done:
        task.cancel()
    elif not task.cancelled():
        task.exception()  # seen, so that asyncio does not report it
