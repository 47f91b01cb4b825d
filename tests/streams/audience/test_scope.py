"""A scope's head and chunks come to what one dictionary of all its minutes comes to."""

import json

import pytest
from hypothesis import event as saw
from hypothesis import given
from hypothesis import strategies as st
from logs import START, tried

from streams.audience.scope import CHUNK, Change, Chunk, Head, Scope, scope_summary
from streams.audience.scope_codec import decode_change, decode_scope, encode_change, encode_scope
from streams.summaries import encode

HISTORY = 1_000
SUMS = ("viewer_minutes", "joins", "views", "peak_sum", "broadcasts", "live")


class Plain:
    """The same by one dictionary: change by change, with no chunks and no batches."""

    def __init__(self):
        self.minutes = {}
        self.known = {}
        self.sums = dict.fromkeys(SUMS, 0)
        self.newest = self.closed = self.timestamp = -1
        self.missed = 0

    def add(self, change, history):
        for name in SUMS:
            self.sums[name] += getattr(change, name)
        for minute in change.minutes.keys() | change.known.keys():
            if minute <= self.closed:
                self.missed += 1
                continue
            for all_told, by in ((self.minutes, change.minutes), (self.known, change.known)):
                all_told[minute] = all_told.get(minute, 0) + by.get(minute, 0)
        self.newest = max(self.newest, change.newest)
        self.closed = max(self.closed, self.newest - history - 1)
        self.timestamp = max(self.timestamp, change.timestamp)

    def check(self, head, chunks):
        held = {
            number * CHUNK + offset: (audience, chunk.known.get(offset, 1))
            for number, chunk in chunks.items()
            for offset, audience in chunk.minutes.items()
        }
        first_open = (self.closed + 1) // CHUNK * CHUNK
        known = {minute: n for minute, n in self.known.items() if n and minute >= first_open}
        assert held == {minute: (self.minutes[minute], n) for minute, n in known.items()}
        heard = {m: self.minutes[m] for m, n in self.known.items() if n and m <= self.newest}
        peak = max(heard.values(), default=None)
        assert head.peak() == (
            None if peak is None else (peak, min(m for m in heard if heard[m] == peak))
        )
        assert head.audience == heard.get(self.newest)
        assert (head.newest, head.timestamp) == (self.newest, self.timestamp)
        for name in SUMS:
            assert getattr(head, name) == self.sums[name], name


class Store:
    """The rows of one scope, as its agent keeps them."""

    def __init__(self):
        self.head = Head()
        self.chunks = {}

    def batch(self, changes, history):
        scope = Scope(self.head, lambda n: self.chunks.get(n, Chunk()), self.chunks.__getitem__)
        missed = sum(scope.add(decode_change(encode_change(c)), history) for c in changes)
        scope.settle()
        for number, chunk in scope.changed.items():
            if chunk is None:
                self.chunks.pop(number, None)
            else:
                self.chunks[number] = chunk
        assert self.chunks.keys() == self.head.chunks.keys()
        return missed

    def restart(self):
        self.head = decode_scope(encode_scope(self.head))
        self.chunks = {n: decode_scope(encode_scope(chunk)) for n, chunk in self.chunks.items()}


# What broadcasts have in the minutes around a newest one, which is where a jump led to.
jumps = st.sampled_from([0, 0, 0, 1, 1, 1, 2, 5, 60, CHUNK, 2 * CHUNK, 999, 1_000, 1_001, 5_000])
behinds = st.sampled_from([0, 0, 0, 0, 1, 2, CHUNK, 999, 1_000, 1_200])
audiences = st.sampled_from([0, 0, 1, 2, 9])
profiles = st.one_of(
    st.dictionaries(st.integers(-3, 3), audiences, max_size=5),
    st.dictionaries(st.integers(-30, 3), audiences, max_size=6),
)
told = st.tuples(st.integers(0, 3), jumps, behinds, profiles, st.sampled_from([0, 0, -1, 2]))
batches = st.lists(st.lists(told, min_size=1, max_size=4), min_size=1, max_size=12)


def changes_of(log):
    """The log's batches as changes: what a broadcast has in its minutes is replaced."""
    now, had, result = START, {}, []
    for number, batch in enumerate(log):
        changes = []
        for who, jump, behind, profile, by in batch:
            now += jump
            newest = now - behind
            fresh = {newest + offset: audience for offset, audience in profile.items()}
            old = had.get(who, {})
            # A broadcast says nothing new of what it said long ago.
            kept = {m: n for m, n in old.items() if m < newest - 30}
            fresh = {**kept, **fresh}
            minutes = {
                m: by for m in old.keys() | fresh.keys() if (by := fresh.get(m, 0) - old.get(m, 0))
            }
            known = {m: (m in fresh) - (m in old) for m in old.keys() ^ fresh.keys()}
            had[who] = fresh
            changes.append(Change(minutes, known, by, -by, 2 * by, by, 1, by, newest, number))
        result.append(changes)
    return result


