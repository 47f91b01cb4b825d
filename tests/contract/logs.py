"""Logs of records that hold all that the contract names, for Hypothesis.

A log is made of shows. A show is a list of scenes (a waiting room, an outage, a false end, ...),
each of which goes on where the one before ended, so that a draw of scenes in any order tells a
story that may happen: an end and then viewers is a false end, or one that the platform's cache
outlives. What each scene tells is small, so that what collides is likely. See README.md.

    log = draw(logs(draw(environments())))          # a list of records, in the order of arrival
    for action in draw(driven(log)): ...            # the same, with the clock going on in between
"""

import json
import os
from dataclasses import dataclass, replace
from functools import cache

from contract.reading import Record
from contract.rules import Settings
from contract.run import MINUTE
from hypothesis import settings
from hypothesis import strategies as st

from streams import rfc3339

START = 29_500_000
"""The minute in which the first shows begin, in February 2026."""
SECOND_MS, MINUTE_MS = 1_000, 60_000
SCALE = int(os.environ.get("AUDIENCE_TEST_SCALE", "1"))

PLATFORMS = ("twitch", "youtube")
DEFAULTS: dict[str, str] = {}
CARRY_BY_PLATFORM = {"AUDIENCE_CARRY_BY_PLATFORM": "youtube=5m"}
SHORT = {
    "AUDIENCE_LATENESS": "3m",
    "AUDIENCE_CARRY_BY_PLATFORM": "youtube=5m",
    "AUDIENCE_END_TOLERANCE": "2m",
    "AUDIENCE_RESTART_GAP": "6m",
    "AUDIENCE_RUN_GAP": "20m",
}
"""Everything happens within minutes: minutes are sealed, runs begin, rows go in a short log."""
ONE_RUN = {
    "AUDIENCE_LATENESS": "5m",
    "AUDIENCE_LATENESS_BY_PLATFORM": "youtube=1m",
    "AUDIENCE_CARRY_BY_PLATFORM": "youtube=3m",
    "AUDIENCE_END_TOLERANCE": "3m",
    "AUDIENCE_RESTART_GAP": "300d",
    "AUDIENCE_RUN_GAP": "300d",
}
"""No second run begins: what the contract promises of any order holds within a run."""
LASTING = SHORT | {"AUDIENCE_RUN_GAP": "12h"}
"""Rows last: what a tombstone refuses is for the clock to decide."""


def tried(examples):
    """Try a property on this many examples, however slow the machine is."""
    return settings(max_examples=examples * SCALE, deadline=None)


def environments():
    return st.sampled_from([DEFAULTS, CARRY_BY_PLATFORM, SHORT, SHORT, ONE_RUN, LASTING])


@dataclass(frozen=True, slots=True)
class Shown:
    """An event of a show: its `at` in microseconds, and what it says but for `at`."""

    at: int
    fields: dict[str, object]


class _Story:
    """Where a show stands while its scenes are told."""

    def __init__(self, platform, broadcast, always_named):
        self.base = {"platform": platform, "broadcast": broadcast}
        if always_named:
            self.base |= {"venue": "louvre", "programme": "night"}
        self.named = always_named
        self.minute = 0
        self.views = 0
        self.told: list[Shown] = []

    def tell(self, minutes, second, **fields):
        """Say something so many minutes from where the show stands, nothing before it began."""
        at = (START + max(0, self.minute + minutes)) * MINUTE + round(second * 1_000_000)
        self.told.append(Shown(at, {**self.base, **fields}))


SECONDS = st.sampled_from([0, 0.000001, 10, 29.5, 30, 30, 59.999999])
VIEWERS = st.sampled_from([0, 1, 2, 3, 9, 1000])
FEW = st.integers(1, 4)
BACK = st.sampled_from([0, 0, -1, -1, -2, -3])


def _samples(story, count, viewers, second):
    for _ in range(count):
        story.tell(0, second, viewers=viewers)
        story.minute += 1


def _kind(kind):
    def scene(story, second, viewers, minutes):
        given = {} if viewers is None else {"viewers": viewers}
        story.tell(minutes, second, kind=kind, **given)

    return st.builds(
        lambda *drawn: lambda story: scene(story, *drawn),
        SECONDS,
        st.sampled_from([None, None, None, -1, 0, 2]),
        BACK,
    )


