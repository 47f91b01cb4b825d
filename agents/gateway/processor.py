"""The agent of the gateway: observations of one channel become viewer events, in their order."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog

from agents.gateway import observation, table
from agents.gateway.ledger import Ledger
from agents.gateway.rows import Channel
from streams import rfc3339
from streams.exact import Listener
from streams.routing import partition_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterator

    from agents.gateway.observation import Observation
    from agents.gateway.places import Places
    from agents.gateway.topics import GatewayTopics
    from streams.exact import Batch, Rows
    from streams.routing import Partitioner
    from streams.viewer_event import ViewerEvent

log = structlog.get_logger(__name__)

#: The second of a minute from which on a minute's own sample is made: near its end, so that what
#: joins and leaves tell of it comes first.
_TICK_SECOND: Final = 50
#: A channel of which nothing was read for so many seconds is forgotten: a week, as long as its
#: observations are kept.
KEPT: Final = 7 * 24 * 3600
#: So many of them in one batch.
_GO_AT_ONCE: Final = 500
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Notes:
    """What a batch did; told once it is durable.

    Attributes:
        events: viewer events by endpoint.
        repeated: observations of messages that were seen before, by endpoint.
        odd: records that are no observations.
    """

    events: Counter[str] = field(default_factory=Counter)
    repeated: Counter[str] = field(default_factory=Counter)
    odd: int = 0


class Processor:
    """Works off batches of observations. Nothing in here awaits or reads a clock.

    Args:
        topics: where to send what.
        places: venues and programmes.
        partitioner: how the partition of a viewer event follows from its key.
        partitions: how many partitions the viewer events have; looked at with `crc32` alone.

    Attributes:
        owned: the partitions whose rows are here.
        ledger: what is known of subscriptions and budgets in these partitions.
        version: another number whenever `owned` changed.
    """

    def __init__(
        self,
        topics: GatewayTopics,
        places: Places,
        partitioner: Partitioner,
        partitions: int,
    ) -> None:
        self.owned: set[int] = set()
        self.version = 0
        self.ledger = Ledger()
        self._events = topics.events.name
        self._places = places
        self._crc32 = partitioner == "crc32"
        self._partitions = partitions
        # By partition: the channels of which a broadcast is open whose viewers are told one by one.
        self.counted: defaultdict[int, set[bytes]] = defaultdict(set)
        self.open: defaultdict[int, set[bytes]] = defaultdict(set)
        self._touched: defaultdict[int, dict[bytes, int]] = defaultdict(dict)
        self._ticked: dict[int, int] = {}

    # -- following the partitions ----------------------------------------------------------------

    def restored(self, partition: int, rows: Rows[Channel]) -> None:
        """Begin to follow a partition's channels."""
        self.counted[partition] = set()
        self.open[partition] = set()
        self._touched[partition] = {}
        self.ledger.restored(partition)
        self.owned.add(partition)
        self.version += 1
        for key in rows:
            self._note(partition, key, rows.read(key))

    def committed(self, batch: Batch[Channel]) -> None:
        """Take note of a durable batch."""
        for key, row in batch.changed.items():
            self._note(batch.partition, key, row)

    def lost(self, partition: int) -> None:
        """Stop following a partition."""
        self.owned.discard(partition)
        self.version += 1
        self.ledger.lost(partition)
        kept: dict[int, Any]
        for kept in (
            self.counted,
            self.open,
            self._touched,
            self._ticked,
        ):
            kept.pop(partition, None)

    def _note(self, partition: int, key: bytes, row: Channel | None) -> None:
        if row is None:
            self._touched[partition].pop(key, None)
        else:
            self._touched[partition][key] = row.touched
        known = None if row is None else row.open
        for keys, belongs in (
            (self.open[partition], known is not None),
            (self.counted[partition], known is not None and known.present_for > 0),
        ):
            (keys.add if belongs else keys.discard)(key)
        self.ledger.note(partition, key, row)

    # -- batches ---------------------------------------------------------------------------------

    def steps(self, batch: Batch[Channel]) -> Iterator[None]:
        """Work a batch off, step by step: others may have a turn after each."""
        batch.result = Notes()
        batch.result.odd += sum(unreadable.records for unreadable in batch.unreadable)
        for record in batch.records:
            try:
                seen = observation.decode(record.value or b"")
            except msgspec.MsgspecError:
                batch.result.odd += 1
                log.exception("a record is no observation: it is skipped", offset=record.offset)
                continue
            self._take(batch, record.key, seen)
            yield
        yield from self._tick(batch)

    def _take(self, batch: Batch[Channel], key: bytes, seen: Observation) -> None:
        row = batch.row(key)
        if row is None:
            row = Channel(seen.endpoint, seen.platform, seen.channel)
        events = table.apply(row, seen)
        if events is None:
            batch.result.repeated[seen.endpoint] += 1
            return
        row.touched = int(batch.read_at)
        batch.changed[key] = row
        for event in events:
            self._send(batch, row, event)

    def _tick(self, batch: Batch[Channel]) -> Iterator[None]:
        """Once a minute: the viewers of broadcasts of which nothing was told in it."""
        now = int(batch.read_at * rfc3339.SECOND)
        minute, second = divmod(now // rfc3339.SECOND, 60)
        if not batch.caught_up or second < _TICK_SECOND:
            return
        if self._ticked.get(batch.partition) == minute:
            return
        self._ticked[batch.partition] = minute
        for key in sorted(self.counted[batch.partition] - batch.changed.keys()):
            row = batch.row(key)
            events = None if row is None else table.tick(row, now)
            if row is None or events is None:
                continue
            batch.changed[key] = row
            for event in events:
                self._send(batch, row, event)
            yield
        touched = self._touched[batch.partition]
        oldest = int(batch.read_at) - KEPT
        old = [key for key, at in touched.items() if at < oldest and key not in batch.changed]
        for key in old[:_GO_AT_ONCE]:
            batch.changed[key] = None

    def _send(self, batch: Batch[Channel], row: Channel, event: ViewerEvent) -> None:
        start = next((each.start for each in row.broadcasts if each.id == event.broadcast), None)
        event.venue = self._places.venue(row.endpoint, row.channel)
        event.programme = self._places.programme(
            row.endpoint,
            row.channel,
            rfc3339.microseconds(event.at) if start is None else start,
            event.title,
        )
        key = f"{event.platform}:{event.broadcast}".encode()
        batch.send(
            self._events,
            key,
            _encode({name: value for name, value in _fields(event) if value is not None}),
            # None lies where murmur2 puts the key, however many partitions the topic has.
            partition=partition_for(key, self._partitions, "crc32") if self._crc32 else None,
            timestamp=int(batch.read_at * 1000),
        )
        batch.result.events[row.endpoint] += 1


def _fields(event: ViewerEvent) -> Iterator[tuple[str, Any]]:
    for name in event.__struct_fields__:
        value = getattr(event, name)
        if (name, value) not in {("kind", "sample"), ("revision", 0)}:
            yield name, value


async def processor(batches: AsyncIterable[Batch[Channel]], work: Processor) -> None:
    """Work off batches as they come: the body of the Faust agent."""
    async for batch in batches:
        with batch:
            batch.require()
            for _ in work.steps(batch):
                await batch.breathe()


class ProcessorFollowing(Listener):
    """Follows the observations' source.

    Args:
        work: what knows the open broadcasts.
        meter: is told of each batch.
    """

    def __init__(self, work: Processor, meter: Callable[[Notes], None]) -> None:
        self._work = work
        self._meter = meter

    def restored(self, partition: int, rows: Rows[Any], seconds: float) -> None:
        """Begin to follow a partition."""
        log.info("channels are back", partition=partition, rows=len(rows), seconds=seconds)
        self._work.restored(partition, rows)

    def committed(self, batch: Batch[Any], work_seconds: float, commit_seconds: float) -> None:
        """Take note of what is durable."""
        del work_seconds, commit_seconds
        self._work.committed(batch)
        if batch.result is not None:
            self._meter(batch.result)

    def lost(self, partition: int) -> None:
        """Let go of a partition."""
        log.info("channels lost", partition=partition)
        self._work.lost(partition)
