"""What can be said of a record whatever its broadcast's row says: read it, or refuse it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from streams.audience import MINUTE
from streams.codecs import new_scanner
from streams.events import parse_same_broadcast, read
from streams.rejections import Reason, Rejected
from streams.routing import PartitionChecker

if TYPE_CHECKING:
    from agents.pipeline.broadcasts.outcome import BatchResult
    from streams.audience.accept import TimedEvent
    from streams.settings import Settings

#: By so much, on top of AUDIENCE_FUTURE, an event may be ahead of the worker's clock: microseconds.
CLOCK_MARGIN: Final = 10 * MINUTE

#: Kafka's timestamp type of the broker's own clock.
_LOG_APPEND_TIME: Final = 1


class EventValidator:
    """Reads the records of one key, and refuses what cannot be taken.

    Args:
        settings: The settings in force.

    Attributes:
        future: By how much an event may be ahead of its Kafka timestamp, in microseconds.
        router: Knows where keys belong.
        scanner: The compiled reader of plain events; None where there is none.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.future = int(settings.future.total_seconds() * 1_000_000)
        self.router = PartitionChecker(settings.partitioner, settings.partitions)
        self.scanner = new_scanner()

    def of_partitions(self, partitions: int | None) -> None:
        """Take note of how many partitions the viewer events really have, if that is known."""
        if partitions is not None and partitions != self.router.partitions:
            self.router = PartitionChecker(self._settings.partitioner, partitions)

    def read_uniform(
        self, outcome: BatchResult, key: bytes, records: list[Any]
    ) -> list[TimedEvent] | None:
        """Judge the records of one key at once; None if one by one is how it must be done."""
        if key in outcome.misrouted:
            return None
        clock = round(outcome.batch.read_at * 1000)
        if self.scanner is not None and not outcome.is_retry:
            scanned = self.scanner.events(key, records, clock)
            return None if scanned is None else self._unless_ahead(outcome, *scanned)
        found = parse_same_broadcast([record.value for record in records])
        if found is None:
            return None
        events, ats = found
        if key != f"{events[0].platform}:{events[0].broadcast}".encode():
            return None
        timestamps = [record.timestamp or 0 for record in records]
        if min(timestamps) <= 0:
            return None
        timed_events = list(zip(events, ats, timestamps, strict=True))
        lead = max([at - timestamp * 1000 for _, at, timestamp in timed_events])
        return self._unless_ahead(outcome, timed_events, max(lead, max(ats) - clock * 1000))

    def _unless_ahead(
        self, outcome: BatchResult, timed_events: list[TimedEvent], lead: int
    ) -> list[TimedEvent] | None:
        if lead > self.future:
            return None
        outcome.clock_skew = max(outcome.clock_skew, lead)
        return timed_events

    def validate(  # noqa: C901  # one loop over what a record may be
        self, outcome: BatchResult, key: bytes, records: list[Any]
    ) -> tuple[list[TimedEvent], list[Any]]:
        """Refuse what cannot be taken whatever its broadcast's row says; return the rest."""
        timed_events: list[TimedEvent] = []
        kept = records
        platform = broadcast = ""
        future, clock_skew, mended = self.future, outcome.clock_skew, outcome.counters.mended
        clock = round(outcome.batch.read_at * 1000)
        for record in records:
            given = ""
            try:
                event, at = read(record.value, mended)
                if event.platform != platform or event.broadcast != broadcast:
                    given = event.platform
                    if key != f"{given}:{event.broadcast}".encode() or key in outcome.misrouted:
                        self.router.check(key, outcome.batch.partition, given, event.broadcast)
                    platform, broadcast = given, event.broadcast
                timestamp = record.timestamp or 0
                if timestamp <= 0:
                    timestamp = clock  # 0 and -1 are none
                lead = at - (min(clock, timestamp)) * 1000
                if lead > future:
                    given = platform
                    self._check_future(record, at, clock)
                if lead > clock_skew:  # noqa: PLR1730  # max() would call a function
                    clock_skew = lead
            except Rejected as refused:
                if kept is records:
                    kept = records[: len(timed_events)]
                outcome.reject(record, given or refused.platform, refused)
            else:
                timed_events.append((event, at, timestamp))
                if kept is not records:
                    kept.append(record)
        outcome.clock_skew = clock_skew
        return timed_events, kept

    def _check_future(self, record: Any, at: int, clock: int) -> None:
        """Reject what is yet to come (contract, sections 1 and 2).

        The broker's clock can be trusted, and is in a timestamp of type LogAppendTime. A producer's
        timestamp is as wrong as its `at`, so the worker's own clock counts too, with a margin: a
        worker whose clock is slow must reject nothing that is right.
        """
        timestamp = record.timestamp or 0
        limit = self.future
        if timestamp > 0 and (lead := at - timestamp * 1000) > limit:
            raise Rejected(
                Reason.FUTURE,
                f"at: {lead / 1e6:.3f} s after the record's Kafka timestamp, over the "
                f"{limit / 1e6:g} s of AUDIENCE_FUTURE",
            )
        limit += CLOCK_MARGIN
        is_brokers = timestamp > 0 and record.timestamp_type == _LOG_APPEND_TIME
        if not is_brokers and (lead := at - clock * 1000) > limit:
            raise Rejected(
                Reason.FUTURE,
                f"at: {lead / 1e6:.3f} s after the worker's clock, over the {limit / 1e6:g} s of "
                "AUDIENCE_FUTURE and 10 min: the record has no timestamp of the broker's (set "
                "message.timestamp.type=LogAppendTime on the topic)",
            )
