"""What is left of a batch when our own code fails on part of it.

The agent takes a batch quickly, and minds no defect of its own. Should one show, nothing that was
done stays, and the batch is processed again by this: each broadcast apart, its records tried one
by one on a copy of its row. What fails is refused as `error`, with its row as it was; the rest
counts as if that had never come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from streams import audience
from streams.audience import (
    MINUTE,
    NO_ROW,
    Delta,
    Row,
    add_to_groups,
    begins_run,
    gap_end,
    snapshot,
)
from streams.errors import LiveAudienceError
from streams.rejections import Reason, Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    from agents.pipeline.broadcasts.lifecycle import Timers
    from agents.pipeline.broadcasts.outcome import BatchResult
    from streams.audience import Rules
    from streams.audience.accept import TimedEvent

    class Steps(Protocol):
        """The agent's steps that are used here."""

        def apply_many(
            self, outcome: BatchResult, key: bytes, records: list[Any]
        ) -> Iterator[None]:
            """Judge and take in the records of one key, step by step."""

        def validate(
            self, outcome: BatchResult, key: bytes, records: list[Any]
        ) -> tuple[list[TimedEvent], list[Any]]:
            """Refuse what cannot be taken whatever its broadcast's row says; return the rest."""

        def on_timer(self, outcome: BatchResult, timers: Timers, key: bytes) -> None:
            """Look at a row whose time may have come."""

        def rules_for(self, platform: str) -> Rules:
            """How a new broadcast of a platform is to be taken."""


log = structlog.get_logger(__name__)

#: So many defects of a batch are logged with all that is known of them, the rest counted.
_LOGGED = 5

#: Characters of an error's own words that a refused record says.
_MAX_DETAIL = 500


class RecordByRecordRetry:
    """Works off one batch so that a defect of our own costs only what it concerns.

    Args:
        work: The agent's part, of which this uses the steps.
    """

    def __init__(self, work: Steps) -> None:
        self._work = work
        self._defects = 0

    def process_key(self, outcome: BatchResult, key: bytes, records: list[Any]) -> Iterator[None]:
        """Judge and take in the records of one key, but for those that fail, step by step."""
        good = []
        for record in self._passing_records(outcome, key, records):
            if record is not None:
                good.append(record)
            yield
        part, sent = outcome.part(), len(outcome.batch.outputs)
        try:
            yield from self._work.apply_many(part, key, good)
        except LiveAudienceError:
            raise
        except Exception as error:  # noqa: BLE001  # our own defect: what it concerns is refused
            # Each went well alone, so it cannot be told which of them it was.
            self._rollback_key(outcome, key, sent)
            self._log("a broadcast's records failed together: they are refused", error, key=key)
            part = outcome.part()
            timed_events, kept = self._work.validate(part, key, good)
            for (event, _, _), record in zip(timed_events, kept, strict=True):
                part.reject(record, event.platform, _error(error))
        outcome.add(part)

    def on_timer(self, outcome: BatchResult, timers: Timers, key: bytes) -> None:
        """Look at a row whose time may have come; one that fails stays, and is tried again."""
        part, sent = outcome.part(), len(outcome.batch.outputs)
        try:
            self._work.on_timer(part, timers, key)
        except LiveAudienceError:
            raise
        except Exception as error:  # noqa: BLE001  # as above
            self._rollback_key(outcome, key, sent)
            self._log("a broadcast could not be made final: tried again later", error, key=key)
            timers.postpone(key, outcome.batch.monotonic, outcome.batch.read_at)
        else:
            outcome.add(part)

    def _passing_records(
        self, outcome: BatchResult, key: bytes, records: list[Any]
    ) -> Iterator[Any]:
        """Give the records that do not fail when tried one by one; refuse the others, give None."""
        batch = outcome.batch
        row: Any = None
        is_read = False
        for record in records:
            platform = ""
            try:
                if not is_read:
                    row, is_read = batch.rows.read(key), True
                timed_events, _ = self._work.validate(outcome.part(), key, [record])
                if timed_events:
                    platform = timed_events[0][0].platform
                    row = self._with_events(row, timed_events)
            except LiveAudienceError:
                raise
            except Exception as error:  # noqa: BLE001  # as above
                self._log("a record failed: it is refused", error, offset=record.offset)
                outcome.reject(record, platform, _error(error))
                yield None
            else:
                yield record

    def _with_events(self, row: Any, timed_events: list[TimedEvent]) -> Row:
        """A row with one more event, the row itself left as it is."""
        event, at, _ = timed_events[0]
        rules = self._work.rules_for(event.platform)
        if type(row) is not Row or begins_run(row, event, at, rules):
            run = None if row is None else at // MINUTE
            copy, result = Row.begin(timed_events, rules, run, gap_end(row, rules))
            before = NO_ROW
        else:
            decoded = audience.decode(audience.encode(row))
            assert type(decoded) is Row
            copy, before = decoded, snapshot(decoded)
            result = copy.accept_all(timed_events, before)
        add_to_groups(lambda *_: Delta(), before, copy, result)
        copy.fold_sealed()
        return copy

    @staticmethod
    def _rollback_key(outcome: BatchResult, key: bytes, sent: int) -> None:
        """Leave nothing of what was done for a key; `sent` is how much had been sent before."""
        batch = outcome.batch
        batch.changed.pop(key, None)
        del batch.outputs[sent:]

    def _log(self, what: str, error: Exception, **where: Any) -> None:
        self._defects += 1
        if self._defects <= _LOGGED:
            log.error("internal error", what=what, exc_info=error, **where)
        elif self._defects == _LOGGED + 1:
            log.error("more internal errors in this batch, not logged one by one")


def _error(error: Exception) -> Rejected:
    # What an error says may hold what the record holds: lone surrogates, 64 KiB of it.
    said = f"{type(error).__name__}: {error}"[:_MAX_DETAIL]
    return Rejected(Reason.ERROR, said.encode("ascii", "backslashreplace").decode())
