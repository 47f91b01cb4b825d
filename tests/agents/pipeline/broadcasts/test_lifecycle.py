from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from agents.pipeline.broadcasts.lifecycle import BUCKET_SECONDS, Timers
from streams.audience import MINUTE, Row, Rules, Tombstone

EVENT = {"venue": None, "programme": None, "title": None, "joins": None, "views": None}


def row(*, ended=False):
    kind = "ended" if ended else "sample"
    event = SimpleNamespace(**EVENT, kind=kind, viewers=1, revision=0)
    return Row.new(event, 100 * MINUTE, 0, Rules(15, 2))


def wait(a_row):
    return 100.0 if a_row.ended_at is not None else 1000.0


def lifecycle():
    return Timers(wait, first_wait=50.0)


def due(life, now, most=100):
    return set(life.due(now, now, most))


def test_a_silent_one_is_final_when_its_time_is_up_and_not_before():
    life, live = lifecycle(), row()
    life.committed({b"a": live}, [b"a"], now=10.0)
    assert due(life, 10.0) == set()
    for now in (100.0, 900.0, 1000.0):
        assert not any(life.is_final(key, live, now) for key in due(life, now))
    now = 1010.0 + BUCKET_SECONDS
    assert due(life, now) == {b"a"}
    assert life.is_final(b"a", live, now)


def test_an_end_brings_the_time_forward():
    life, live = lifecycle(), row()
    life.committed({b"a": live}, [b"a"], now=0.0)
    assert not any(life.is_final(key, live, 60.0) for key in due(life, 60.0))
    ended = row(ended=True)
    life.committed({b"a": ended}, [b"a"], now=200.0)
    assert due(life, 299.0) == set()
    assert due(life, 300.0 + BUCKET_SECONDS) == {b"a"}
    assert life.is_final(b"a", ended, 300.0 + BUCKET_SECONDS)


def test_a_record_puts_it_off():
    life, ended = lifecycle(), row(ended=True)
    life.committed({b"a": ended}, [b"a"], now=0.0)
    life.committed({b"a": ended}, [b"a"], now=90.0)
    for now in (100.0, 105.0, 150.0):
        assert not any(life.is_final(key, ended, now) for key in due(life, now))
    assert due(life, 190.0 + BUCKET_SECONDS) == {b"a"}


def test_a_restart_begins_to_wait_anew():
    life, ended = lifecycle(), row(ended=True)
    life.restored([b"a", b"b"], now=500.0)
    assert due(life, 549.0) == set()
    now = 550.0 + BUCKET_SECONDS
    assert due(life, now) == {b"a", b"b"}
    assert not life.is_final(b"a", ended, now)
    assert not life.is_final(b"b", row(), now)
    assert due(life, 600.0 + BUCKET_SECONDS) == {b"a"}
    assert life.is_final(b"a", ended, 600.0 + BUCKET_SECONDS)


def test_a_tombstone_goes_when_it_expires():
    life, stone = lifecycle(), Tombstone(expires=500_000)
    life.committed({b"a": row()}, [b"a"], now=0.0)
    life.committed({b"a": stone}, [], now=20.0)
    assert due(life, 490.0) == set()
    assert due(life, 500.0 + BUCKET_SECONDS) == {b"a"}
    assert life.is_expired(b"a", stone, 500.0 + BUCKET_SECONDS)
    life.committed({b"a": None}, [], now=510.0)
    assert len(life) == 0
    assert due(life, 10_000.0) == set()


def test_a_restored_tombstone_is_put_off():
    life, stone = lifecycle(), Tombstone(expires=500_000)
    life.restored([b"a"], now=0.0)
    now = 50.0 + BUCKET_SECONDS
    assert not life.is_expired(b"a", stone, now)
    assert due(life, 490.0) == set()
    assert due(life, 500.0 + BUCKET_SECONDS) == {b"a"}


def test_a_step_of_the_wall_clock_makes_nothing_final_but_lets_tombstones_expire():
    life, live = lifecycle(), row()
    life.committed({b"a": live, b"b": Tombstone(expires=500_000)}, [b"a"], now=10.0)
    for wall in (10.0**9, -(10.0**9)):
        assert not any(
            life.is_final(key, live, 60.0) for key in life.due(60.0, wall, 10) if key == b"a"
        )
    assert set(life.due(60.0, 10.0**9, 10)) == {b"b"}
    assert life.is_expired(b"b", Tombstone(expires=500_000), 10.0**9)


def test_no_more_at_once_than_asked_for():
    life = lifecycle()
    changed = {b"%d" % number: row(ended=True) for number in range(25)}
    life.committed(changed, changed, now=0.0)
    left = set(changed)
    for _ in range(3):
        some = set(life.due(200.0, 200.0, 10))
        assert len(some) <= 10
        left -= some
        life.committed(dict.fromkeys(some, Tombstone(expires=10**9)), [], now=200.0)
        life.drop_empty_buckets(200.0, 200.0)
    assert not left


@given(
    st.lists(
        st.tuples(st.sampled_from([b"a", b"b"]), st.booleans(), st.floats(0, 300, allow_nan=False)),
        max_size=20,
    )
)
def test_never_early_and_late_by_little(steps):
    """Each key is final at its last record's time plus the wait, or a little after."""
    life, now, rows, read = lifecycle(), 0.0, {}, {}
    final = {}

    def look():
        for key in due(life, now):
            if key in rows and life.is_final(key, rows[key], now):
                final[key] = now
                assert now >= read[key] + wait(rows[key])
                life.committed({key: None}, [], now)
                del rows[key]
        life.drop_empty_buckets(now, now)

    for key, ended, pause in steps:
        now += pause
        look()
        rows[key], read[key] = row(ended=ended), now
        life.committed({key: rows[key]}, [key], now)
    waiting = {key: read[key] + wait(rows[key]) for key in rows}
    while rows and now < 5_000:
        now += 1.0
        look()
    assert not rows
    for key, deadline in waiting.items():
        assert final[key] <= deadline + BUCKET_SECONDS + 1.0
