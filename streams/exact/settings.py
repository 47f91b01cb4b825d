"""What the layer needs to know of its surroundings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class ExactSettings:
    """Settings of an exact source. All durations are in seconds.

    Args:
        client: Keyword arguments for every aiokafka client: `bootstrap_servers`, security, …
        group: The consumer group; part of the transactional ids.
        instance: `group.instance.id` (static membership), or None.
        instance_setting: How the user calls that setting, for messages to him.
        batch_records: How many records a batch holds at most.
        tick: The longest pause between two batches of a partition, empty ones included.
        deadline: For every start, write and commit; past it the session is given up.
        patience: How long nothing at all may go on before the process ends: no batch became
            durable, no restore came on, and no partition was known to have nothing waiting.
        drain: How long a stop waits for batches in flight.
        session_timeout: Without a heartbeat for so long a worker counts as dead.
        rebalance_timeout: How long the group waits for its members to join again.
        transaction_timeout: After so long the broker aborts a transaction left open.
        max_batch_bytes: Size of one produced batch; the topics' `max.message.bytes` must be larger.
        fetch_bytes: How much is fetched of a partition at a time.
        keep_state: How long rows of a partition that was taken away are worth keeping until it
            comes back: less than the changelog's `delete.retention.ms`, or deletions are missed.
    """

    client: Mapping[str, Any]
    group: str
    instance: str | None = None
    instance_setting: str = "group.instance.id"
    batch_records: int = 20_000
    tick: float = 0.5
    deadline: float = 30.0
    patience: float = 300.0
    drain: float = 10.0
    session_timeout: float = 10.0
    rebalance_timeout: float = 60.0
    transaction_timeout: float = 60.0
    max_batch_bytes: int = 900_000
    fetch_bytes: int = 8 * 1024 * 1024
    keep_state: float = 3600.0
    client_id: str = field(default="exact")

    def transactional_id(self, topic: str, partition: int) -> str:
        """Return the id that one partition's writers share, so that a new one fences the old."""
        return f"{self.group}-{topic}-{partition}"
