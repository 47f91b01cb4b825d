"""Who owns which partition, as the group's coordinator tells it."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

import msgspec

from agents import kafka
from agents.serving.web.stage import UnknownOwnersError
from agents.topics.groups import describe_group
from streams.errors import LiveAudienceError
from streams.exact.assignor import read_members

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiokafka.admin import AIOKafkaAdminClient

    from streams.settings import Settings

#: What the group has said is believed for so many seconds: whoever answers says for which
#: partitions it does, so nothing goes wrong by it, but an owner may be asked in vain.
_BELIEVED: Final = 5.0
#: The group is not asked more often than that, in seconds, however much goes wrong.
_SPACED: Final = 0.2


#: Else partitions are being given out, and what is told of assignments is of before.
_STABLE: Final = "Stable"


class Told(msgspec.Struct, gc=False):
    """What a worker tells the others in its membership, as JSON.

    A newer version may tell more: what is not known here is ignored.

    Attributes:
        url: Where its HTTP answers.
    """

    url: str

    def encode(self) -> bytes:
        """As it stands in the membership."""
        return msgspec.json.encode(self)


class GroupClient:
    """One connection to Kafka by which groups are asked, opened when it is first needed.

    Args:
        settings: Brokers and security.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._open: AsyncExitStack | None = None
        self._client: AIOKafkaAdminClient | None = None
        self._opening = asyncio.Lock()

    async def owners(self, group: str, topic: str) -> dict[int, str | None]:
        """Where the owner of each partition of a topic answers; None if it does not tell.

        Raises:
            UnknownOwnersError: Kafka does not say.
        """
        try:
            async with self._opening:
                client = await self._connected()
            with kafka.translated_errors(self._settings, looking=True):
                state, members = await describe_group(client, group)
        except LiveAudienceError as error:
            await self.close()
            raise UnknownOwnersError(f"Kafka does not say who owns it: {error}") from error
        owners: dict[int, str | None] = {}
        if state != _STABLE:
            return owners
        for member in read_members(members, topic):
            owners.update(dict.fromkeys(member.partitions, _url(member.told)))
        return owners

    async def _connected(self) -> AIOKafkaAdminClient:
        if self._client is None:
            self._open = AsyncExitStack()
            self._client = await self._open.enter_async_context(kafka.admin(self._settings))
        return self._client

    async def close(self) -> None:
        """Close the connection; it is opened again when it is needed."""
        opened, self._open, self._client = self._open, None, None
        if opened is not None:
            await opened.aclose()


def _url(told: bytes | None) -> str | None:
    if told is None:
        return None
    try:
        return msgspec.json.decode(told, type=Told).url
    except msgspec.DecodeError:
        return None


class GroupOwners:
    """Who owns the partitions of one stage; what the group has said is kept for a while.

    Args:
        client: Asks the group.
        group: Its name.
        topic: What its members read.
    """

    def __init__(self, client: GroupClient, group: str, topic: str) -> None:
        self._client = client
        self._group = group
        self._topic = topic
        self._owners: Mapping[int, str | None] = {}
        self._asked_at = float("-inf")
        self._expired = True
        self._asking: asyncio.Task[None] | None = None

    async def current(self) -> Mapping[int, str | None]:
        """Where the owner of each owned partition answers; None if it does not tell.

        Raises:
            UnknownOwnersError: The group could not be asked.
        """
        age = time.monotonic() - self._asked_at
        if age > _BELIEVED or (self._expired and age > _SPACED):
            if self._asking is None:
                self._asking = asyncio.create_task(self._ask(), name=f"owners of {self._topic}")
                self._asking.add_done_callback(self._answered)
            # All who wait have one answer; who waits no longer takes it from nobody else.
            await asyncio.shield(self._asking)
        return self._owners

    def expire(self) -> None:
        """Ask the group anew next time: what it said did not hold."""
        self._expired = True

    async def _ask(self) -> None:
        self._expired = False
        self._owners = await self._client.owners(self._group, self._topic)
        self._asked_at = time.monotonic()

    def _answered(self, asking: asyncio.Task[None]) -> None:
        self._asking = None
        if not asking.cancelled():
            asking.exception()  # those who wait raise it
