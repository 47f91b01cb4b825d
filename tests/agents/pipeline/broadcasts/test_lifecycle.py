"""Timers: never early, late by little, by the clock that each wait is measured by."""

from hypothesis import given
from hypothesis import strategies as st

from agents.deadlines import BUCKET_SECONDS
from agents.entries import BroadcastEntry
from agents.pipeline.broadcasts.lifecycle import Timers
from streams.audience import MINUTE, Row, Rules, Tombstone
from streams.viewer_event import ViewerEvent

LONG = 10.0**7
EXPIRES = Tombstone(99, 500_000)


class Waits:
    """Short waits, so that tests can count them; the wall clock's are those of the row."""

    shortest_silence = 50.0
    shortest_stale = 50.0

    def silence(self, row):
        return 100.0 if row.ended_at is not None else 1000.0

    def stale_at(self, row):
        return row.viewers_timestamp + 60_000

    def removed_at(self, row):
        return row.timestamp + 3_600_000


WAITS = Waits()


def row(*, ended=False, final=False, timestamp=0, viewers=None):
    event = ViewerEvent(
        platform="kick",
        broadcast="b",
        at="",
        kind="ended" if ended else "sample",
        viewers=viewers,
    )
    begun = Row.new(event, 100 * MINUTE, timestamp, Rules(15, 2))
    begun.final = final
    return begun


def timers():
    return Timers(WAITS, {})


def restored(life, keys, now=0.0):
    """A partition comes back, with entries that a former time has left."""
    life._entries.update((key, BroadcastEntry(b"", None, 10.0**6)) for key in keys)
    for entry in life._entries.values():
        entry.heard_at = min(entry.heard_at, now)
    life.restored(now, now)


def committed(life, changed, heard=(), now=0.0, *, wall=None):
    """A batch has become durable: so its rows have entries, and what it deleted has none."""
    for key, row in changed.items():
        if row is None:
            life._entries.pop(key, None)
        else:
            life._entries.setdefault(key, BroadcastEntry(b""))
    life.committed(changed, set(heard), now, now if wall is None else wall)


def due(life, now, wall=None, most=100):
    return set(life.due(now, now if wall is None else wall, most))


def silent(life, key, a_row, now):
    return life.is_silent(key, a_row, now)


def looked_at(life, rows, now):
    """What a batch that has caught up does, but that nothing of it happens: who is silent."""
    keys = due(life, now)
    found = {key for key in keys if silent(life, key, rows[key], now)}
    for key in keys - found:
        life.reschedule(key, rows[key])
    return found


def test_a_silent_one_is_final_when_its_time_is_up_and_not_before():
    life, rows = timers(), {b"a": row()}
    committed(life, rows, [b"a"], 10.0)
    for now in (10.0, 100.0, 900.0, 1000.0):
        assert looked_at(life, rows, now) == set()
    assert looked_at(life, rows, 1010.0 + BUCKET_SECONDS) == {b"a"}


def test_an_end_brings_the_time_forward():
    life, rows = timers(), {b"a": row()}
    committed(life, rows, [b"a"], 0.0)
    assert looked_at(life, rows, 60.0) == set()
    rows = {b"a": row(ended=True)}
    committed(life, rows, [b"a"], 200.0)
    assert looked_at(life, rows, 299.0) == set()
    assert looked_at(life, rows, 300.0 + BUCKET_SECONDS) == {b"a"}


def test_a_record_puts_it_off():
    life, rows = timers(), {b"a": row(ended=True)}
    committed(life, rows, [b"a"], 0.0)
    committed(life, rows, [b"a"], 90.0)
    for now in (100.0, 105.0, 150.0):
        assert looked_at(life, rows, now) == set()
    assert looked_at(life, rows, 190.0 + BUCKET_SECONDS) == {b"a"}


def test_an_idle_record_puts_off_nothing_once_it_has_ended():
    life, rows = timers(), {b"a": row(ended=True)}
    committed(life, rows, [b"a"], 0.0)
    for now in (30.0, 60.0, 90.0):
        committed(life, rows, [], now)
    assert looked_at(life, rows, 100.0 + BUCKET_SECONDS) == {b"a"}


