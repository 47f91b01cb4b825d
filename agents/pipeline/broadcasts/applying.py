"""A broadcast's events go into its row: runs begin and end, scopes are told, summaries sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.audience import (
    MINUTE,
    NO_ROW,
    AcceptResult,
    Row,
    Tombstone,
    begins_run,
    gap_end,
    snapshot,
)
from streams.rejections import Reason, Rejected
from streams.summaries import minute_text

if TYPE_CHECKING:
    from agents.pipeline.broadcasts.minutes import SealedMinutes
    from agents.pipeline.broadcasts.outcome import BatchResult
    from agents.pipeline.broadcasts.publishing import SummaryPublisher
    from streams.audience import Rules
    from streams.audience.accept import TimedEvent
    from streams.events import ViewerEvent
    from streams.exact import Batch
    from streams.settings import Settings

_GONE = (
    "its run is over and its row is gone (AUDIENCE_RUN_GAP); what begins a new run must be later "
    "by more than AUDIENCE_RESTART_GAP, of revision 0, and a `started` or with viewers"
)

State = Row | Tombstone


class EventApplier:
    """Applies events that are right by themselves to the rows of their broadcasts.

    Args:
        settings: The settings in force.
        publisher: Sends summaries.
        minutes: Sends what is sealed; None where that is not asked for.
    """

    def __init__(
        self, settings: Settings, publisher: SummaryPublisher, minutes: SealedMinutes | None = None
    ) -> None:
        self._settings = settings
        self._publisher = publisher
        self._minutes = minutes
        self._rules: dict[str, Rules] = {}

    def rules_for(self, platform: str) -> Rules:
        """How a new broadcast of a platform is to be taken."""
        rules = self._rules.get(platform)
        if rules is None:
            if len(self._rules) > 10_000:  # noqa: PLR2004  # a bound on what producers may name
                self._rules.clear()
            rules = self._rules[platform] = self._settings.rules(platform)
        return rules

    def apply(  # noqa: C901  # a batch may hold several runs of a key
        self, outcome: BatchResult, key: bytes, events: list[TimedEvent], records: list[Any]
    ) -> None:
        """Apply events of one broadcast to its row: its deltas, its summaries, what is sealed.

        Args:
            outcome: What becomes of the batch.
            key: The broadcast's key.
            events: The events.
            records: Their records.
        """
        batch, counters = outcome.batch, outcome.counters
        platform = events[0][0].platform
        row = batch.row(key)
        if type(row) is Tombstone and row.expires <= round(batch.read_at * 1000):
            row = None
        place = 0
        if type(row) is Row:
            batch.changed[key] = row
            before = snapshot(row)
            result = row.accept_all(events, before)
        else:
            if row is not None:
                place = self._late_for(outcome, row, events, records)
                if place == len(events):
                    return
            before = NO_ROW
            row, result = self._begin(outcome, key, row, events[place:])
        accepted = 0
        while True:
            for late in result.late:
                at = place + late
                outcome.reject(records[at], platform, _late(*events[at][:2], row))
            accepted += result.accepted
            counters.relabelled += result.relabelled
            outcome.deltas.add_row(platform, before, row, result)
            place += result.stopped
            if place == len(events):
                break
            self.close(outcome, key, row)
            before = NO_ROW
            row, result = self._begin(outcome, key, row, events[place:])
        if accepted:
            counters.accepted[platform] = counters.accepted.get(platform, 0) + accepted
        # Many rows of a batch have nothing to fold and no end: they are passed by here.
        heard = accepted
        if row.newest - row.lateness > row.folded_until or row.ended is not None:
            self._seal(batch, key, row)
            heard = accepted if row.ended_at is None else result.last_busy + 1
        if heard:
            counters.heard.add(key)
        if result.publish:
            self._publisher.publish_change(batch, key, row, result.live_again)

    def _seal(self, batch: Batch[State], key: bytes, row: Row) -> None:
        """Fold what is sealed; its minutes go out, where they are asked for."""
        if self._minutes is not None and not self._publisher.is_cut(batch, row):
            self._minutes.seal(batch, key, row)
        row.fold_sealed()

    def settle(self, batch: Batch[State], key: bytes, row: Row) -> None:
        """Let a row that changes anyway know where its sealed minutes lie."""
        if self._minutes is not None:
            self._minutes.settle(batch, key, row)

    def _begin(
        self,
        outcome: BatchResult,
        key: bytes,
        former: State | None,
        events: list[TimedEvent],
    ) -> tuple[Row, AcceptResult]:
        """Begin a run with the first of these events."""
        rules = self.rules_for(events[0][0].platform)
        run = None if former is None else events[0][1] // MINUTE
        row, result = Row.begin(events, rules, run, gap_end(former, rules))
        outcome.batch.changed[key] = row
        if outcome.batch.since:
            outcome.counters.cut += self._publisher.is_cut(outcome.batch, row)
        return row, result

    def _late_for(
        self,
        outcome: BatchResult,
        tombstone: Tombstone,
        events: list[TimedEvent],
        records: list[Any],
    ) -> int:
        """Reject what comes too late for a run whose row is gone; return the place of what is not.

        A tombstone that has expired is none: the caller has looked.
        """
        rules = self.rules_for(events[0][0].platform)
        for place, (event, at, _) in enumerate(events):
            if begins_run(tombstone, event, at, rules):
                return place
            outcome.reject(records[place], event.platform, Rejected(Reason.LATE, _GONE))
        return len(events)

    def close(self, outcome: BatchResult, key: bytes, row: Row) -> None:
        """Let a run go: it is final, and its last summary has all its events."""
        if self._minutes is not None and not self._publisher.is_cut(outcome.batch, row):
            self._minutes.send_rest(outcome.batch, key, row)
        if not row.final:
            outcome.counters.finalised += 1
        elif not row.counts_changed:
            outcome.deltas.close(key, row)
            return
        outcome.deltas.close(key, row)
        self._publisher.publish(outcome.batch, key, row, "final")


def _late(event: ViewerEvent, at: int, row: Row) -> Rejected:
    if row.sealed_until >= at // MINUTE > row.newest - row.lateness:
        return Rejected(
            Reason.LATE,
            f"at: {event.at} is before the broadcast's newest run, for which all is sealed up to "
            f"{minute_text(row.sealed_until)} (AUDIENCE_RESTART_GAP after an end, AUDIENCE_RUN_GAP "
            "without one)",
        )
    return Rejected(
        Reason.LATE,
        f"at: {event.at} is {row.lateness} min or more before the broadcast's newest minute "
        "(AUDIENCE_LATENESS)",
    )
