"""Kafka clients made from the settings, and their errors in words."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    IncompatibleBrokerVersion,
    InvalidTimestampError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    NodeNotReadyError,
    RequestTimedOutError,
    UnsupportedVersionError,
)

import streams.metadata  # noqa: F401 - by this, clients ask for their own topics alone
from agents.security import security_options
from streams.authorization import NOT_ALLOWED, missing_right
from streams.connection import failures
from streams.errors import (
    AccessError,
    BrokerUnfitError,
    BrokerUnreachableError,
    LiveAudienceError,
)
from streams.topics import REJECTED_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Container, Coroutine, Iterator

    from streams.settings import Settings

_log: Final = logging.getLogger(__name__)
CLIENT_ID: Final = "live-audience"
# How long a command waits for a broker before it says that there is none.
CONNECT_TIMEOUT: Final = 10.0
_UNREACHABLE: Final = (
    KafkaConnectionError,
    KafkaTimeoutError,
    NodeNotReadyError,
    RequestTimedOutError,
    TimeoutError,
)
_TOO_OLD: Final = (IncompatibleBrokerVersion, UnsupportedVersionError, NotImplementedError)


def client_options(settings: Settings) -> dict[str, Any]:
    """What every aiokafka client takes: brokers and security.

    Raises:
        SettingsError: a certificate, a key or the password cannot be read.
    """
    return {
        "bootstrap_servers": list(settings.brokers),
        "client_id": CLIENT_ID,
        **security_options(settings),
    }


@asynccontextmanager
async def admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client, started; its errors, and those of the body, in words.

    Raises:
        LiveAudienceError: what went wrong with the broker.
    """
    # Its requests wait no longer than people do.
    client = AIOKafkaAdminClient(
        **client_options(settings), request_timeout_ms=int(CONNECT_TIMEOUT * 1000)
    )
    async with _managed(settings, client, client.close, looking=True):
        yield client


@asynccontextmanager
async def producer(settings: Settings, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
    """An idempotent producer, started; stopped (and so flushed) at the end.

    Args:
        settings: brokers and security.
        options: aiokafka's own, on top.

    Raises:
        LiveAudienceError: what went wrong with the broker.
    """
    client = AIOKafkaProducer(
        **client_options(settings),
        **{"enable_idempotence": True, "max_request_size": REJECTED_BYTES, **options},
    )
    async with _managed(settings, client, client.stop, reads=frozenset()):
        yield client


@asynccontextmanager
async def reader(settings: Settings, **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of no group that reads what is committed, started.

    Args:
        settings: brokers and security.
        options: aiokafka's own, on top.

    Raises:
        LiveAudienceError: what went wrong with the broker.
    """
    client = AIOKafkaConsumer(
        **client_options(settings),
        **{
            "group_id": None,
            "enable_auto_commit": False,
            "isolation_level": "read_committed",
            "auto_offset_reset": "earliest",
            "max_partition_fetch_bytes": settings.fetch_bytes,
            **options,
        },
    )
    async with _managed(settings, client, client.stop):
        yield client


@asynccontextmanager
async def _managed(
    settings: Settings,
    client: Any,
    close: Any,
    reads: Container[str] | None = None,
    *,
    looking: bool = False,
) -> AsyncIterator[None]:
    with translated_errors(settings, reads, looking=looking):
        try:
            await _start(settings, client)
            yield
        finally:
            await _let_go(close())


async def _let_go(closing: Coroutine[Any, Any, None]) -> None:
    """Close a client, for a bounded time: one that began no transaction would wait for that."""
    task = asyncio.create_task(closing)
    done, _ = await asyncio.wait({task}, timeout=CONNECT_TIMEOUT)
    if not done:
        task.cancel()
    elif error := task.exception():
        # What had to be stored was waited for before; there is nothing left to lose.
        _log.debug("a client did not close in order: %r", error)


async def _start(settings: Settings, client: Any) -> None:
    started = time.monotonic()
    with _captured_logs() as heard:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await client.start()
        except (*_UNREACHABLE, OSError) as error:
            # aiokafka logs why it could not connect and raises an error that does not say.
            why = failures(time.monotonic() - started) or [each.rstrip(": ") for each in heard[-1:]]
            raise unreachable(settings, "; ".join(why)) from error


def unreachable(settings: Settings, why: str = "") -> BrokerUnreachableError:
    """The error that no broker answers, naming the settings that say which."""
    brokers = ",".join(settings.brokers)
    detail = f": {why}" if why else f" within {CONNECT_TIMEOUT:g} s"
    if "request metadata" in why and not settings.security.startswith("SASL"):
        # Up to here a broker that wants a login answers as any other.
        detail += "; if the broker asks for a login here, set AUDIENCE_SECURITY to SASL_SSL"
    return BrokerUnreachableError(
        f"no broker can be reached at AUDIENCE_BROKERS={brokers} "
        f"(AUDIENCE_SECURITY={settings.security}){detail}"
    )


@contextmanager
def translated_errors(
    settings: Settings, reads: Container[str] | None = None, *, looking: bool = False
) -> Iterator[None]:
    """Turn the errors of Kafka clients into such as are shown to people.

    Args:
        settings: brokers and security.
        reads: topics that are only read from; None if nothing is written to.
        looking: whether it is only asked what topics there are.

    Raises:
        LiveAudienceError: for any error of aiokafka.
    """
    started = time.monotonic()
    try:
        yield
    except _UNREACHABLE as error:
        why = failures(time.monotonic() - started) or [_message_of(error)]
        raise unreachable(settings, "; ".join(why)) from error
    except _TOO_OLD as error:
        raise BrokerUnfitError(
            f"the broker at AUDIENCE_BROKERS={','.join(settings.brokers)} is too old for this: "
            f"{_message_of(error)}; use Apache Kafka 2.8 or newer"
        ) from error
    except NOT_ALLOWED as error:
        raise AccessError(missing_right(error, reads, looking=looking)) from error
    except InvalidTimestampError as error:
        raise LiveAudienceError(
            "the broker refuses timestamps so far ahead of its clock (its setting "
            "message.timestamp.after.max.ms): the clock of this machine is wrong, or the broker's"
        ) from error
    except KafkaError as error:
        raise LiveAudienceError(f"the broker did not do it: {_message_of(error)}") from error


def _message_of(error: BaseException) -> str:
    return f"{type(error).__name__} {error}".strip()


class _LogCapture(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@contextmanager
def _captured_logs() -> Iterator[list[str]]:
    """Keep what aiokafka logs to itself, for the one line that is shown in its place.

    While any capture is open, each of them gets what any client logs.
    """
    logger = logging.getLogger("aiokafka")
    heard = _LogCapture()
    logger.propagate = False
    logger.addHandler(heard)
    try:
        yield heard.lines
    finally:
        logger.removeHandler(heard)
        # Each putting back what it found would leave the logger mute where two overlap.
        logger.propagate = not any(isinstance(each, _LogCapture) for each in logger.handlers)
