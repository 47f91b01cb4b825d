"""What can go wrong with the embedded broker, each with what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.errors import LiveAudienceError

if TYPE_CHECKING:
    from pathlib import Path


class EmbeddedBrokerError(LiveAudienceError):
    """The embedded Apache Kafka cannot be had here, did not start, or died."""


class RuntimeMissingError(EmbeddedBrokerError):
    """This Python has no Java runtime, or not the resolver of the jars."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The embedded Apache Kafka cannot run here: {what}. "
            "Install live-audience with its extra: pip install 'live-audience[broker]'. "
            "Where that is not to be had, name a broker of your own in AUDIENCE_BROKERS."
        )


class JarError(EmbeddedBrokerError):
    """A jar could not be fetched, or is not the one of kafka.lock."""


class PortInUseError(EmbeddedBrokerError):
    """The broker's port cannot be listened on."""

    def __init__(self, port: int, reason: str) -> None:
        super().__init__(
            f"Apache Kafka cannot listen on 127.0.0.1:{port} ({reason}). "
            "Give another port, or 0 for one that is free."
        )


class FolderInUseError(EmbeddedBrokerError):
    """Another Kafka works in the data folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"The data folder {folder} is in use by another Apache Kafka. "
            "Stop that one, or give another folder."
        )


class BrokerDiedError(EmbeddedBrokerError):
    """The broker's process ended by itself or did not answer in time.

    Args:
        what: what happened, a sentence without its full stop.
        lines: the last lines of its log.
    """

    def __init__(self, what: str, lines: list[str]) -> None:
        log = "\n".join(f"  {line}" for line in lines) or "  (nothing)"
        super().__init__(f"{what}. The last lines of its log:\n{log}")
