"""What the demo runs on: its settings, its broker, its topics."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from agents import kafka
from agents.demo.museums import museums
from agents.demo.worker import free_port
from agents.topics import admin
from streams.errors import LiveAudienceError, MisuseError
from streams.settings import Settings
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from agents.demo.console import DemoConsole

_LATENESS: Final = timedelta(minutes=15)
_CLEAN_UP: Final = 10.0


def settings_for(
    settings: Settings, brokers: str | None, more: Mapping[str, Any] | None = None
) -> Settings:
    """Return the settings of one run of the demo.

    What its figures rest on is set in full, whatever is set elsewhere; topics and group are new in
    each run; HTTP takes another port where its own is taken.

    Args:
        settings: The settings in force.
        brokers: Brokers of the user's, `host:port` with commas, which the settings say how to
            speak to; None if the demo starts its own.
        more: What else is set.

    Raises:
        MisuseError: `brokers` is no such list.
    """
    name = f"demo-{secrets.token_hex(3)}"
    fixed = {
        "topic_prefix": f"{name}.",
        "group": name,
        "instance": "",
        "partitioner": "murmur2",
        "lateness": _LATENESS,
        "lateness_by_platform": {},
        "carry": timedelta(minutes=2),
        "future": timedelta(minutes=2),
        "silence": None,
        "minutes": "on",  # the board shows each broadcast from its beginning
        "http_port": free_port(settings.http_host, settings.http_port),
        # So many at least, or some of the broadcasts would be missing from the metrics.
        "top_broadcasts": max(settings.top_broadcasts, len(museums()) + 1),
    }
    cluster: dict[str, Any] = {"brokers": brokers}
    if brokers is None:
        # Its own broker is one node that speaks plainly, however others are spoken to.
        plain = (field for field in Settings.model_fields if field.startswith("security"))
        defaults = {field: Settings.model_fields[field].default for field in plain}
        cluster = {**defaults, "replication": 1}
    try:
        return _changed(settings, {**fixed, **cluster, **(more or {})})
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise MisuseError(f"--brokers {brokers}: {reason}") from error


@asynccontextmanager
async def broker(settings: Settings, screen: DemoConsole) -> AsyncIterator[Settings]:
    """Run an Apache Kafka in the settings' data folder; yields the settings with its address.

    Raises:
        EmbeddedBrokerError: It cannot be had here, did not start, or died.
    """
    # Java and its jars are an extra, which those with a broker of their own need not have.
    from agents.broker import Broker, kafka_version  # noqa: PLC0415 - see above

    async with AsyncExitStack() as stack:
        with screen.step(f"starting an Apache Kafka {kafka_version()} of its own") as on_progress:
            kafka_here = await stack.enter_async_context(
                Broker(
                    settings.data / "demo" / "broker",
                    progress=lambda _, done, total: on_progress(done, total),
                )
            )
        yield _changed(settings, {"brokers": kafka_here.bootstrap})


@asynccontextmanager
async def topics(settings: Settings, screen: DemoConsole, *, keep: bool) -> AsyncIterator[None]:
    """Make the topics of this run, and delete them at the end unless they are to be kept.

    Raises:
        LiveAudienceError: They could not be made.
    """
    with screen.step(f"making the topics {settings.topic_prefix}*"):
        await admin.create_topics(settings)
    try:
        yield
    finally:
        if keep:
            screen.print(f"Left as they are: the topics {settings.topic_prefix}*")
        else:
            await _delete(settings, screen)


async def _delete(settings: Settings, screen: DemoConsole) -> None:
    prefix = settings.topic_prefix
    try:
        with screen.step(f"deleting the topics {prefix}*"):
            async with asyncio.timeout(_CLEAN_UP), kafka.admin(settings) as client:
                await client.delete_topics([topic.name for topic in Topics.of(settings)])
    except (LiveAudienceError, TimeoutError) as error:
        # What the demo ended with matters more; the topics' names say whose they are.
        screen.print(f"The topics {prefix}* could not be deleted and are left: {error}")


def _changed(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """Return the settings with changes, checked."""
    given = {field: getattr(settings, field) for field in Settings.model_fields}
    return Settings(**(given | dict(changes)))