def _scene(tell, *drawn):
    return st.builds(lambda *values: lambda story: tell(story, *values), *drawn)


def _corrected(story, minutes, second, viewers, revision):
    story.tell(minutes, second, viewers=viewers, revision=revision)


def _start_put_right(story, minutes, second, revision):
    story.tell(minutes, second, kind="started", revision=revision)


def _outage(story, minutes):
    story.minute += minutes


def _named(story, minutes, second, venue, programme, title):
    given = {"venue": venue, "programme": programme}
    given = {} if story.named else {name: slug for name, slug in given.items() if slug}
    story.tell(minutes, second, title=title, **given)


def _counted(story, minutes, second, joins, views):
    story.tell(minutes, second, joins=joins, views=views)


def _views(story, second, views):
    for number in views:
        story.tell(0, second, viewers=2, views=number)
        story.minute += 1


def _again(story, minutes, second, viewers):
    story.minute += minutes
    story.tell(0, second, kind="started", viewers=viewers)
    story.minute += 1


SCENES = {
    "steady": _scene(_samples, FEW, VIEWERS, SECONDS),
    "zeros": _scene(_samples, st.integers(1, 9), st.just(0), SECONDS),
    "unknown": _scene(_samples, FEW, st.sampled_from([None, -1]), SECONDS),
    "spike": _scene(_samples, st.just(1), st.sampled_from([10**10, 42_000_000]), SECONDS),
    "started": _kind("started"),
    "ended": _kind("ended"),
    "corrected": _scene(_corrected, BACK, SECONDS, VIEWERS, st.integers(0, 2)),
    "start put right": _scene(_start_put_right, BACK, SECONDS, st.integers(1, 2)),
    "outage": _scene(_outage, st.sampled_from([1, 2, 3, 4, 7, 11, 17, 47])),
    "again": _scene(_again, st.sampled_from([7, 8, 21, 62]), SECONDS, VIEWERS),
    "next day": _scene(_again, st.sampled_from([721, 1441]), SECONDS, VIEWERS),
    "straggler": _scene(
        _corrected, st.sampled_from([-4, -5, -6, -15, -16, -30]), SECONDS, VIEWERS, st.just(0)
    ),
    "named": _scene(
        _named,
        BACK,
        SECONDS,
        st.sampled_from([None, "louvre", "prado"]),
        st.sampled_from([None, "night", "day"]),
        st.sampled_from(["", "a", "b", "long " * 50, "lone \ud800"]),
    ),
    "views": _scene(_views, SECONDS, st.sampled_from([(5, 9), (9, 4), (9, 0, 3), (10**12,)])),
    "counted": _scene(
        _counted, BACK, SECONDS, st.sampled_from([None, 0, 1, 5]), st.sampled_from([None, 0, 7])
    ),
}
NO_STRAGGLERS = tuple(name for name in SCENES if name != "straggler")
OFTEN = ("steady", "steady", "steady", "started", "ended", "zeros", "outage", "named")
FEWEST, MOST = 3, 12
"""Scenes of a show. Twelve outages are shorter than a row lasts where the run gap is 12 hours."""


@st.composite
def shows(draw, number=0, names=tuple(SCENES), *, always_named=False):
    """The events of one broadcast, in the order of its scenes; never none."""
    story = _Story(draw(st.sampled_from(PLATFORMS)), f"b{number}", always_named)
    chosen = st.sampled_from([*names, *OFTEN]).flatmap(lambda name: SCENES[name])
    for scene in draw(st.lists(chosen, min_size=FEWEST, max_size=MOST)):
        scene(story)
    if not story.told:
        story.tell(0, 0, viewers=1)
    return story.told


def late_by(environment, shown):
    """Milliseconds by which a record may be late and no minute of its show be sealed before."""
    return _late_by(tuple(environment.items()), shown.fields["platform"])


@cache
def _late_by(environment, platform):
    return (Settings(dict(environment)).rules(platform).lateness - 1) * MINUTE_MS


