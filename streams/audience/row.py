"""The row: everything that is kept of one run of a live broadcast (contract, section 3).

What a batch does with the events of one key, all of them decided as if each came alone:

    if begins_run(state, event, at, rules):     # `runs`; state is a Row, a Tombstone or None
        before, sealed = NO_ROW, gap_end(state, rules)
        run = None if state is None else at // MINUTE
        row, result = Row.begin(events, rules, run, sealed)
    else:                                       # state is a Row; all else is late for a Tombstone
        before = snapshot(row)                  # `delta`
        result = row.accept_all(events, before)
    add_to_groups(delta_of, before, row, result)     # `delta`; before the fold
    if result.publish:
        ...                                     # what `live_again` says
    row.fold_sealed()

`accept_all` and `begin` stop before an event that begins the next run: `result.stopped` is its
place among the events given. The caller closes this run (`Delta.close`, and a final summary if it
was not final or `counts_changed`), and goes on with the events from that place as above.

Time is the caller's: `Delta.go_stale` once `viewers_timestamp` is too old, `Delta.finalise` once it
is final, `Delta.close` and a Tombstone once `timestamp` is too old. A row that is live and fresh
counts in `viewers` of its scopes and is exported as long as its `contribution` is not None.

An event is `(event, at, timestamp)`: the timestamp is Kafka's in milliseconds, or the clock at
reading where that is 0 or -1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.audience.accept import AcceptResult, accept_all, accept_from
from streams.audience.apply import note_border
from streams.audience.fold import fold_sealed
from streams.audience.minute import MINUTE, Cell
from streams.audience.row_fields import RowFields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.audience.accept import TimedEvent
    from streams.audience.rules import Rules
    from streams.events import ViewerEvent
    from streams.summaries import Status


class Row(RowFields, array_like=True, tag="r3", forbid_unknown_fields=True, gc=False):
    """Everything that is kept of one run of a broadcast: sealed minutes summed up, others as cells.

    Its size has a bound that depends on its rules alone: a month is kept in what an hour takes.

    Invariants: a minute up to `folded_until` is in `span`, in `past_end`, or lies before the start
    (then its high is in `waiting_high`); a later one is in its cell. `folded_until` is `newest` -
    `lateness` after `fold_sealed`. When a cell is folded makes no difference to any figure.

    The minute of a `started` is not sealed when it is accepted, so once a start lies after
    `folded_until`, all that is folded lies before it: then `span` and `past_end` are a waiting
    room, and `fold_sealed` makes them one. An end that moves on or is taken back does so by an
    event after all that is folded: then `past_end` joins the span, likewise.

    Its fields are those of `RowFields`, and the format of the changelog too (see `codec`).
    """

    # -- beginning -------------------------------------------------------------------------------

    @staticmethod
    def new(
        event: ViewerEvent,
        at: int,
        timestamp: int,
        rules: Rules,
        run: int | None = None,
        sealed_until: int = -1,
    ) -> Row:
        """Begin a run with its first event, which is accepted whatever it says.

        Args:
            event: The event.
            at: Its `at`, in microseconds since 1970 UTC.
            timestamp: The Kafka timestamp of its record, in milliseconds.
            rules: What the settings in force say for its platform.
            run: The minute that began the run; None for a first run.
            sealed_until: The last minute that is closed to it.
        """
        minute = at // MINUTE
        viewers, joins, views = event.viewers, event.joins, event.views
        venue, programme, title = event.venue, event.programme, event.title
        lateness, kind = rules.lateness, event.kind
        folded_until = minute - lateness
        cells: dict[int, Cell] = {}
        if viewers is not None:
            cells[minute] = Cell(event.revision, at - minute * MINUTE, viewers, None, joins, views)
        elif kind == "sample" or joins is not None or views is not None:
            cells[minute] = Cell(event.revision, None, None, None, joins, views)
        # All at once, in the order of the fields: to set one later costs as much as ten do here.
        row = Row(
            lateness,
            rules.carry,
            rules.tolerance,
            rules.restart_gap,
            rules.run_gap,
            run,
            sealed_until,
            minute,
            at,
            at,
            folded_until if folded_until > sealed_until else sealed_until,  # noqa: FURB136  # as max
            cells,
            timestamp,
            venue,
            -1 if venue is None else at,
            programme,
            -1 if programme is None else at,
            title,
            -1 if title is None else at,
            1,  # events
            0,
            -1,
            -1 if viewers is None else timestamp,
            viewers is not None,  # fresh
            None,
            False,  # final  # by place, as all of them
            None,
            -1,
            -1,
            None,
            at if viewers else -1,  # watched_at
            -1 if viewers == 0 else minute,  # shown
        )
        if kind != "sample":
            note_border(row, event, at)
        return row

    @staticmethod
    def begin(
        events: Sequence[TimedEvent],
        rules: Rules,
        run: int | None = None,
        sealed_until: int = -1,
    ) -> tuple[Row, AcceptResult]:
        """Begin a run with the first of these events, and take the others as `accept_all` does.

        Args:
            events: At least one.
            rules: What the settings in force say for the platform.
            run: The minute of the first event; None for a first run.
            sealed_until: The last minute that is closed to it.

        Returns:
            The row, and what became of all the events.
        """
        event, at, timestamp = events[0]
        row = Row.new(event, at, timestamp, rules, run, sealed_until)
        result = AcceptResult(len(events), minute=row.newest, timestamp=timestamp, last_busy=0)
        result.publish = row.ended is not None
        if len(events) > 1:
            accept_from(row, events, 1, None, result)
        return row, result

    # -- what becomes of it: modules of their own ------------------------------------------------

    accept_all = accept_all
    fold_sealed = fold_sealed

    # -- what follows from the events ------------------------------------------------------------

    @property
    def sealed(self) -> int:
        """The newest minute that is sealed: what is told of it is late."""
        return max(self.sealed_until, self.newest - self.lateness)

    @property
    def started_at(self) -> int:
        """Where the span begins: see the contract."""
        return self.earliest_at if self.started is None else self.started

    @property
    def ended_at(self) -> int | None:
        """The latest `at` of its `ended` events; None without one, or if it went on after that."""
        ended = self.ended
        if (
            ended is None
            or self.started_last > ended
            or self.watched_at > ended + self.tolerance * MINUTE
        ):
            return None
        return ended

    @property
    def last_minute(self) -> int:
        """The last minute of the span."""
        ended = None if self.ended is None else self.ended_at
        return self.newest if ended is None else ended // MINUTE

    @property
    def gap_end(self) -> int:
        """A new run begins after this minute."""
        ended = None if self.ended is None else self.ended_at
        if ended is not None:
            return ended // MINUTE + self.restart_gap
        return (self.newest if self.shown < 0 else self.shown) + self.run_gap

    @property
    def is_live(self) -> bool:
        """Whether its status is `live`."""
        return not self.final and (self.ended is None or self.ended_at is None)

    @property
    def status(self) -> Status:
        """What its summary says of it now."""
        if self.final:
            return "final"
        return "live" if self.ended_at is None else "ended"

    @property
    def counts_changed(self) -> bool:
        """Whether `events` or `late` have changed since `note_published`."""
        return self.published_events != self.events + self.late

    def note_published(self) -> None:
        """Note that a summary of the row as it is was published."""
        self.published_events = self.events + self.late
