"""Logs of events that make the hard cases likely: few minutes, few values, much that collides."""

import os

from hypothesis import settings
from hypothesis import strategies as st

from streams.audience import MINUTE, Rules
from streams.events import ViewerEvent

START = 26_500_000
"""The minute at which the logs begin, in May 2020."""

SCALE = int(os.environ.get("AUDIENCE_TEST_SCALE", "1"))
"""By how much more than usual the properties are tried."""


def tried(examples):
    """Try a property on this many examples, however slow the machine is."""
    return settings(max_examples=examples * SCALE, deadline=None)


def event(kind="sample", **fields):
    return ViewerEvent("fliggy", "b1", "", kind, **fields)


def at(minute, second=0.0):
    """A time: `minute` minutes after the start of the logs, in microseconds since 1970."""
    return (START + minute) * MINUTE + round(second * 1_000_000)


kinds = st.sampled_from(["sample"] * 7 + ["started", "ended", "ended"])
viewers = st.sampled_from([None, 0, 0, 1, 2, 3, 9])
small = st.sampled_from([None, None, 0, 1, 2])
titles = st.sampled_from([None, None, None, "a", "b", ""])
revisions = st.sampled_from([0, 0, 0, 0, 1, 2])
slugs = st.sampled_from([None, "louvre", "versailles"])


def events(kinds=kinds, viewers=viewers):
    return st.builds(
        ViewerEvent,
        platform=st.just("fliggy"),
        broadcast=st.just("b1"),
        at=st.just(""),
        kind=kinds,
        viewers=viewers,
        joins=small,
        views=small,
        venue=slugs,
        programme=slugs,
        title=titles,
        revision=revisions,
    )


offsets = st.sampled_from([0, 0, 1, MINUTE // 2, MINUTE - 1])


def steps(events, ahead, behind):
    return st.tuples(events, st.sampled_from(ahead), st.sampled_from(behind), offsets)


step = steps(
    events(),
    [0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 3, 4, 7, 15, 31, 59, 60, 61, 4000],
    [0, 0, 0, 0, 1, 1, 2, 3, 5, 14, 15, 59],
)
# An end after which it stays quiet long enough for minutes to be sealed: the only way in which
# anything about a sealed minute is yet to be decided. What comes then may make it go on.
end = steps(events(kinds=st.just("ended")), [0, 1], [0, 0, 1])
counted_on = steps(events(kinds=st.just("sample")), [1, 1, 2, 3], [0])
quiet = steps(
    events(kinds=st.just("sample"), viewers=st.sampled_from([None, None, 0])),
    [1, 1, 2, 3, 4, 7],
    [0, 0, 0, 1],
)
ending = st.tuples(
    st.lists(step, max_size=2),
    end,
    st.lists(counted_on, max_size=2),
    st.lists(quiet, min_size=1, max_size=4),
).map(lambda parts: [*parts[0], parts[1], *parts[2], *parts[3]])

# What nearly all batches are: little that is new, in about its order. Wild ones alone would hide
# faults in it, for they change nearly everything.
steady = st.lists(
    steps(
        events(kinds=st.sampled_from(["sample"] * 20 + ["started", "ended"])),
        [0, 1, 1, 1, 1, 2, 3],
        [0, 0, 0, 0, 1, 2],
    ),
    min_size=1,
    max_size=3,
)
wild = st.lists(step, min_size=1, max_size=9)
batches = st.lists(st.one_of(steady, steady, wild, ending), min_size=1, max_size=9)
rules = st.builds(
    Rules,
    lateness=st.sampled_from([1, 1, 2, 2, 3, 4, 5, 8, 15, 58, 59, 60, 61, 120]),
    carry=st.sampled_from([0, 1, 2, 2, 3, 5]),
)


def placed(log):
    """A log of steps as batches of (event, at, timestamp): each step goes on from the one before.

    It goes `ahead` and looks `behind` from there, in minutes: what is behind by the lateness or
    more comes late.
    """
    now, number, result = START, 0, []
    for batch in log:
        told = []
        for what, forward, back, offset in batch:
            now += forward
            number += 1
            told.append((what, (now - back) * MINUTE + offset, 1_000 + number % 5))
        result.append(told)
    return result


logs = batches.map(placed)
