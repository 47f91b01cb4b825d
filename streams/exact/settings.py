"""What the layer needs to know of its surroundings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Remedies:
    """What refusals tell people to do, in words of the application.

    Args:
        anew: Where rows and topic do not go together any more: how the rows are built again.
        grown: Where the topic has other partitions than when its rows were written.
        moving: Where rows are being put into the changelog by another program.
    """

    anew: str = (
        "start under another group, with a changelog of its own: it rebuilds everything from what "
        "the topic holds. Never delete this changelog alone: what was sent with it would be sent "
        "again"
    )
    grown: str = ""
    moving: str = "let the program that does it come to its end"


@dataclass(frozen=True)
class ExactSettings:
    """Settings of an exact source. All durations are in seconds.

    Args:
        client: Keyword arguments for every aiokafka client: `bootstrap_servers`, security, …
        group: The consumer group; part of the transactional ids.
        transactional_id_prefix: What stands in front of a partition's number in its transactional
            id; if it is empty, group and topic.
        instance: `group.instance.id` (static membership), or None.
        instance_setting: How the user calls that setting, for messages to him.
        batch_records: How many records a batch holds at most.
        batch_bytes: About how many bytes a batch holds at most, decompressed.
        batch_seconds: A batch that takes longer makes the next ones smaller; None for a quarter of
            the session timeout.
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
        rack: Where we are (`client.rack`): brokers with a rack-aware `replica.selector.class` let
            us read from a copy in the same rack. None: always from the leader.
        state_cache_ttl: How long rows of a partition that was taken away are worth keeping until it
            comes back: less than the changelog's `delete.retention.ms`, or deletions are missed.
        remedies: What refusals tell people to do.
    """

    client: Mapping[str, Any]
    group: str
    transactional_id_prefix: str = ""
    instance: str | None = None
    instance_setting: str = "group.instance.id"
    batch_records: int = 20_000
    batch_bytes: int = 16 * 1024 * 1024
    batch_seconds: float | None = None
    tick: float = 0.5
    deadline: float = 30.0
    patience: float = 300.0
    drain: float = 10.0
    session_timeout: float = 10.0
    rebalance_timeout: float = 60.0
    transaction_timeout: float = 60.0
    max_batch_bytes: int = 900_000
    fetch_bytes: int = 8 * 1024 * 1024
    rack: str | None = None
    state_cache_ttl: float = 3600.0
    client_id: str = field(default="exact")
    remedies: Remedies = Remedies()

    def transactional_id(self, topic: str, partition: int) -> str:
        """Return the id that one partition's writers share, so that a new one fences the old."""
        return f"{self.transactional_id_prefix or f'{self.group}-{topic}-'}{partition}"

    def reader(self, name: str) -> dict[str, Any]:
        """Return what all consumers here have in common, as arguments for aiokafka's.

        Args:
            name: What it is for: the end of its client id.
        """
        return {
            **self.client,
            "client_id": f"{self.client_id}-{name}",
            "enable_auto_commit": False,
            "auto_offset_reset": "none",  # never jump: what is missing is refused (see `resume.py`)
            "isolation_level": "read_committed",
            "fetch_max_bytes": 4 * self.fetch_bytes,
            "max_partition_fetch_bytes": self.fetch_bytes,
            "fetch_max_wait_ms": 100,
            "client_rack": self.rack,
        }
