"""A bound on everything that waits for Kafka."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiokafka.errors import (
    ConsumerStoppedError,
    GroupAuthorizationFailedError,
    IllegalGenerationError,
    IllegalOperation,
    InvalidProducerEpoch,
    KafkaError,
    ProducerFenced,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from streams.exact.errors import Fenced, Refusal, SessionLost

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

_NOT_ALLOWED = (
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
_FENCED = (ProducerFenced, InvalidProducerEpoch)


@asynccontextmanager
async def bounded(seconds: float, what: str) -> AsyncIterator[None]:
    """Bound a wait for Kafka and say in this layer's terms what became of it.

    aiokafka waits for ever in several places (a producer whose old transaction the broker cannot
    finish never starts; one that failed never commits again): nothing here waits without this.

    Raises:
        Fenced: Another worker took the partition over.
        Refusal: The broker does not allow it, and never will.
        SessionLost: It took too long, or failed in a way that a new session mends.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise SessionLost(f"{what} took over {seconds:g} s") from error
    except _FENCED as error:
        raise Fenced(f"{what}: another worker has taken the partition over") from error
    except _NOT_ALLOWED as error:
        raise Refusal(f"{what}: the broker does not allow it: {error!r}") from error
    except (KafkaError, ConsumerStoppedError, IllegalGenerationError, IllegalOperation) as error:
        raise SessionLost(f"{what}: {error!r}") from error


async def let_go(seconds: float, closing: Awaitable[object]) -> None:
    """Close something of aiokafka's, for a bounded time, whatever it answers."""
    task = asyncio.ensure_future(closing)
    done, _ = await asyncio.wait({task}, timeout=seconds)
    if not done:
        task.cancel()
    elif not task.cancelled():
        task.exception()  # seen, so that asyncio does not report it
