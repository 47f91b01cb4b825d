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

from itertools import islice
from typing import TYPE_CHECKING, Final

import msgspec

from streams.audience.figures import Figures, compute_figures
from streams.audience.minute import MINUTE, Cell
from streams.audience.open_minutes import folded_high, greater
from streams.audience.totals import Totals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.audience.delta import RowSnapshot
    from streams.audience.rules import Rules
    from streams.events import ViewerEvent
    from streams.summaries import Status

    TimedEvent = tuple[ViewerEvent, int, int]
    """An event, its `at` in microseconds since 1970 UTC, its Kafka timestamp in milliseconds."""

NEVER: Final = -1 << 62


class AcceptResult(msgspec.Struct, gc=False):
    """What became of the events of a batch.

    Attributes:
        stopped: The place of the event that begins a new run, which was not taken, nor any after
            it; how many events there are if none does.
        late: The places of those that came when their minute was sealed.
        relabelled: How many accepted ones name another venue or programme, after it was settled.
        publish: Whether a summary is to be published: one changed a figure other than `events` and
            `late`, of a broadcast that was ended or final before or is ended after it.
        live_again: The figures to publish with the status `live`, where the last such event left it
            so; else those of the end of the batch are to be published, with the row's status.
        last_busy: The place of the last that was not idle; -1 without. Only where an end stands is
            it the contract's word: of a broadcast without an end each event counts.
        minute: Greatest last minute of the span after any of them; -1 if none was accepted.
        timestamp: Newest Kafka timestamp of accepted ones, in milliseconds; -1 without.
        former: The venues and programmes that it left, each with the greatest last minute that the
            batch saw there.
    """

    stopped: int
    late: list[int] = []
    relabelled: int = 0
    publish: bool = False
    live_again: Figures | None = None
    last_busy: int = -1
    minute: int = -1
    timestamp: int = -1
    former: list[tuple[str | None, str | None, int]] = []

    @property
    def accepted(self) -> int:
        """How many events were accepted."""
        return self.stopped - len(self.late)


