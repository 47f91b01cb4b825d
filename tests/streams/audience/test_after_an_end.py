"""What is sealed after an end and joins the span after all, told line by line."""

import pytest
from contract.logs import MINUTE_MS, START, Shown, arrive
from contract.run import MINUTE
from contract.twin import Twin
from system import System
from test_system import compare

SHORT = {
    "AUDIENCE_LATENESS": "3m",
    "AUDIENCE_CARRY": "2m",
    "AUDIENCE_END_TOLERANCE": "4m",
}
TOLD_AFTER = {"second": 40}
"""In the minute of an end that is told at its half."""


def tell(*told, each):
    """Tell both of a broadcast; the timers run after so many events. The system."""
    twin, system = Twin(SHORT), System(SHORT)
    for number, (minute, given) in enumerate(told):
        fields = {"platform": "twitch", "broadcast": "b", **given}
        at = (START + minute) * MINUTE + fields.pop("second", 30) * 1_000_000
        record = arrive(Shown(at, fields), at // 1000)
        twin.feed(record)
        system.feed(record)
        if number % each == each - 1 or number == len(told) - 1:
            now = record.read_at + MINUTE_MS // 2
            twin.advance(now)
            system.advance(now)
            compare(system, twin)
    return system


def samples(first, last, viewers):
    return [(minute, {"viewers": viewers}) for minute in range(first, last + 1)]


ENDED = [(5, {"kind": "ended"})]
RESUMED = [(20, {"kind": "started"}), (21, {"viewers": 3})]
MOVED = [(20, {"kind": "ended"}), (21, {"viewers": 0})]


@pytest.mark.parametrize("each", [1, 3, 100])
@pytest.mark.parametrize("then", [RESUMED, MOVED])
@pytest.mark.parametrize(
    "before",
    [
        [],
        samples(0, 4, 0),
        samples(0, 4, 7),
        samples(0, 1, 7),
        samples(4, 4, 7),
        [(5, {"viewers": 8})],
        # A start in the minute of the end.
        [(5, {"viewers": 50, "second": 5}), (5, {"kind": "started", "second": 10})],
        [
            (4, {"viewers": 60}),
            (5, {"viewers": 50, "second": 5}),
            (5, {"kind": "started", "second": 10, "viewers": 8}),
        ],
    ],
)
@pytest.mark.parametrize(
    "after",
    [
        [],
        samples(6, 14, 0),
        samples(6, 6, 5) + samples(8, 14, 0),
        samples(6, 8, 5) + samples(9, 14, 0),
        [(5, {"viewers": 9, **TOLD_AFTER})],
        [(5, {"viewers": 9, **TOLD_AFTER}), *samples(6, 14, 0)],
        [(5, {"viewers": 0, **TOLD_AFTER}), *samples(8, 14, 0)],
        [(5, {"viewers": 900, "second": 35}), (5, {"viewers": 2, **TOLD_AFTER}), (12, {})],
        [(7, {"joins": 5, "views": 50}), (8, {"views": 40}), *samples(11, 14, 0)],
    ],
)
def test_what_waits_counts_as_if_it_had_never_been_outside(before, after, then, each):
    tell(*before, *ENDED, *after, *then, each=each)


def test_the_earliest_of_zeros_that_waited_is_the_minute_of_the_peak():
    system = tell(*ENDED, *samples(7, 14, 0), (20, {"kind": "started"}), each=1)
    scope = system.scope("world")
    assert (scope["peak"], scope["peak_at"]) == (0, "2026-02-02T02:47:00Z")


@pytest.mark.parametrize("each", [1, 100])
@pytest.mark.parametrize("end", [[], [(3, {"kind": "ended"})]])
def test_a_start_put_right_makes_all_that_is_sealed_a_waiting_room(end, each):
    high = [(1, {"viewers": 40, "second": 10}), (1, {"viewers": 20, "second": 50})]
    system = tell(
        (1, {"kind": "started"}),
        *high,
        *samples(2, 2, 30),
        *end,
        *samples(4, 6, 0),
        *samples(10, 12, 0),
        (12, {"kind": "started", "revision": 1, "second": 45}),
        (13, {"viewers": 5}),
        each=each,
    )
    ((key, _),) = system.rows.items()
    summary = system.summary(key)
    assert (summary["waiting_peak"], summary["peak"]) == (40, 5)
