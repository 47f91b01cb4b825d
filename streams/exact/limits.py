"""What topics take: the `max.message.bytes` of each, asked for or found out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import DescribeConfigsRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiokafka.client import AIOKafkaClient

_TOPIC: Final = 2
_SETTING: Final = "max.message.bytes"

#: After so many seconds a topic is asked about anew: its owner may have given it room.
_FRESH_SECONDS: Final = 300.0

#: What a topic takes is never thought to be less.
_LEAST: Final = 256


class Limits:
    """Knows how large a record batch each topic takes.

    Whoever may not ask (`DescribeConfigs`) finds out: a batch that is refused halves the limit.
    """

    def __init__(self) -> None:
        self._found: dict[str, int] = {}
        self._asked: dict[str, float] = {}

    def of(self, topic: str) -> int | None:
        """Return what a topic takes in bytes, None if that is not known."""
        return self._found.get(topic)

    async def look(self, client: AIOKafkaClient, topics: Iterable[str]) -> None:
        """Ask about topics whose limit is not known, or not from lately.

        Raises:
            KafkaError: The broker did not answer.
        """
        now = time.monotonic()
        wanted = [t for t in topics if now - self._asked.get(t, -_FRESH_SECONDS) >= _FRESH_SECONDS]
        if not wanted:
            return
        request = DescribeConfigsRequest([(_TOPIC, topic, [_SETTING]) for topic in wanted])
        try:
            response = await client.send(client.get_random_node(), request)
        except NotImplementedError:  # a broker that does not tell
            response = None
        for code, _, _, topic, entries in response.resources if response else ():
            if not code:
                for name, value, *_ in entries:
                    if name == _SETTING:
                        self._found[topic] = int(value)
        self._asked.update(dict.fromkeys(wanted, now))

    async def look_again(self, client: AIOKafkaClient, topic: str) -> None:
        """Ask about a topic anew, unless that was done a moment ago."""
        if time.monotonic() - self._asked.get(topic, 0.0) > 10:  # noqa: PLR2004  # seconds
            self._asked.pop(topic, None)
            try:
                await self.look(client, [topic])
            except KafkaError:
                return  # what was known stands

    def refused(self, topic: str, size: int, records: int) -> None:
        """Take note of a batch that a topic did not take."""
        self._found[topic] = max(_LEAST, size - 1 if records == 1 else size // 2)
        self._asked[topic] = time.monotonic()