class PastEnd(msgspec.Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    """What is sealed from the minute of an end that stands on, in case it stands no more.

    Attributes:
        minute: The end's.
        cell: What was said of that minute; None if nothing.
        after: The minutes after it.
        held: What scopes were not told of these minutes, for the broadcast is not there any more:
            by how much the audience is more, and in how many broadcasts it is known. Of minutes
            with audience 0 only one that may be the earliest known is here: nothing depends on
            others. So it is no longer than the tolerance and the carry.
    """

    minute: int
    cell: Cell | None
    after: Totals
    held: dict[int, tuple[int, int]] = {}


class Row(msgspec.Struct, array_like=True, tag="r2", forbid_unknown_fields=True, gc=False):
    """Everything that is kept of one run of a broadcast: sealed minutes summed up, others as cells.

    Its size has a bound that depends on its rules alone: a month is kept in what an hour takes.

    Invariants: a minute up to `folded_until` is in `span`, in `past_end`, or lies before the start
    (then its high is in `waiting_high`); a later one is in its cell. `folded_until` is `newest` -
    `lateness` after `fold_sealed`. When a cell is folded makes no difference to any figure.

    The minute of a `started` is not sealed when it is accepted, so once a start lies after
    `folded_until`, all that is folded lies before it: then `span` and `past_end` are a waiting
    room, and `fold_sealed` makes them one. An end that moves on or is taken back does so by an
    event after all that is folded: then `past_end` joins the span, likewise.

    The fields are the format of the changelog too (see `row_codec`). Times are microseconds since
    1970 UTC, minutes are minutes since 1970 UTC; -1 is none.

    Attributes:
        lateness: As the rules had it at the first event, like the next four.
        carry: See `Rules`.
        tolerance: See `Rules`.
        restart_gap: See `Rules`.
        run_gap: See `Rules`.
        run: The minute of the event that began this run; None for a first run.
        sealed_until: Minutes up to this one were sealed from the start.
        venue: Of the accepted event least by (`at`, venue) of those that name one, until a minute
            of an accepted event is sealed; None if none did.
        venue_at: That event's `at`.
        programme: Likewise.
        programme_at: That event's `at`.
        title: Of the accepted event greatest by (`at`, title), of those that have one.
        title_at: That event's `at`.
        events: Records accepted.
        late: Records refused since their minute was sealed.
        published_events: `events` + `late` when a summary was last published; -1 for never.
        timestamp: Kafka timestamp of the last accepted record by offset, in milliseconds.
        viewers_timestamp: The greatest of an accepted record that tells viewers.
        fresh: Whether its viewers count in scopes, as far as their age goes.
        contribution: What it has added to the `viewers` of its scopes; None if it does not count.
        final: Whether a final summary was published and nothing has changed since.
        newest: Newest minute of an accepted event.
        newest_at: Latest `at` of one.
        earliest_at: Earliest `at` of one.
        started: Earliest `at` of the `started` events of the highest revision; None without one.
        started_revision: That revision.
        started_last: Latest `at` of a `started` event of any revision.
        ended: Latest `at` of an `ended` event, whether or not it went on; None without one.
        watched_at: Latest `at` of an event with viewers > 0.
        shown: Newest minute of an accepted event that does not tell 0 viewers.
        cells: Minutes after `folded_until`, those of which something was said.
        folded_until: The last minute that is in no cell.
        last_observed: The newest folded minute with an audience, in the span or not.
        last_audience: Its audience; None without.
        waiting_high: Greatest viewers of folded minutes before the start; None without.
        start_high: Greatest viewers of the folded minute of the start, before it or after.
        span: The folded minutes of the span; None before there are any.
        past_end: What is folded from the minute of an end that stands on; None without.
    """

    lateness: int
    carry: int
    tolerance: int
    restart_gap: int
    run_gap: int
    run: int | None
    sealed_until: int
    newest: int
    newest_at: int
    earliest_at: int
    folded_until: int
    cells: dict[int, Cell]
    timestamp: int
    venue: str | None = None
    venue_at: int = -1
    programme: str | None = None
    programme_at: int = -1
    title: str | None = None
    title_at: int = -1
    events: int = 0
    late: int = 0
    published_events: int = -1
    viewers_timestamp: int = -1
    fresh: bool = False
    contribution: int | None = None
    final: bool = False
    started: int | None = None
    started_revision: int = -1
    started_last: int = -1
    ended: int | None = None
    watched_at: int = -1
    shown: int = -1
    last_observed: int = -1
    last_audience: int | None = None
    waiting_high: int | None = None
    start_high: int | None = None
    span: Totals | None = None
    past_end: PastEnd | None = None

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
        viewers = event.viewers
        folded_until = minute - rules.lateness
        row = Row(
            rules.lateness,
            rules.carry,
            rules.tolerance,
            rules.restart_gap,
            rules.run_gap,
            run,
            sealed_until,
            minute,
            at,
            at,
            max(folded_until, sealed_until),
            {},
            timestamp,
            event.venue,
            -1 if event.venue is None else at,
            event.programme,
            -1 if event.programme is None else at,
            event.title,
            -1 if event.title is None else at,
            1,
        )
        if viewers is not None:
            row.fresh, row.viewers_timestamp = True, timestamp
            if viewers:
                row.watched_at, row.shown = at, minute
        else:
            row.shown = minute
        if event.kind != "sample":
            row._note_border(event, at)
            if viewers is None and event.joins is None and event.views is None:
                return row
        row.cells[minute] = Cell(
            event.revision,
            None if viewers is None else at - minute * MINUTE,
            viewers,
            None,
            event.joins,
            event.views,
        )
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
        row = Row.new(*events[0], rules, run, sealed_until)
        result = AcceptResult(len(events), minute=row.newest, timestamp=events[0][2], last_busy=0)
        result.publish = row.ended is not None
        if len(events) > 1:
            row._accept(events, 1, None, result)  # noqa: SLF001  # a row of our own
        return row, result

    # -- events ----------------------------------------------------------------------------------

    def accept_all(
        self, events: Sequence[TimedEvent], before: RowSnapshot | None = None
    ) -> AcceptResult:
        """Take in events of this run in their order, up to one that begins the next run.

        Args:
            events: The events, with their times.
            before: The row's snapshot. The cells that change are noted in it.

        Returns:
            What became of them.
        """
        result = AcceptResult(len(events))
        if self.ended is None and not self.final:
            place = self._accept_plain(events, 0, before, result)
            if place == result.stopped:
                return result
            self._accept(events, place, before, result)
        else:
            self._accept(events, 0, before, result)
        return result

    def _accept(
        self,
        events: Sequence[TimedEvent],
        place: int,
        before: RowSnapshot | None,
        result: AcceptResult,
    ) -> None:
        if self.ended is None and not self.final:
            place = self._accept_plain(events, place, before, result)
        known: Figures | None = None
        for number in range(place, result.stopped):
            event, at, _ = events[number]
            minute = at // MINUTE
            if minute <= self.sealed:
                self.late += 1
                result.late.append(number)
                continue
            if minute > self.gap_end and _shows(event):
                result.stopped = number
                return
            known = self._accept_one(number, events[number], before, result, known)

    def _accept_plain(  # noqa: C901, PLR0912, PLR0915  # one loop: calls would cost as much
        self,
        events: Sequence[TimedEvent],
        place: int,
        before: RowSnapshot | None,
        result: AcceptResult,
    ) -> int:
        """Take in events of a row that never ended and is not final, up to one that ends it.

        The hot path: the usual case calls nothing but `Cell`.

        Returns:
            The place of the first that was not taken.
        """
        cells, newest, newest_at = self.cells, self.newest, self.newest_at
        earliest_at, watched_at, shown = self.earliest_at, self.watched_at, self.shown
        venue, programme = self.venue, self.programme
        label_at = max(self.venue_at, self.programme_at)
        lateness = self.lateness
        sealed = newest - lateness
        if sealed < self.sealed_until:  # noqa: PLR1730  # max() would call a function
            sealed = self.sealed_until
        gap_end = (newest if shown < 0 else shown) + self.run_gap
        viewers_timestamp, greatest = self.viewers_timestamp, result.timestamp
        old_newest = -1 if before is None else before.newest
        fresh, last = self.fresh, -1
        for number, (event, at, timestamp) in enumerate(
            islice(events, place, None) if place else events, place
        ):
            is_sample = event.kind == "sample"
            if not is_sample and event.kind == "ended":
                break
            minute = at // MINUTE
            if minute <= sealed:
                self.late += 1
                self.events -= 1  # all are counted below
                result.late.append(number)
                continue
            if minute > gap_end and _shows(event):
                result.stopped = number
                break
            if (
                at < label_at
                or ((name := event.venue) is not None and name != venue)
                or ((name := event.programme) is not None and name != programme)
            ):
                self._label(event, at, newest, result, is_open=earliest_at // MINUTE > sealed)
                venue, programme = self.venue, self.programme
                label_at = max(self.venue_at, self.programme_at)
            if minute > newest:
                # Nothing was said of it yet.
                newest, newest_at, cell = minute, at, None
                line = minute - lateness
                if line > sealed:  # noqa: PLR1730  # max() would call a function
                    sealed = line
            else:
                cell = cells.get(minute)
                if minute <= old_newest and before is not None:
                    before.cells.setdefault(minute, cell)
                if at > newest_at:
                    newest_at = at
                elif at < earliest_at:
                    earliest_at = at
            viewers = event.viewers
            if viewers is not None:
                if timestamp > viewers_timestamp:  # noqa: PLR1730  # as above
                    viewers_timestamp = timestamp
                fresh = True
                if viewers and at > watched_at:
                    watched_at = at
            if minute > shown and viewers != 0:
                shown = minute
                gap_end = minute + self.run_gap
            elif shown < 0:
                gap_end = newest + self.run_gap
            last = number
            if timestamp > greatest:  # noqa: PLR1730  # as above
                greatest = timestamp
            if event.title is not None:
                self._note_title(event.title, at)
            if not is_sample:
                self._note_border(event, at)
                if viewers is None and event.joins is None and event.views is None:
                    continue
            if cell is None or event.revision > cell.revision:
                cells[minute] = Cell(
                    event.revision,
                    None if viewers is None else at - minute * MINUTE,
                    viewers,
                    None,
                    event.joins,
                    event.views,
                )
            elif event.revision == cell.revision:
                cells[minute] = cell.join(event, at - minute * MINUTE)
        else:
            number = len(events)
        self.newest, self.newest_at, self.earliest_at = newest, newest_at, earliest_at
        self.watched_at, self.shown = watched_at, shown
        self.viewers_timestamp = viewers_timestamp
        self.events += number - place
        self.fresh = fresh
        if last >= 0:
            self.timestamp = events[last][2]
            result.timestamp, result.minute, result.last_busy = greatest, newest, last
        return number

    def _accept_one(
        self,
        place: int,
        timed: TimedEvent,
        before: RowSnapshot | None,
        result: AcceptResult,
        known: Figures | None,
    ) -> Figures | None:
        event, at, timestamp = timed
        minute = at // MINUTE
        was_ended, was_final = self.ended_at, self.final
        matters = was_final or was_ended is not None
        if matters and known is None and not self._is_outside(was_ended, event, at):
            known = compute_figures(self)
        if before is not None and minute <= before.newest:
            before.cells.setdefault(minute, self.cells.get(minute))
        label, title = (self.venue, self.programme), self.title
        is_open = self.earliest_at // MINUTE > self.sealed
        self._label(event, at, self.last_minute, result, is_open=is_open)
        self._apply(event, at, minute, timestamp)
        ended = self.ended_at
        result.timestamp = max(result.timestamp, timestamp)
        result.minute = max(result.minute, self.last_minute)
        if not matters:
            changed, busy = ended is not None, True
        elif was_ended is not None and ended == was_ended and minute > ended // MINUTE:
            # No minute of the span can have changed.
            changed = title != self.title or label != (self.venue, self.programme)
            busy = False
            if changed:
                known = None
        else:
            figures = compute_figures(self)
            busy = changed = known is None or figures.published() != known.published()
            known = figures
        if busy:
            result.last_busy = place
        if changed and (matters or ended is not None):
            result.publish = True
            if ended is None:
                self.final = False
                result.live_again = known or compute_figures(self)
            else:
                result.live_again = None
        return known if self.final or ended is not None else None

    def _is_outside(self, ended: int | None, event: ViewerEvent, at: int) -> bool:
        """Whether a sample is plainly past an end that stands on: no figure of the span changes."""
        return (
            ended is not None
            and at // MINUTE > ended // MINUTE
            and event.kind == "sample"
            and not (event.viewers and at > ended + self.tolerance * MINUTE)
        )

    def _label(
        self, event: ViewerEvent, at: int, minute: int, result: AcceptResult, *, is_open: bool
    ) -> None:
        """Take an event's venue and programme, or count that they are others.

        Args:
            event: The event, which is not taken yet.
            at: Its `at`.
            minute: The last minute of the span.
            result: What becomes of the batch.
            is_open: Whether no minute of an accepted event is sealed.
        """
        label = (self.venue, self.programme)
        if is_open:
            self._choose_label(event, at)
            if (self.venue, self.programme) != label:
                result.former.append((*label, max(minute, result.minute)))
                result.minute = -1
        else:
            venue, programme = event.venue, event.programme
            result.relabelled += (venue is not None and venue != label[0]) or (
                programme is not None and programme != label[1]
            )

    def _choose_label(self, event: ViewerEvent, at: int) -> None:
        """Take an event's venue and programme while none of it is sealed."""
        venue, programme = event.venue, event.programme
        if venue is not None and (
            self.venue is None or at < self.venue_at or (at == self.venue_at and venue < self.venue)
        ):
            self.venue, self.venue_at = venue, at
        if programme is not None and (
            self.programme is None
            or at < self.programme_at
            or (at == self.programme_at and programme < self.programme)
        ):
            self.programme, self.programme_at = programme, at

    def _apply(  # noqa: C901  # field by field, calls would cost as much as its work
        self, event: ViewerEvent, at: int, minute: int, timestamp: int
    ) -> None:
        """Take in an event that is accepted, but for its venue and programme."""
        viewers = event.viewers
        self.events += 1
        self.timestamp = timestamp
        if at > self.newest_at:
            self.newest_at, self.newest = at, minute
        elif at < self.earliest_at:
            self.earliest_at = at
        if viewers is not None:
            self.fresh = True
            self.viewers_timestamp = max(self.viewers_timestamp, timestamp)
            if viewers and at > self.watched_at:
                self.watched_at = at
        if viewers != 0 and minute > self.shown:
            self.shown = minute
        if event.title is not None:
            self._note_title(event.title, at)
        if event.kind != "sample":
            self._note_border(event, at)
            if viewers is None and event.joins is None and event.views is None:
                return
        cells = self.cells
        cell = cells.get(minute)
        if cell is None or event.revision > cell.revision:
            cells[minute] = Cell(
                event.revision,
                None if viewers is None else at - minute * MINUTE,
                viewers,
                None,
                event.joins,
                event.views,
            )
        elif event.revision == cell.revision:
            cells[minute] = cell.join(event, at - minute * MINUTE)

    def _note_title(self, title: str, at: int) -> None:
        if at > self.title_at or (at == self.title_at and title > (self.title or "")):
            self.title, self.title_at = title, at

    def _note_border(self, event: ViewerEvent, at: int) -> None:
        if event.kind == "started":
            revision = event.revision
            if revision > self.started_revision:
                self.started, self.started_revision = at, revision
            elif revision == self.started_revision and (self.started is None or at < self.started):
                self.started = at
            self.started_last = max(self.started_last, at)
        elif self.ended is None or at > self.ended:
            self.ended = at

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

    # -- folding ---------------------------------------------------------------------------------

    def fold_sealed(self) -> None:
        """Fold the sealed minutes; to be called once after the events of a batch and its delta.

        It changes no figure. It costs by the cells that there are, never by the minutes of a gap.
        It may be left out where `newest` - `lateness` is not past `folded_until`, and `past_end` is
        None.
        """
        ended = self.ended_at
        past = self.past_end
        if past is not None and (ended is None or ended // MINUTE > self.folded_until):
            self._release(past)
        if self.started is not None and self.started // MINUTE > self.folded_until:
            self._leave_waiting_room()
        line = self.newest - self.lateness
        if line <= self.folded_until:
            return
        if ended is not None and ended // MINUTE <= line and self.past_end is None:
            end_minute = ended // MINUTE
            self.past_end = PastEnd(end_minute, self.cells.get(end_minute), Totals(end_minute))
        sealed = sorted([minute for minute in self.cells if minute <= line])
        if self.past_end is not None:
            self._hold(self.past_end, sealed, line)
        self._fold(sealed, line)
        self.folded_until = line

    def _release(self, past: PastEnd) -> None:
        """Let what is folded past an end join the span: the end moved on, or was taken back."""
        span = self.span
        assert span is not None, "there was a span before there was an end of it"
        if past.cell is not None:
            span.append(past.minute, past.cell, self.carry, self.started)
        else:
            span.carry_to(past.minute, self.carry)
        span.merge(past.after, self.carry)
        self.past_end = None

    def _leave_waiting_room(self) -> None:
        """Keep of what is folded, all of it before the start, the greatest viewers alone."""
        self.waiting_high = folded_high(self)
        self.span = self.past_end = self.start_high = None

    def _fold(  # noqa: C901  # one loop over where a minute may lie
        self, sealed: list[int], line: int
    ) -> None:
        cells, carry, started = self.cells, self.carry, self.started
        past, span = self.past_end, self.span
        first = -1 if started is None else started // MINUTE
        if span is None and first <= line:
            span = self.span = Totals(first - 1 if started is not None else self.folded_until)
        if past is None and span is not None and span.until >= first:
            span.append_all([(minute, cells.pop(minute)) for minute in sealed], carry)
            span.carry_to(line, carry)
            span.prune(self.newest)
            if span.last_observed > self.last_observed:
                self.last_observed, self.last_audience = span.last_observed, span.last_audience
            return
        for minute in sealed:
            cell = cells.pop(minute)
            audience = cell.audience
            if audience is not None:
                self.last_observed, self.last_audience = minute, audience
            if minute < first:
                self.waiting_high = greater(self.waiting_high, cell.high)
                continue
            if minute == first and started is not None and audience is not None:
                self.start_high = cell.high
                if minute * MINUTE + (cell.at or 0) < started:
                    self.waiting_high = greater(self.waiting_high, audience)
            if past is None or minute < past.minute:
                assert span is not None, "a minute of the span has one"
                span.append(minute, cell, carry, started)
            elif minute > past.minute:
                past.after.append(minute, cell, carry)
        if span is not None:
            span.carry_to(line if past is None else past.minute - 1, carry)
            span.prune(self.newest)
        if past is not None:
            past.after.carry_to(line, carry)
            past.after.prune(self.newest)

    def _hold(self, past: PastEnd, sealed: list[int], line: int) -> None:
        """Note what scopes are not told of the minutes that are now folded past the end."""
        ended = self.ended_at
        assert ended is not None, "what is past an end that does not stand was released"
        last, audience = self.last_observed, self.last_audience
        held, carry = past.held, self.carry
        until = self.folded_until

        def carried_to(end: int) -> None:
            if audience:
                for minute in range(max(until, last, past.minute) + 1, min(last + carry, end) + 1):
                    held[minute] = (audience, 1)

        for minute in sealed:
            cell = self.cells[minute]
            if cell.audience is None:
                continue
            if minute >= past.minute:
                carried_to(minute - 1)
            if minute == past.minute:
                if minute * MINUTE + (cell.at or 0) > ended:
                    has = audience is not None and minute - last <= carry
                    held[minute] = (cell.audience - ((audience or 0) if has else 0), int(not has))
            elif minute > past.minute and (cell.audience or not held):
                held[minute] = (cell.audience, 1)
            last, audience = minute, cell.audience
        carried_to(line)


def _shows(event: ViewerEvent) -> bool:
    """Whether an event may begin a run, by what it says."""
    return event.revision == 0 and (event.kind == "started" or bool(event.viewers))
