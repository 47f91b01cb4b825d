"""Membership in the group, as its coordinator sees it.

aiokafka's heartbeats do not carry the instance (`group.instance.id`). So a worker whose instance
another one took over is told "unknown member" and joins again under the same instance, and the two
take the partitions from each other for ever. Heartbeats of version 3 carry it: the coordinator
answers `FENCED_INSTANCE_ID` to the one that was replaced.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from aiokafka.errors import KafkaError
from aiokafka.protocol.api import Request, RequestStruct
from aiokafka.protocol.group import (
    HeartbeatRequest,
    HeartbeatResponse_v1,
    JoinGroupRequest,
    SyncGroupRequest,
)
from aiokafka.protocol.types import Int32, Schema, String

from streams.exact.errors import Unrecoverable

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer

#: Kafka's error codes, of which aiokafka 0.14 does not know the second one.
_NONE, _FENCED_INSTANCE_ID, _REBALANCE_IN_PROGRESS = 0, 82, 27


class _HeartbeatResponse(HeartbeatResponse_v1):
    API_VERSION = 3


class _HeartbeatV3(RequestStruct):
    API_KEY = 12
    API_VERSION = 3
    RESPONSE_TYPE = _HeartbeatResponse
    SCHEMA = Schema(
        ("group", String("utf-8")),
        ("generation_id", Int32),
        ("member_id", String("utf-8")),
        ("group_instance_id", String("utf-8")),
    )


class _Heartbeat(Request[_HeartbeatV3]):
    API_KEY = 12

    def __init__(self, group: str, generation: int, member: str, instance: str | None) -> None:
        self._fields = (group, generation, member, instance)

    def build(self, request_struct_class: type[_HeartbeatV3]) -> _HeartbeatV3:
        return request_struct_class(*self._fields)


#: What the coordinator counts a member's silence from.
_CONFIRMING = (_Heartbeat, JoinGroupRequest, SyncGroupRequest)


class Membership:
    """Watches over one consumer's membership.

    Args:
        group: The group.
        instance: The `group.instance.id`, or None.
        instance_setting: How the user calls that setting, for what is told to him.

    Attributes:
        fenced: Set once another worker has taken the instance over.
    """

    def __init__(self, group: str, instance: str | None, instance_setting: str) -> None:
        self._group = group
        self._instance = instance
        self._setting = instance_setting
        self._coordinator: Any = None
        self._answered = self._confirmed = time.monotonic()
        self.fenced: Unrecoverable | None = None

    def watch(self, consumer: AIOKafkaConsumer) -> None:
        """Follow what a consumer's coordinator sends and is answered, from now on."""
        coordinator = consumer._coordinator  # noqa: SLF001  # shown nowhere
        if coordinator is None or coordinator is self._coordinator:
            return
        self._coordinator = coordinator
        self._answered = self._confirmed = time.monotonic()
        send = coordinator._send_req  # noqa: SLF001  # as above

        async def send_watched(request: Any) -> Any:
            if isinstance(request, HeartbeatRequest):
                request = self._heartbeat()
            sent = time.monotonic()
            response = await send(request)
            code = getattr(response, "error_code", _NONE)
            if code == _FENCED_INSTANCE_ID:
                # No KafkaError: after one of those aiokafka would join again.
                self.fenced = Unrecoverable(
                    f"another worker of group {self._group} uses the instance {self._instance!r} "
                    f"and has taken this one's place: give each worker its own {self._setting}, "
                    "or none"
                )
                raise self.fenced
            if code in (_NONE, _REBALANCE_IN_PROGRESS):
                self._answered = time.monotonic()
            if code == _NONE and isinstance(request, _CONFIRMING):
                # From when it was sent: the coordinator counts from when it came.
                self._confirmed = sent
            return response

        coordinator._send_req = send_watched  # noqa: SLF001  # as above

    def unanswered(self, now: float) -> float:
        """Return the seconds since the coordinator last took this worker for a member.

        Args:
            now: The time by a monotonic clock, in seconds.
        """
        return now - self._answered

    def unconfirmed(self, now: float) -> float:
        """Return the seconds since the last request went out that kept this worker a member.

        Args:
            now: The time by a monotonic clock, in seconds.
        """
        return now - self._confirmed

    async def is_confirmed(self) -> bool:
        """Ask the coordinator whether this worker is a member in the group's current generation.

        Whoever may answer is asked right now, so a process that stood still learns here that its
        partitions have moved. False as well while the group rebalances, and without an answer.

        Raises:
            Unrecoverable: Another worker has taken the instance over.
        """
        coordinator = self._coordinator
        if coordinator is None or not coordinator.member_id:
            return False
        try:
            response = await coordinator._send_req(  # noqa: SLF001  # watched, see above
                HeartbeatRequest(self._group, coordinator.generation, coordinator.member_id)
            )
        except KafkaError:
            return False
        return bool(response.error_code == _NONE)

    def _heartbeat(self) -> _Heartbeat:
        coordinator = self._coordinator
        return _Heartbeat(
            self._group, coordinator.generation, coordinator.member_id, self._instance
        )
