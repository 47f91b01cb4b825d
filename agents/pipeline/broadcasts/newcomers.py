"""Broadcasts that a batch tells of once, by a plain sample, and that have no row yet.

A backlog of many broadcasts is made of such. Whatever is not plainly one is left to the general
way, which comes to the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.audience import Row
from streams.audience.minute import MINUTE
from streams.events import read_plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from agents.pipeline.broadcasts.outcome import BatchResult
    from streams.audience import Rules
    from streams.codecs.scanner import EventScanner
    from streams.exact import Batch


def newcomers(
    outcome: BatchResult,
    future: int,
    rules_for: Callable[[str], Rules],
    is_cut: Callable[[Batch[Any], Row], bool],
    scanner: EventScanner | None = None,
) -> Callable[[bytes, Any], bool]:
    """Make the function that takes the only record of a key, for one batch.

    Args:
        outcome: What becomes of the batch.
        future: By how much an event may be ahead of its Kafka timestamp, in microseconds.
        rules_for: How a new broadcast of a platform is to be taken.
        is_cut: Whether a row may have lost its beginning.
        scanner: The compiled reader of plain events; None where there is none.

    Returns:
        A function of a key and its record. It returns False, with nothing done, where the general
        way must decide: there is a row already, or the record is no plain sample.
    """
    batch, counters, misrouted = outcome.batch, outcome.counters, outcome.misrouted
    known, changed, since = batch.rows.entries, batch.changed, batch.since
    delta_of, accepted, heard = outcome.deltas.of, counters.accepted, counters.heard.add
    clock = round(batch.read_at * 1000)
    new = Row.new
    scan = None if scanner is None else scanner.event
    rules_by_platform: dict[str, Rules] = {}

    def begin(key: bytes, record: Any) -> bool:
        if key in known:
            return False
        found = None if scan is None else scan(key, record.value)
        is_scanned = found is not None
        if found is None and (found := read_plain(record.value)) is None:
            return False
        event, at = found
        platform, timestamp = event.platform, record.timestamp or 0
        lead = at - (min(clock, timestamp)) * 1000
        if (
            event.kind != "sample"
            or timestamp <= 0
            or lead > future
            or key in misrouted
            or (not is_scanned and key != f"{platform}:{event.broadcast}".encode())
        ):
            return False
        outcome.clock_skew = max(outcome.clock_skew, lead)
        rules = rules_by_platform.get(platform)
        if rules is None:
            rules = rules_by_platform[platform] = rules_for(platform)
        row = changed[key] = new(event, at, timestamp, rules)
        delta_of(platform, event.venue, event.programme).add_sample(
            row, event, at // MINUTE, timestamp
        )
        accepted[platform] = accepted.get(platform, 0) + 1
        heard(key)
        if since:
            counters.cut += is_cut(batch, row)
        return True

    return begin
