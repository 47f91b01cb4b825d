"""The agent `scopes`: adds up what batches of viewer events changed, and publishes it.

A scope has a head row under its name (`venue:louvre`) and a row for each chunk of minutes under its
name, a slash and the chunk's number (`venue:louvre/110417`): no name has a slash.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import structlog

from agents.following import CountsLostSessions
from streams.audience.scope import Chunk, Head, Scope, scope_summary
from streams.audience.scope_codec import decode_change, decode_scope
from streams.settings.durations import minutes
from streams.summaries import encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterator, Mapping
    from typing import Protocol

    from agents.following import SessionMeter
    from agents.live import LiveScopes
    from streams.exact import Batch, Rows
    from streams.settings import Settings
    from streams.topics import Topics

    class Meter(SessionMeter, Protocol):
        """What is counted of the scopes."""

        def scope_closed(self, minutes: int) -> None:
            """Count changes that came for minutes already closed."""


log = structlog.get_logger(__name__)

#: A scope is published at most once in so many milliseconds.
INTERVAL: Final = 1_000

#: How many scopes one batch publishes at most, so that ten thousand do not stop the rest.
_PUBLISH_AT_ONCE: Final = 500

#: How many changes a batch takes at most: each may rewrite two rows.
BATCH_RECORDS: Final = 5_000

#: How many decoded rows a partition keeps: a chunk takes ten times the memory of its bytes.
HOT_ROWS: Final = 500

_SLASH: Final = b"/"

State = Head | Chunk


class Scopes:
    """Works off batches of changes.

    Nothing in here awaits, sends or reads a clock.

    Args:
        settings: The settings in force.
        topics: Where to send what.
    """

    def __init__(self, settings: Settings, topics: Topics) -> None:
        self._summaries = topics.scope_summaries.name
        self._history = minutes(settings.scope_history)
        # By partition: the scopes that are due, longest first, and when they were last published.
        self._due: dict[int, dict[bytes, int]] = {}

    # -- following the partitions ----------------------------------------------------------------

    def restored(self, partition: int, rows: Rows[State]) -> None:
        """Begin to follow a partition's scopes.

        Args:
            partition: Its number.
            rows: All of its rows.
        """
        self._due[partition] = {
            key: head.published for key, head in heads(rows.committed) if head.due
        }

    def committed(self, batch: Batch[State]) -> None:
        """Take note of a durable batch."""
        due = self._due.get(batch.partition, {})
        for key, row in batch.changed.items():
            if isinstance(row, Head):
                if row.due:
                    due[key] = row.published
                else:
                    due.pop(key, None)

    def lost(self, partition: int) -> None:
        """Stop following a partition."""
        self._due.pop(partition, None)

    # -- batches ---------------------------------------------------------------------------------

    def work_off(self, batch: Batch[State]) -> None:
        """Add up a batch's changes, then publish what is due."""
        notes = batch.notes = Notes()
        scopes: dict[bytes, Scope] = {}
        for record in batch.records:
            key = record.key
            scope = scopes.get(key)
            if scope is None:
                scope = scopes[key] = _scope(batch, key)
            notes.closed += scope.add(decode_change(record.value), self._history)
        for key, scope in scopes.items():
            has_changed = scope.settle()
            for number, chunk in scope.changed.items():
                if chunk is None:
                    batch.changed[_chunk_key(key, number)] = None
            # The first records of a very long change tell of no newest minute yet.
            if has_changed and scope.head.newest >= 0:
                scope.head.due = True
        self._publish(batch)

    def _publish(self, batch: Batch[State]) -> None:
        """Publish the scopes that are due, unless they were less than the interval ago."""
        now = int(batch.read_at * 1000)
        waiting = self._due.get(batch.partition, {})
        ready = [key for key, published in waiting.items() if _is_over(published, now)]
        ready += [
            key
            for key, row in batch.changed.items()
            if isinstance(row, Head)
            and row.due
            and key not in waiting
            and _is_over(row.published, now)
        ]
        batch.more = len(ready) > _PUBLISH_AT_ONCE
        for key in ready[:_PUBLISH_AT_ONCE]:
            head = batch.rows.get(key) if key not in batch.changed else batch.changed[key]
            assert isinstance(head, Head)
            batch.changed[key] = head
            head.due, head.published = False, now
            value = encode(scope_summary(key.decode(), head))
            batch.send(self._summaries, key, value, timestamp=now)


