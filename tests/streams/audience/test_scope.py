"""Scopes: what is closed, what goes, and sums at their bounds."""

from contract.logs import tried
from hypothesis import event as saw
from hypothesis import given
from hypothesis import strategies as st

from streams.audience.bounds import LARGEST_SUM
from streams.audience.scope import CHUNK, ScopeChunk, ScopeHead, ScopeUpdate, scope_summary
from streams.audience.scope_codec import decode_delta, decode_scope, encode_delta, encode_scope
from streams.audience.scope_delta import ScopeDelta
from streams.audience.steps import by_minute

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
    pieces = whole.split(max(1, most // 2))
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


# -- a head and chunks against one dictionary of all minutes --------------------------------------

SUMS = ("viewer_minutes", "joins", "views", "peak_sum", "broadcasts", "live", "viewers_sum")


class Plain:
    """A scope by one dictionary: delta by delta, with no chunks and no batches."""

    def __init__(self):
        self.minutes = {}
        self.known = {}
        self.sums = dict.fromkeys(SUMS, 0)
        self.minute = self.closed = self.timestamp = -1
        self.missed = 0

    def add(self, delta, history):
        for name in SUMS:
            self.sums[name] += getattr(delta, "viewers" if name == "viewers_sum" else name)
        for minute in delta.minutes.keys() | delta.known.keys():
            if minute <= self.closed:
                self.missed += 1
                continue
            for all_told, by in ((self.minutes, delta.minutes), (self.known, delta.known)):
                all_told[minute] = all_told.get(minute, 0) + by.get(minute, 0)
        self.minute = max(self.minute, delta.minute)
        self.closed = max(self.closed, self.minute - history - 1)
        self.timestamp = max(self.timestamp, delta.timestamp)

    def check(self, head, chunks):
        held = {
            number * CHUNK + offset: (audience, chunk.known.get(offset, 1))
            for number, chunk in chunks.items()
            for offset, audience in chunk.minutes.items()
        }
        first_open = (self.closed + 1) // CHUNK * CHUNK
        known = {minute: n for minute, n in self.known.items() if n and minute >= first_open}
        assert held == {minute: (self.minutes[minute], n) for minute, n in known.items()}
        heard = {minute: self.minutes[minute] for minute, n in self.known.items() if n}
        peak = max(heard.values(), default=None)
        assert head.peak() == (
            None if peak is None else (peak, min(m for m in heard if heard[m] == peak))
        )
        assert (head.minute, head.timestamp) == (self.minute, self.timestamp)
        for name in SUMS:
            assert getattr(head, name) == self.sums[name], name


# What broadcasts have in the minutes around a newest one, which is where a jump led to.
JUMPS = st.sampled_from([0, 0, 0, 1, 1, 1, 2, 5, 60, CHUNK, 2 * CHUNK, 599, 600, 601, 5_000])
BEHIND = st.sampled_from([0, 0, 0, 0, 1, 2, CHUNK, 599, 600, 900])
AUDIENCES = st.sampled_from([0, 0, 1, 2, 9])
PROFILES = st.one_of(
    st.dictionaries(st.integers(-3, 3), AUDIENCES, max_size=5),
    st.dictionaries(st.integers(-30, 3), AUDIENCES, max_size=6),
)
TOLD = st.tuples(st.integers(0, 3), JUMPS, BEHIND, PROFILES, st.sampled_from([0, 0, -1, 2]))
BATCHES = st.lists(st.lists(TOLD, min_size=1, max_size=4), min_size=1, max_size=12)


def deltas_of(log):
    """The log's batches as deltas: what a broadcast has in its minutes is replaced."""
    now, had, result = FIRST, {}, []
    for number, batch in enumerate(log):
        deltas = []
        for who, jump, behind, profile, by in batch:
            now += jump
            newest = now - behind
            fresh = {newest + offset: audience for offset, audience in profile.items()}
            old = had.get(who, {})
            # A broadcast says nothing new of what it said long ago.
            fresh = {minute: n for minute, n in old.items() if minute < newest - 30} | fresh
            minutes = {
                m: by for m in old.keys() | fresh.keys() if (by := fresh.get(m, 0) - old.get(m, 0))
            }
            known = {m: (m in fresh) - (m in old) for m in old.keys() ^ fresh.keys()}
            had[who] = fresh
            deltas.append(
                ScopeDelta(
                    minutes,
                    known,
                    *(by, -by, 2 * by, by, 1, by, 3 * by, 1, by),
                    minute=newest,
                    timestamp=number,
                )
            )
        result.append(deltas)
    return result


@tried(300)
@given(BATCHES, st.booleans(), st.sampled_from([0, 1, 30, 239, 240, 241, HISTORY, 10**6]))
def test_a_scope_is_what_one_dictionary_makes_of_it(log, restarts, history):
    plain, head, chunks, missed = Plain(), ScopeHead(), {}, 0

    def load(number):
        return chunks.get(number, ScopeChunk())

    for deltas in deltas_of(log):
        for each in deltas:
            plain.add(each, history)
        update = ScopeUpdate(head, load)
        missed += sum(update.add(decode_delta(encode_delta(each)), history) for each in deltas)
        update.update_head()
        for number, chunk in update.changed.items():
            chunks.pop(number, None)
            if chunk is not None:
                chunks[number] = chunk
        assert chunks.keys() == head.chunks.keys()
        plain.check(head, chunks)
        assert missed == plain.missed
        if restarts:
            head = decode_scope(encode_scope(head))
            chunks = {number: decode_scope(encode_scope(c)) for number, c in chunks.items()}
            plain.check(head, chunks)
    saw(f"closed {head.closed_peak is not None}, missed {missed > 0}")
