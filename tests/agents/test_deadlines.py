"""Buckets of deadlines: which one a key is in stands in its entry alone."""

from hypothesis import given
from hypothesis import strategies as st

from agents.deadlines import BUCKET_SECONDS, Deadlines
from agents.entries import ScopeEntry

KEYS = [b"a", b"b", b"c"]
TIMES = st.floats(0, 100, allow_nan=False)


def deadlines(*keys):
    entries = {key: ScopeEntry(b"") for key in keys}
    return entries, Deadlines(entries, "expiry")


def test_a_key_without_an_entry_is_never_due():
    entries, clock = deadlines(b"a")
    clock.schedule(b"b", 1.0)
    clock.schedule(b"a", 1.0)
    clock.cancel(b"b")
    assert list(clock.due(10.0)) == [b"a"]
    assert (b"a" in clock, b"b" in clock) == (True, False)
    del entries[b"a"]
    assert list(clock.due(10.0)) == []
    entries[b"a"] = ScopeEntry(b"")  # another one of that key has no timer
    assert list(clock.due(10.0)) == []


def test_what_a_former_owner_left_is_forgotten():
    entries, former = deadlines(b"a")
    former.schedule(b"a", 1.0)
    clock = Deadlines(entries, "expiry")
    clock.clear()
    assert b"a" not in clock
    assert list(clock.due(10.0)) == []
    assert list(former.due(10.0)) == []


@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(KEYS), TIMES),
            st.tuples(st.sampled_from(KEYS), st.none()),
            st.tuples(st.none(), TIMES),
        ),
        max_size=30,
    )
)
def test_never_early_and_late_by_a_bucket_at_most(steps):
    _, clock = deadlines(*KEYS)
    expected = {}
    for key, deadline in steps:
        if key is None:
            clock.drop_empty_buckets(deadline)
        elif deadline is None:
            clock.cancel(key)
            expected.pop(key, None)
        else:
            clock.schedule(key, deadline)
            expected[key] = deadline
    for time in range(0, 120, 5):
        due = set(clock.due(time))
        assert {key for key in due if expected[key] > time} == set()
        assert due >= {key for key, at in expected.items() if at + BUCKET_SECONDS <= time}
