"""The row: everything that is kept of one live broadcast (contract, section 3).

Its events come in through `accept_all`, and `settle` folds what can change no more, once
after the events of a batch. What it all means is read off by `figures`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from streams.audience.bounds import LARGEST_SUM
from streams.audience.minute import MINUTE, Cell

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.audience.difference import Standing
    from streams.audience.rules import Rules
    from streams.events import ViewerEvent

    Told = tuple[ViewerEvent, int, int]
    """An event, its `at` in microseconds since 1970 UTC, its Kafka timestamp in milliseconds."""

LONGEST_WINDOW: Final = 60
"""Minutes of the longest window whose peak is told, `peak_1h`."""


class Row(msgspec.Struct, array_like=True, tag="r1", forbid_unknown_fields=True, gc=False):
    """Everything that is kept of one live broadcast: sealed minutes summed up, open ones as cells.

    Its size has a bound that depends on its rules alone: a month is kept in what an hour takes.

    Invariants: a minute up to `folded` is in the sums and in no cell, a later one is in its cell
    and in no sum. `folded <= newest - lateness`, equal after `settle`. A cell at or below
    `newest - lateness` is sealed: nothing more is accepted for it, so when it is folded makes no
    difference to any figure.

    The fields are the format of the changelog too: whoever changes them makes a new format (see
    `codec`). Times are microseconds since 1970 UTC, minutes are minutes since 1970 UTC.

    Attributes:
        lateness: As the rules had it at the first event; a changed setting holds for broadcasts
            that begin after the change.
        carry: Likewise.
        venue: Of the first accepted record; None if it named none.
        programme: Likewise.
        title: Of the accepted event that is greatest by (`at`, title), of those that have one.
        title_at: That event's `at`; -1 without one.
        events: Records accepted.
        late: Records refused by `accept`.
        timestamp: Newest Kafka timestamp of an accepted record, in milliseconds.
        newest: Newest minute of an accepted event.
        newest_at: Latest `at` of one.
        earliest_at: Earliest `at` of one.
        started: Earliest `at` of a `started` event; None without one.
        started_last: Latest `at` of a `started` event; -1 without one.
        ended: Latest `at` of an `ended` event, whether or not it went on; None without one.
        watched_at: Latest `at` of an event with viewers > 0, of any revision; -1 without one.
        cells: Minutes after `folded`, those of which something was said.
        folded: The last minute that is in the sums below.
        peak: Greatest viewers; None if none were ever known.
        peak_minute: The earliest minute that reached it; None without one.
        recent: Greatest viewers of minutes that may yet be the peak of a window: by ascending
            minute, each greater than all that follow, none older than `LONGEST_WINDOW`.
        observed: How many minutes were observed.
        carried: How many were carried.
        viewer_minutes: Sum of the audience, observed or carried.
        joins: Sum of joins.
        views: Greatest views; None if never given.
        last_observed: Newest observed minute.
        last_audience: Its audience; None without one.
        first_audience: Audience of the minute of `started_at`, if that is folded and was observed.
        suppressed: Minutes that would be carried, were the broadcast not over by then: their
            audience where it is > 0. All of them are carried at once if it goes on after all.
        suppressed_zeros: How many more there are, with audience 0.
    """

    lateness: int
    carry: int
    venue: str | None
    programme: str | None
    title: str | None
    title_at: int
    events: int
    late: int
    timestamp: int
    newest: int
    newest_at: int
    earliest_at: int
    started: int | None
    started_last: int
    ended: int | None
    watched_at: int
    cells: dict[int, Cell]
    folded: int
    peak: int | None = None
    peak_minute: int | None = None
    recent: dict[int, int] = {}
    observed: int = 0
    carried: int = 0
    viewer_minutes: int = 0
    joins: int = 0
    views: int | None = None
    last_observed: int = -1
    last_audience: int | None = None
    first_audience: int | None = None
    suppressed: dict[int, int] = {}
    suppressed_zeros: int = 0

    @staticmethod
    def new(event: ViewerEvent, at: int, timestamp: int, rules: Rules) -> Row:
        """Begin a broadcast with its first event, which is accepted whatever it says.

        Args:
            event: The event.
            at: Its `at`, in microseconds since 1970 UTC.
            timestamp: The Kafka timestamp of its record, in milliseconds.
            rules: What the settings in force say for its platform.
        """
        minute = at // MINUTE
        viewers = event.viewers
        row = Row(
            rules.lateness,
            rules.carry,
            event.venue,
            event.programme,
            None,
            -1,
            1,
            0,
            timestamp,
            minute,
            at,
            at,
            None,
            -1,
            None,
            at if viewers else -1,
            {
                minute: Cell(
                    event.revision,
                    None if viewers is None else at - minute * MINUTE,
                    viewers,
                    None,
                    event.joins,
                    event.views,
                )
            },
            minute - rules.lateness,
        )
        if event.title is not None or event.kind != "sample":
            row._note(event, at)
        return row

    def accept(self, event: ViewerEvent, at: int, timestamp: int) -> bool:
        """Take in one event of this broadcast; False if it is late: `accept_all` with one."""
        return not self.accept_all([(event, at, timestamp)])

    def accept_all(  # noqa: C901  # one loop: calls of our own would cost as much as its work
        self, told: Iterable[Told], before: Standing | None = None
    ) -> list[int]:
        """Take in events of this broadcast in their order, but for those that are late.

        The hot path: the usual case calls nothing but `Cell`.

        Args:
            told: The events, with their times.
            before: How the row stood before the batch. What that tells of is noted there before it
                changes.

        Returns:
            Which of them came when their minute was sealed, by their place: they count in `late`
            and nowhere else.
        """
        cells, newest, newest_at = self.cells, self.newest, self.newest_at
        watched_at, newest_timestamp = self.watched_at, self.timestamp
        sealed = newest - self.lateness
        late: list[int] = []
        number = -1
        for number, (event, at, timestamp) in enumerate(told):
            minute = at // MINUTE
            if minute > newest:
                # Nothing was said of it yet.
                newest, newest_at, cell = minute, at, None
                sealed = minute - self.lateness
            elif minute > sealed:
                cell = cells.get(minute)
                if before is not None and minute <= before.newest:
                    before.cells.setdefault(minute, cell)
                if at > newest_at:
                    newest_at = at
                elif at < self.earliest_at:
                    self.earliest_at = at
            else:
                late.append(number)
                continue
            viewers = event.viewers
            if viewers and at > watched_at:
                watched_at = at
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
            if timestamp > newest_timestamp:  # noqa: PLR1730  # max() would call a function
                newest_timestamp = timestamp
            if event.title is not None or event.kind != "sample":
                self._note(event, at)
        self.newest, self.newest_at = newest, newest_at
        self.watched_at, self.timestamp = watched_at, newest_timestamp
        self.events += number + 1 - len(late)
        self.late += len(late)
        return late

    def _note(self, event: ViewerEvent, at: int) -> None:
        """Take what an event says of the broadcast as a whole."""
        title = event.title
        if title is not None and (
            at > self.title_at or (at == self.title_at and title > (self.title or ""))
        ):
            self.title = title
            self.title_at = at
        if event.kind == "started":
            if self.started is None or at < self.started:
                self.started = at
            self.started_last = max(self.started_last, at)
        elif event.kind == "ended" and (self.ended is None or at > self.ended):
            self.ended = at

    @property
    def started_at(self) -> int:
        """The earliest `at` of its `started` events; without one, of its accepted events."""
        return self.earliest_at if self.started is None else self.started

    @property
    def ended_at(self) -> int | None:
        """The latest `at` of its `ended` events; None without one, or if it went on after that."""
        ended = self.ended
        if (
            ended is None
            or self.started_last > ended
            or self.watched_at > ended + self.carry * MINUTE
        ):
            return None
        return ended

    @property
    def viewers(self) -> int | None:
        """Audience of its newest observed minute; None if none was observed."""
        cells = self.cells
        newest = cells.get(self.newest)
        if newest is not None and newest.audience is not None:
            return newest.audience
        observed = [minute for minute, cell in cells.items() if cell.audience is not None]
        return cells[max(observed)].audience if observed else self.last_audience

    @property
    def released(self) -> bool:
        """Whether the suppressed minutes are to be carried after all.

        They come after the minute of the `ended_at` under which they were folded. That one stands,
        or it is null by now, or a later `ended` was accepted: for a minute that was open, hence
        after all that is folded.
        """
        ended_at = self.ended_at
        return ended_at is None or ended_at // MINUTE > self.folded

    def settle(self) -> None:
        """Fold the sealed minutes into the sums; to be called once after the events of a batch.

        It changes no figure. It costs by the cells that there are, never by the minutes of a gap.
        """
        if (self.suppressed or self.suppressed_zeros) and self.released:
            self.carried += len(self.suppressed) + self.suppressed_zeros
            self.viewer_minutes += sum(self.suppressed.values())
            self.suppressed = {}
            self.suppressed_zeros = 0
        folded = self.folded
        line = self.newest - self.lateness
        if line <= folded:
            return
        cells = self.cells
        first = self.started_at // MINUTE
        if folded < first <= line:
            cell = cells.get(first)
            self.first_audience = None if cell is None else cell.audience
        if sealed := sorted([minute for minute in cells if minute <= line]):
            self._fold(sealed)
        self._carry(line)
        self.folded = line
        self.viewer_minutes = min(self.viewer_minutes, LARGEST_SUM)
        self.joins = min(self.joins, LARGEST_SUM)

    def _fold(self, sealed: list[int]) -> None:
        """Add sealed cells to the sums, by their minutes, in their order."""
        take = self.cells.pop
        views, peak = self.views, self.peak
        joins = viewer_minutes = 0
        oldest = self.newest - LONGEST_WINDOW
        highs: list[tuple[int, int]] = []
        for minute in sealed:
            cell = take(minute)
            if cell.joins is not None:
                joins += cell.joins
            if cell.views is not None and (views is None or cell.views > views):
                views = cell.views
            audience = cell.audience
            if audience is None:
                continue
            if minute - self.last_observed > 1:
                self._carry(minute - 1)
            self.last_observed, self.last_audience = minute, audience
            self.observed += 1
            viewer_minutes += audience
            high = audience if cell.higher is None else cell.higher
            if peak is None or high > peak:
                peak, self.peak_minute = high, minute
            if minute > oldest:
                highs.append((minute, high))
        self.joins += joins
        self.viewer_minutes += viewer_minutes
        self.views, self.peak = views, peak
        self._remember(highs, oldest)

    def _remember(self, highs: list[tuple[int, int]], oldest: int) -> None:
        """Keep in `recent` what may yet be a peak: later minutes outdo those that are no greater.

        Args:
            highs: Minutes after those in `recent`, in their order, and the greatest viewers.
            oldest: Up to this minute none can be.
        """
        greatest = -1
        kept: list[tuple[int, int]] = []
        for told in reversed(highs):
            if told[1] > greatest:
                greatest = told[1]
                kept.append(told)
        recent = self.recent
        while recent:
            minute, high = recent.popitem()
            if high > greatest:
                recent[minute] = high
                break
        recent.update(reversed(kept))
        while recent and (minute := next(iter(recent))) <= oldest:
            del recent[minute]

    def _carry(self, end: int) -> None:
        """Carry the last folded audience to the minutes after `folded`, up to and with `end`."""
        audience = self.last_audience
        if audience is None:
            return
        start = max(self.last_observed, self.folded)
        end = min(self.last_observed + self.carry, end)
        if start >= end:
            return
        ended_at = self.ended_at
        until = end if ended_at is None else min(max(ended_at // MINUTE, start), end)
        self.carried += until - start
        self.viewer_minutes += audience * (until - start)
        if audience == 0:
            self.suppressed_zeros += end - until
        else:
            for minute in range(until + 1, end + 1):
                self.suppressed[minute] = audience