def test_a_restart_begins_to_wait_anew():
    life, rows = timers(), {b"a": row(ended=True), b"b": row()}
    restored(life, rows, 500.0)
    soon = 500.0 + BUCKET_SECONDS
    assert due(life, soon) == {b"a", b"b"}, "each is looked at once, for the wall clock's sake"
    for now in (soon, 549.0, 550.0 + BUCKET_SECONDS):
        assert looked_at(life, rows, now) == set()
    assert looked_at(life, rows, 600.0 + BUCKET_SECONDS) == {b"a"}
    committed(life, {b"a": row(ended=True, final=True)}, now=606.0)
    assert looked_at(life, rows, 1_490.0) == set()
    assert looked_at(life, rows, 1_500.0 + BUCKET_SECONDS) == {b"b"}


def test_a_fresh_row_is_looked_at_when_it_is_stale_and_a_final_one_when_it_goes():
    life, fresh = timers(), row(timestamp=100_000, viewers=1)
    restored(life, [b"a"])
    life.reschedule(b"a", fresh)
    assert due(life, 1.0, 159.0) == set()
    assert due(life, 1.0, 160.0 + BUCKET_SECONDS) == {b"a"}
    # It was told again meanwhile.
    again = row(timestamp=150_000, viewers=1)
    committed(life, {b"a": again}, [b"a"], 2.0, wall=150.0)
    assert due(life, 3.0, 166.0) == {b"a"}
    life.reschedule(b"a", again)
    assert due(life, 3.0, 209.0) == set()
    assert due(life, 3.0, 210.0 + BUCKET_SECONDS) == {b"a"}
    gone = row(timestamp=150_000, final=True)
    committed(life, {b"a": gone}, now=1_010.0, wall=1_160.0)
    assert due(life, LONG, 3_749.0) == set()
    assert due(life, LONG, 3_750.0 + BUCKET_SECONDS) == {b"a"}


def test_what_was_read_late_is_looked_at_when_it_is_stale_and_not_later():
    life = timers()
    old, young = row(timestamp=10_000, viewers=1), row(timestamp=1_000_000, viewers=1)
    committed(life, {b"old": old, b"young": young}, [b"old", b"young"], 0.0, wall=1_000.0)
    assert b"old" in due(life, 0.0, 1_000.0 + BUCKET_SECONDS)
    life.reschedule(b"young", young)
    assert b"young" not in due(life, 0.0, 1_059.0)
    assert b"young" in due(life, 0.0, 1_060.0 + BUCKET_SECONDS)


def test_a_row_that_is_not_fresh_waits_for_silence_alone_until_it_is_told_again():
    life, unknown = timers(), row(timestamp=100_000)
    committed(life, {b"a": unknown}, [b"a"], 0.0, wall=100.0)
    life.reschedule(b"a", unknown)
    assert due(life, 60.0, LONG) == set()
    told = row(timestamp=200_000, viewers=5)
    committed(life, {b"a": told}, [b"a"], 70.0, wall=200.0)
    assert due(life, 70.0, 249.0) == set()
    assert due(life, 70.0, 250.0 + BUCKET_SECONDS) == {b"a"}
    life.reschedule(b"a", told)
    assert due(life, 70.0, 259.0) == set()
    assert due(life, 70.0, 260.0 + BUCKET_SECONDS) == {b"a"}


def test_a_tombstone_goes_when_it_expires():
    life = timers()
    committed(life, {b"a": row()}, [b"a"], 0.0)
    committed(life, {b"a": EXPIRES}, now=20.0)
    assert due(life, 490.0) == set()
    assert due(life, 500.0 + BUCKET_SECONDS) == {b"a"}
    assert life.tombstone_is_expired(b"a", EXPIRES, 500.0 + BUCKET_SECONDS)
    committed(life, {b"a": None}, now=510.0)
    assert due(life, LONG) == set()