def arrive(shown, arrived, **stamps):
    """The record of an event that arrives at a time in milliseconds, by the broker's clock."""
    value = json.dumps({**shown.fields, "at": rfc3339.text(shown.at)}).encode()
    key = f"{shown.fields['platform']}:{shown.fields['broadcast']}".encode()
    return Record(value, key, **({"timestamp": arrived, "read_at": arrived} | stamps))


def in_order(arrivals):
    """Records by the time at which they arrive; those of one time as they were given."""
    return sorted(arrivals, key=lambda record: record.read_at)


def as_told(show):
    """The records of a show, each of which arrives when what it tells has happened."""
    return in_order([arrive(shown, shown.at // 1000) for shown in show])


@st.composite
def within_lateness(draw, environment, show):
    """The records of a show, delayed at will but so that none is late."""
    once, _ = draw(once_and_twice(environment, show))
    return once


@st.composite
def once_and_twice(draw, environment, show):
    """The same, and with some of them a second time later on, again so that none is late."""
    once, again = [], []
    for shown in show:
        happened, most = shown.at // 1000, late_by(environment, shown)
        delay = draw(st.integers(0, most))
        once.append(arrive(shown, happened + delay))
        if draw(st.booleans()):
            again.append(arrive(shown, happened + draw(st.integers(delay, most))))
    return in_order(once), in_order([*once, *again])


@cache
def delays(within):
    """How long a record takes, in milliseconds, where it may take so long and be in time."""
    return st.one_of(
        st.integers(0, min(within, MINUTE_MS)),
        st.integers(0, within),
        st.sampled_from([-90_000, -121_000, -3_600_000, within + 2 * MINUTE_MS]),
    )


# What a producer wrote as Kafka's timestamp, to be added to when its record arrived; None is the
# broker's time.
_STAMPS = st.sampled_from([None] * 12 + [0, -30_000, -121_000, -3_600_000, "0", "-1"])
_TIMES = st.sampled_from([1, 1, 1, 1, 2])


def _stamped(arrived, stamp):
    if stamp is None:
        return {}
    given = int(stamp) if isinstance(stamp, str) else arrived + stamp
    return {"timestamp": given, "log_append": False}


@st.composite
def logs(draw, environment, most=3):
    """Records of one or some broadcasts in the order in which they arrive, anything in them.

    Delays reach beyond the lateness, clocks are ahead by up to an hour, records come twice.
    """
    arrivals = []
    for number in range(draw(st.integers(1, most))):
        offset = draw(st.sampled_from([0, 0, 1, 5])) * MINUTE
        show = draw(shows(number))
        on_the_way = st.tuples(delays(late_by(environment, show[0])), _STAMPS, _TIMES)
        for told in show:
            shown = replace(told, at=told.at + offset)
            delay, stamp, times = draw(on_the_way)
            arrived = shown.at // 1000 + delay
            arrivals += [arrive(shown, arrived, **_stamped(arrived, stamp))] * times
    return in_order(arrivals)


@dataclass(frozen=True, slots=True)
class Advance:
    """The clock, in milliseconds, at which timers run, and whether partition 0 is behind then."""

    now: int
    behind: bool = False


@st.composite
def driven(draw, records):
    """Records with timers in between: any batching, for each batch ends where they run."""
    actions, before = [], None
    for record in records:
        where = None if before is None else draw(_WHERE)
        if where is not None:
            share, behind = where
            actions.append(Advance(before + (record.read_at - before) * share // 4, behind))
        actions.append(record)
        before = record.read_at
    return actions


_WHERE = st.sampled_from(
    [None] * 9 + [(share, behind) for share in range(5) for behind in (False, False, True)]
)
"""No timers before a record; or when, in quarters of the time since the last, and if behind."""


def drive(twin, actions):
    """Feed a twin with records and let its clock go on; the twin."""
    for action in actions:
        if isinstance(action, Advance):
            twin.advance(action.now, (0,) if action.behind else ())
        else:
            twin.feed(action)
    return twin


DAY_MS = 24 * 60 * MINUTE_MS


def settle(twin):
    """Let the clock go on until all is final and all rows are gone; the twin."""
    twin.advance(twin.now + DAY_MS)
    twin.advance(twin.now + 301 * DAY_MS)
    return twin