@tried(300)
@given(batches, st.booleans(), st.sampled_from([0, 1, 30, 239, 240, 241, HISTORY, 10**6]))
def test_a_scope_is_what_one_dictionary_makes_of_it(log, restarts, history):
    plain, store = Plain(), Store()
    missed = 0
    for changes in changes_of(log):
        for change in changes:
            plain.add(change, history)
        missed += store.batch(changes, history)
        plain.check(store.head, store.chunks)
        assert missed == plain.missed
        if restarts:
            store.restart()
            plain.check(store.head, store.chunks)
    saw(f"closed {store.head.closed_peak is not None}, missed {missed > 0}")


def change(minute, audience, known=1, newest=None, **sums):
    return Change({minute: audience}, {minute: known} if known else {}, newest=newest or minute)


def settled(*batches, history=HISTORY):
    store = Store()
    for changes in batches:
        store.batch(changes, history)
    return store


def test_the_earliest_minute_that_reached_the_peak_is_told():
    store = settled([change(START + 500, 7)], [change(START, 7), change(START + 1, 6)])
    assert store.head.peak() == (7, START)


def test_a_correction_lowers_the_peak_to_that_of_another_chunk():
    store = settled([change(START, 7), change(START + 500, 9)])
    assert store.head.peak() == (9, START + 500)
    store.batch([change(START + 500, -4, known=0)], HISTORY)
    assert store.head.peak() == (7, START)


def test_a_carried_minute_ahead_of_the_newest_is_no_peak_until_the_newest_reaches_it():
    edge = (START // CHUNK + 1) * CHUNK
    store = settled([change(edge, 9, newest=edge - 1), change(edge - 1, 5)])
    assert store.head.peak() == (5, edge - 1)
    assert store.head.audience == 5
    store.batch([Change({}, {}, newest=edge)], HISTORY)
    assert store.head.peak() == (9, edge)
    assert store.head.audience == 9


def test_an_audience_of_nobody_is_known_and_what_is_unknown_is_null():
    store = settled([change(START, 0)])
    assert (store.head.audience, store.head.peak()) == (0, (0, START))
    store.batch([change(START, 0, known=-1)], HISTORY)
    assert (store.head.audience, store.head.peak()) == (None, None)
    assert store.chunks == {}


def test_a_closed_minute_keeps_what_it_had():
    store = settled([change(START, 7)], [change(START + HISTORY, 1)])
    assert store.batch([change(START, 1)], HISTORY) == 0  # just open
    assert store.head.peak() == (8, START)
    store.batch([change(START + HISTORY + 1, 1)], HISTORY)
    assert store.batch([change(START, 50), change(START + 1, 7)], HISTORY) == 1
    assert store.head.peak() == (8, START)


def test_what_is_read_together_with_a_jump_is_not_closed_by_it():
    jump = Change({START: 7, START + 9_000: 1}, {START: 1, START + 9_000: 1}, newest=START + 9_000)
    store = settled([jump])
    assert store.head.peak() == (7, START)
    assert store.batch([change(START, 7)], HISTORY) == 1
    assert store.head.peak() == (7, START)


def test_chunks_wholly_closed_leave_their_peak_alone():
    store = settled([change(START + n * CHUNK, 5 + n % 2) for n in range(12)], history=480)
    assert len(store.chunks) == 3
    assert store.head.peak() == (6, START + CHUNK)
    assert store.head.closed_peak_minute == START + CHUNK


def test_a_longer_history_opens_nothing_that_was_closed():
    store = settled([change(START, 7)], [change(START + HISTORY, 1)], history=10)
    store.batch([change(START + HISTORY + 1, 1)], 10**6)
    assert store.batch([change(START, 7)], 10**6) == 1
    assert store.head.peak() == (7, START)


def test_a_shorter_history_closes_with_the_next_newest_minute():
    store = settled([change(START, 7)], [change(START + 100, 1)])
    store.batch([change(START + 101, 1)], 10)
    assert store.batch([change(START, 7)], 10) == 1


def test_a_chunk_takes_little_of_the_changelog():
    chunk = Chunk({offset: 300_000 + offset for offset in range(CHUNK)})
    assert len(encode_scope(chunk)) < 8 * CHUNK


@pytest.mark.parametrize(
    ("name", "kind", "rest"),
    [("world", "world", ""), ("venue:louvre", "venue", "louvre")],
)
def test_a_summary(name, kind, rest):
    head = Head(
        newest=START, audience=5, chunks={START // CHUNK: (7, 0)}, peak_sum=9, viewer_minutes=1,
        joins=2, views=3, broadcasts=4, live=1,
    )  # fmt: skip
    assert json.loads(encode(scope_summary(name, head))) == {
        "scope": kind,
        "name": rest,
        "minute": "2020-05-20T18:40:00Z",
        "audience": 5,
        "peak": 7,
        "peak_at": "2020-05-20T16:00:00Z",
        "peak_sum": 9,
        "viewer_minutes": 1,
        "joins": 2,
        "views": 3,
        "broadcasts": 4,
        "live": 1,
    }