def test_a_restored_tombstone_is_put_off():
    life = timers()
    restored(life, [b"a"])
    assert due(life, BUCKET_SECONDS) == {b"a"}
    assert not life.tombstone_is_expired(b"a", EXPIRES, BUCKET_SECONDS)
    assert due(life, 490.0) == set()
    assert due(life, 500.0 + BUCKET_SECONDS) == {b"a"}


def test_a_step_of_the_wall_clock_makes_nothing_final_but_lets_tombstones_expire():
    life, live = timers(), row()
    committed(life, {b"a": live, b"b": EXPIRES}, [b"a"], 10.0)
    for wall in (10.0**9, -(10.0**9)):
        keys = due(life, 60.0, wall)
        assert (b"b" in keys) == (wall > 0)
        assert not silent(life, b"a", live, 60.0)
    assert life.tombstone_is_expired(b"b", EXPIRES, 10.0**9)


def test_one_that_was_final_and_goes_on_is_looked_at_when_it_is_stale():
    life = timers()
    committed(life, {b"a": row(final=True)}, now=10.0)
    assert due(life, 10.0) == set()
    told = row(timestamp=200_000, viewers=5)
    committed(life, {b"a": told}, [b"a"], 200.0)
    assert due(life, 200.0, 249.0) == set()
    assert due(life, 200.0, 250.0 + BUCKET_SECONDS) == {b"a"}
    assert due(life, 250.0 + BUCKET_SECONDS, 200.0) == {b"a"}


def test_of_many_those_that_were_not_heard_are_not_put_off():
    life = timers()
    rows = {b"heard": row(), b"late alone": row()}
    committed(life, rows, rows, 0.0)
    committed(life, rows, [b"heard"], 900.0)
    assert looked_at(life, rows, 1000.0 + BUCKET_SECONDS) == {b"late alone"}
    assert looked_at(life, rows, 1900.0 + BUCKET_SECONDS) >= {b"heard"}


def test_what_is_not_durable_is_left_alone():
    life, begun = timers(), row()
    assert not life.is_silent(b"a", begun, LONG)
    life.reschedule(b"a", begun)
    life.postpone(b"a", 0.0, 0.0)
    assert due(life, LONG) == set()


def test_no_more_at_once_than_asked_for():
    life = timers()
    changed = {b"%d" % number: row(ended=True) for number in range(25)}
    committed(life, changed, changed, 0.0)
    left = set(changed)
    for _ in range(3):
        some = due(life, 200.0, most=10)
        assert len(some) <= 10
        left -= some
        committed(life, dict.fromkeys(some, Tombstone(99, 10**9)), now=200.0)
        life.drop_empty_buckets(200.0, 200.0)
    assert not left


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"a", b"b"]),
            st.booleans(),
            st.booleans(),
            st.floats(0, 300, allow_nan=False),
        ),
        max_size=20,
    )
)
def test_never_early_and_late_by_little(steps):
    """Each key is final its wait after its last record that counts, or a little later."""
    life, now, rows, since, final = timers(), 0.0, {}, {}, {}

    def look():
        for key in looked_at(life, rows, now):
            final[key] = now
            assert now >= since[key] + WAITS.silence(rows[key])
            committed(life, {key: None}, now=now)
            del rows[key]
        life.drop_empty_buckets(now, now)

    for key, ended, idle, pause in steps:
        now += pause
        look()
        was_ended = key in rows and rows[key].ended_at is not None
        is_idle = idle and ended and was_ended
        rows[key] = row(ended=ended)
        if not is_idle:
            since[key] = now
        committed(life, {key: rows[key]}, [] if is_idle else [key], now)
    waiting = {key: since[key] + WAITS.silence(rows[key]) for key in rows}
    while rows and now < 5_000:
        now += 1.0
        look()
    assert not rows
    for key, deadline in waiting.items():
        assert final[key] <= deadline + BUCKET_SECONDS + 1.0