class Notes:
    """What a batch did, for the metrics; told only once it is durable.

    Attributes:
        closed: How many minutes were to be changed that were closed.
    """

    __slots__ = ("closed",)

    def __init__(self) -> None:
        self.closed = 0


def _scope(batch: Batch[State], key: bytes) -> Scope:
    """A scope as a batch may change it."""
    head = batch.rows.get(key)
    if head is None:
        head = Head()
    assert isinstance(head, Head)
    # Before it is changed: should the batch fail, what is in `changed` is forgotten.
    batch.changed[key] = head
    chunks = _Chunks(batch, key)
    return Scope(head, chunks.load, chunks.peek)


def _chunk_key(key: bytes, number: int) -> bytes:
    return b"%b%b%d" % (key, _SLASH, number)


class _Chunks:
    """The chunks of one scope in one batch.

    It does not know the scope, which knows it: a circle would keep the batch in memory until the
    garbage collector comes by.
    """

    __slots__ = ("_batch", "_key")

    def __init__(self, batch: Batch[State], key: bytes) -> None:
        self._batch = batch
        self._key = key

    def load(self, number: int) -> Chunk:
        """Give a chunk to be changed."""
        key = _chunk_key(self._key, number)
        chunk = self._batch.changed[key] = self._read(key)
        return chunk

    def peek(self, number: int) -> Chunk:
        """Give a chunk to be looked at."""
        return self._read(_chunk_key(self._key, number))

    def _read(self, key: bytes) -> Chunk:
        chunk = self._batch.rows.get(key)
        if chunk is None:
            return Chunk()
        assert isinstance(chunk, Chunk)
        return chunk


def heads(committed: Mapping[bytes, bytes]) -> Iterator[tuple[bytes, Head]]:
    """The scopes of a partition with their heads, from its committed rows."""
    for key, value in committed.items():
        if _SLASH not in key:
            head = decode_scope(value)
            assert isinstance(head, Head)
            yield key, head


def _is_over(published: int, now: int) -> bool:
    """Whether a scope may be published again; also where a clock was ahead, and was set back."""
    return not -INTERVAL < now - published < INTERVAL


class ScopesFollowing(CountsLostSessions):
    """Follows the source of the scopes.

    Args:
        work: The agent's part, which knows what is due.
        live: What readers see.
        meter: What is counted.
        topic: What the source reads.
    """

    def __init__(self, work: Scopes, live: LiveScopes, meter: Meter, topic: str) -> None:
        super().__init__(meter, topic)
        self._work = work
        self._live = live
        self._closed = meter.scope_closed

    def restoring(self, partition: int, done: int, total: int) -> None:
        """Tell how far a long restore is."""
        log.info("restoring scopes", partition=partition, done=done, total=total)

    def restored(self, partition: int, rows: Rows[Any], seconds: float) -> None:
        """Begin to follow a partition."""
        log.info("scopes are back", partition=partition, rows=len(rows), seconds=round(seconds, 3))
        self._work.restored(partition, rows)
        self._live.restored(partition, rows)

    def committed(self, batch: Batch[Any], work_seconds: float, commit_seconds: float) -> None:
        """Take over what a batch has made durable."""
        del work_seconds, commit_seconds
        if batch.is_empty:
            return
        self._work.committed(batch)
        self._live.committed(batch.partition, batch.changed)
        if batch.notes.closed:
            self._closed(batch.notes.closed)

    def lost(self, partition: int) -> None:
        """Let go of a partition."""
        self._work.lost(partition)
        self._live.lost(partition)


async def scopes(batches: AsyncIterable[Batch[State]], work: Scopes) -> None:
    """Work off batches as they come: the body of the Faust agent."""
    async for batch in batches:
        with batch:
            work.work_off(batch)
