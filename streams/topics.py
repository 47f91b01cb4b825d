"""Every topic of the system: its name, and how it is to be set up and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Self

from streams.names import Names
from streams.settings.durations import milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from streams.settings import Settings

_KIB: Final = 1024
_MIB: Final = 1024 * _KIB
_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)

# The largest batch of viewer events, as compressed: 16 of the largest that are read.
EVENT_BYTES: Final = _MIB
# Whatever was read can be refused: the first 512 KiB of its value, 1 KiB of its key and 16 KiB of
# its headers. There is room to spare for several in one batch.
REJECTED_BYTES: Final = 4 * _MIB
# What is kept of a refused record's value.
REJECTED_VALUE_BYTES: Final = 512 * _KIB
# A row holds its open minutes, and a lateness of days has thousands of them.
ROW_BYTES: Final = 4 * _MIB

# From this many copies on, a write waits for two of them: one broker may fail and nothing is lost
# or stands still.
_COPIES_FOR_QUORUM: Final = 3
_QUORUM: Final = 2


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic as it should be.

    Attributes:
        name: see `streams.names`.
        holds: what its records are, for people.
        partitions: how many.
        replication: copies of each partition.
        config: Kafka's settings for it.
        co_partitioned: the name of the topic whose partitions it follows one by one, if any.
    """

    name: str
    holds: str
    partitions: int
    replication: int
    config: Mapping[str, str] = field(default_factory=dict)
    co_partitioned: str | None = None

    @property
    def compacted(self) -> bool:
        """Whether Kafka keeps the last record of each key, for good."""
        return self.config["cleanup.policy"] == "compact"


@dataclass(frozen=True, slots=True)
class Topics:
    """All topics of one pipeline.

    Attributes:
        events: viewer events, from the producers.
        rejected: those that were refused, with the reason.
        broadcast_summaries: what came of each broadcast.
        scope_summaries: what came of each scope.
        output_owner: who writes the three before.
        broadcast_minutes: sealed minutes of broadcasts; None unless AUDIENCE_MINUTES is on.
        broadcasts_changelog: rows and positions of the first stage.
        scope_deltas: differences on their way from the first stage to the second.
        scopes_changelog: rows and positions of the second stage.
    """

    events: Topic
    rejected: Topic
    broadcast_summaries: Topic
    scope_summaries: Topic
    output_owner: Topic
    broadcast_minutes: Topic | None
    broadcasts_changelog: Topic
    scope_deltas: Topic
    scopes_changelog: Topic

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The topics that these settings ask for."""
        names = Names.of(settings)

        def topic(
            name: str,
            holds: str,
            config: Mapping[str, str],
            co_partitioned: str | None = None,
            partitions: int = settings.partitions,
        ) -> Topic:
            quorum = _QUORUM if settings.replication >= _COPIES_FOR_QUORUM else 1
            return Topic(
                name,
                holds,
                partitions,
                settings.replication,
                {**config, "min.insync.replicas": str(quorum)},
                co_partitioned,
            )

        return cls(
            events=topic(
                names.events,
                "viewer events",
                {
                    **_deleted(settings.retention, EVENT_BYTES),
                    # `future` is decided by the record's timestamp. A producer whose clock is wrong
                    # gives event and record the same wrong time; the broker's clock tells.
                    "message.timestamp.type": "LogAppendTime",
                },
            ),
            rejected=topic(
                names.rejected,
                "refused viewer events",
                _deleted(settings.rejected_retention, REJECTED_BYTES),
            ),
            broadcast_summaries=topic(
                names.broadcast_summaries, "summaries of broadcasts", _compacted(_MIB)
            ),
            scope_summaries=topic(names.scope_summaries, "summaries of scopes", _compacted(_MIB)),
            output_owner=topic(
                names.output_owner,
                "who writes the three topics above",
                _compacted(_MIB),
                partitions=1,
            ),
            broadcast_minutes=(
                topic(
                    names.broadcast_minutes,
                    "sealed minutes of broadcasts",
                    _deleted(settings.minutes_retention, _MIB),
                )
                if settings.minutes == "on"
                else None
            ),
            broadcasts_changelog=topic(
                names.broadcasts_changelog,
                "state of the broadcasts",
                _compacted(ROW_BYTES),
                names.events,
            ),
            scope_deltas=topic(
                names.scope_deltas,
                "differences by scope, on their way to the scopes",
                _deleted(7 * _DAY, ROW_BYTES),
            ),
            scopes_changelog=topic(
                names.scopes_changelog,
                "state of the scopes",
                _compacted(ROW_BYTES),
                names.scope_deltas,
            ),
        )

    def __iter__(self) -> Iterator[Topic]:
        """All of them, outside ones first."""
        yield self.events
        yield self.rejected
        yield self.broadcast_summaries
        yield self.scope_summaries
        yield self.output_owner
        if self.broadcast_minutes is not None:
            yield self.broadcast_minutes
        yield self.broadcasts_changelog
        yield self.scope_deltas
        yield self.scopes_changelog


def _deleted(retention: timedelta, max_bytes: int) -> dict[str, str]:
    return {
        "cleanup.policy": "delete",
        "retention.ms": str(milliseconds(retention)),
        "max.message.bytes": str(max_bytes),
    }


def _compacted(max_bytes: int) -> dict[str, str]:
    """A compacted topic of which a reader from the start reads little more than what is current.

    Such a reader meets three stretches: what the cleaner has been through (one record a key), what
    has closed since (dirty), and the segment still being written, which is never cleaned. Kafka's
    defaults (dirty up to as much as clean, a segment of 1 GiB or a week) are for logs read rarely;
    this one is read at every hand-over of a partition, while its broadcasts stand still.
    """
    return {
        "cleanup.policy": "compact",
        "max.message.bytes": str(max_bytes),
        # The open segment is read in full: 16 MiB are some 20,000 rows, read in a tenth of a
        # second. Four times the largest record, as a segment must hold one.
        "segment.bytes": str(16 * _MIB),
        # A partition that is calm closes its segment too, so that rows of broadcasts long final
        # leave, instead of waiting a week for 16 MiB.
        "segment.ms": str(milliseconds(_HOUR)),
        # Cleaned once dirty is 0.3 of the whole: then it is at most 0.43 of the clean part, and a
        # restore reads 1.43 times the live rows and one segment. Each cleaning rewrites the clean
        # part, 2.3 bytes for each new one; at 0.1 that would be 9.
        "min.cleanable.dirty.ratio": "0.3",
        # However little is dirty, a replaced row is gone from the disk after a day.
        "max.compaction.lag.ms": str(milliseconds(_DAY)),
        # A deleted key's marker stays a day past its first cleaning: whoever reads on from a
        # position of its own (rows kept while a partition is elsewhere) must do so within it, or
        # read from the start.
        "delete.retention.ms": str(milliseconds(_DAY)),
    }
