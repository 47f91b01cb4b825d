"""Scopes: what is closed, what goes, and sums at their bounds."""

from hypothesis import given
from hypothesis import strategies as st

from streams.audience.bounds import LARGEST_SUM
from streams.audience.delta import by_minute
from streams.audience.scope import CHUNK, ScopeChunk, ScopeHead, ScopeUpdate, scope_summary
from streams.audience.scope_delta import ScopeDelta

FIRST = CHUNK * 100_000
HISTORY = 600


class Scope:
    """A scope with its chunks, updated delta by delta."""

    def __init__(self):
        self.head = ScopeHead()
        self.chunks = {}

    def add(self, *deltas):
        update = ScopeUpdate(self.head, lambda number: self.chunks.get(number, ScopeChunk()))
        missed = sum(update.add(delta, HISTORY) for delta in deltas)
        update.update_head()
        self._keep(update)
        return missed

    def expire(self):
        update = ScopeUpdate(self.head, lambda number: self.chunks[number])
        update.expire()
        self._keep(update)

    def _keep(self, update):
        for number, chunk in update.changed.items():
            self.chunks.pop(number, None)
            if chunk is not None:
                self.chunks[number] = chunk


def delta(minutes, known=None, **more):
    known = dict.fromkeys(minutes, 1) if known is None else known
    return ScopeDelta(dict(minutes), known, minute=max(minutes), **more)


def test_a_closed_minute_counts_in_the_peak_as_it_was():
    scope = Scope()
    assert scope.add(delta({FIRST: 9})) == 0
    assert scope.add(delta({FIRST + HISTORY + CHUNK: 5})) == 0
    assert scope.head.closed == FIRST + CHUNK - 1
    assert list(scope.chunks) == [(FIRST + HISTORY + CHUNK) // CHUNK]
    assert scope.head.peak() == (9, FIRST)
    assert scope.add(delta({FIRST: 90}, viewer_minutes=90)) == 1
    assert scope.head.peak() == (9, FIRST)
    assert scope.head.viewer_minutes == 90


def test_after_the_history_without_news_minutes_go_and_the_head_stays():
    scope = Scope()
    scope.add(delta({FIRST: 9, FIRST + CHUNK: 7, FIRST + CHUNK + 2: 7}, joins=3))
    before = scope_summary("world", scope.head)
    scope.expire()
    assert scope.chunks == {}
    assert scope.head.chunks == {}
    assert scope_summary("world", scope.head) == before
    assert scope.add(delta({FIRST + CHUNK + 2: 50})) == 1
    assert scope.add(delta({FIRST + CHUNK + 3: 8})) == 0
    assert scope.head.peak() == (9, FIRST)
    assert list(scope.head.chunks) == [(FIRST + CHUNK) // CHUNK]


def test_a_scope_that_expires_twice_or_never_had_a_minute_stays():
    scope = Scope()
    scope.expire()
    assert scope.head == ScopeHead()
    scope.add(delta({FIRST: 0}))
    scope.expire()
    scope.expire()
    assert scope.head.peak() == (0, FIRST)


def test_what_all_have_left_has_no_peak():
    scope = Scope()
    scope.add(delta({FIRST: 9}, broadcasts=1, live=1, viewers=9, contributing=1, fresh=1))
    assert scope.head.is_active
    left = {"broadcasts": -1, "live": -1, "viewers": -9, "contributing": -1, "fresh": -1}
    scope.add(delta({FIRST: -9}, known={FIRST: -1}, **left))
    summary = scope_summary("venue:unknown", scope.head)
    assert (summary.peak, summary.peak_at, summary.viewers) == (None, None, None)
    assert (summary.broadcasts, summary.live, scope.head.is_active) == (0, 0, False)


def test_a_sum_is_held_at_its_bound():
    scope = Scope()
    for _ in range(3):
        scope.add(delta({FIRST: LARGEST_SUM}, viewers=LARGEST_SUM, contributing=1, joins=1))
    assert scope.head.viewers == LARGEST_SUM
    assert scope.head.peak() == (LARGEST_SUM, FIRST)
    assert scope.head.joins == 3


MINUTES = st.integers(FIRST, FIRST + 3 * CHUNK)


@st.composite
def deltas(draw):
    minutes = draw(st.dictionaries(MINUTES, st.integers(-3, 9).filter(bool), max_size=12))
    known = draw(st.dictionaries(MINUTES, st.sampled_from([1, 2]), max_size=12))
    return ScopeDelta(
        dict(sorted(minutes.items())), known, joins=draw(st.integers(0, 3)), minute=FIRST
    )


@given(deltas(), st.integers(1, 30))
def test_a_delta_in_pieces_comes_to_the_same(whole, most):
    pieces = whole.split(most)
    assert all(len(piece.minutes) + len(piece.known) <= max(2, most) for piece in pieces)
    assert [piece.minute for piece in pieces[:-1]] == [-1] * (len(pieces) - 1)
    for name in ("minutes", "known"):
        together = {}
        for piece in pieces:
            together |= getattr(piece, name)
        assert together == getattr(whole, name)
    assert sum(piece.joins for piece in pieces) == whole.joins


@given(st.dictionaries(st.integers(0, 40), st.integers(-5, 5)))
def test_steps_are_the_minutes_that_they_stand_for(minutes):
    steps = {}
    for minute, value in minutes.items():
        steps[minute] = steps.get(minute, 0) + value
        steps[minute + 1] = steps.get(minute + 1, 0) - value
    assert by_minute(steps) == {m: minutes[m] for m in sorted(minutes) if minutes[m]}
