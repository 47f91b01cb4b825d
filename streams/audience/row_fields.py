"""The fields of a row, apart from what becomes of them: whoever changes them needs no more.

Modules that are compiled see here what lies where (`layout`), and are imported by `row`.
"""

from __future__ import annotations

import msgspec

from streams.audience.kept import KeptMinutes  # noqa: TC001  # msgspec reads the annotations
from streams.audience.minute import Cell  # noqa: TC001  # likewise
from streams.audience.past_end import PastEnd  # noqa: TC001  # likewise
from streams.audience.totals import Totals  # noqa: TC001  # likewise


class RowFields(msgspec.Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    """What is kept of one run of a broadcast: see `Row`, which there are instances of.

    Times are microseconds since 1970 UTC, minutes are minutes since 1970 UTC; -1 is none.

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
        kept: Where its sealed minutes can be read; None where none went out.
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
    kept: KeptMinutes | None = None
