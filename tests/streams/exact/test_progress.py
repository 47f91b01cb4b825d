from hypothesis import given
from hypothesis import strategies as st

from streams.exact.progress import FRESH_SECONDS, FetchWatch, lag

SECONDS = st.floats(0, 1e6, allow_nan=False)


def test_an_answer_counts_with_and_without_records_and_whatever_the_wall_clock_does():
    watch = FetchWatch(100.0)
    watch.begin(1_000, 100.0)
    watch.look(1_000, 101.0)  # of before
    assert watch.age(101.0) is None
    assert not watch.is_fresh(101.0)
    assert watch.unanswered(101.0) == 1.0
    watch.look(1_100, 102.0)
    assert (watch.age(104.0), watch.unanswered(104.0)) == (2.0, 2.0)
    watch.look(-3_600_000, 105.0)  # the wall clock was set back
    assert (watch.age(105.0), watch.is_fresh(105.0)) == (0.0, True)
    watch.look(-3_600_000, 200.0)
    assert (watch.age(200.0), watch.is_fresh(200.0)) == (95.0, False)


def test_nothing_need_be_answered_while_records_are_processed():
    watch = FetchWatch(0.0)
    watch.begin(None, 0.0)
    watch.look(5, 1.0)
    watch.busy(60.0)
    assert watch.unanswered(61.0) == 1.0
    assert watch.age(61.0) == 60.0


def test_answers_from_before_a_seek_do_not_count():
    watch = FetchWatch(0.0)
    watch.look(5, 1.0)
    watch.begin(5, 10.0)
    assert watch.age(10.0) is None
    assert watch.unanswered(13.0) == 3.0


@given(st.lists(st.tuples(st.sampled_from(["answer", "look", "busy"]), SECONDS), max_size=30))
def test_unanswered_is_the_time_since_the_last_answer_or_the_last_work(steps):
    now, polled, last = 0.0, 0, 0.0
    answered = None
    watch = FetchWatch(now)
    watch.begin(polled, now)
    for what, pause in steps:
        now += pause
        if what == "answer":
            polled += 1
            last = answered = now
            watch.look(polled, now)
        elif what == "look":
            watch.look(polled, now)
        else:
            last = now
            watch.busy(now)
        assert watch.unanswered(now) == now - last
        assert watch.age(now) == (None if answered is None else now - answered)
        assert watch.is_fresh(now) == (answered is not None and now - answered <= FRESH_SECONDS)


TIMES = {"now": SECONDS, "caught_up": SECONDS, "wall": SECONDS, "oldest": st.none() | SECONDS}


@given(**TIMES, ever=st.booleans())
def test_nothing_waits_is_zero(now, caught_up, wall, oldest, ever):
    told = lag(
        waiting=0, oldest=oldest, now=now, wall=wall, caught_up_at=caught_up, ever_caught_up=ever
    )
    assert told == (0, 0.0)


@given(**TIMES, ever=st.booleans(), later=st.floats(0.1, 1e4))
def test_unknown_is_never_zero_and_ages(now, caught_up, wall, oldest, ever, later):
    caught_up = min(caught_up, now)
    wall += 1e7  # no record is of the future

    def told(passed):
        return lag(
            waiting=None,
            oldest=oldest,
            now=now + passed,
            wall=wall + passed,
            caught_up_at=caught_up,
            ever_caught_up=ever,
        )

    assert told(later).records is None
    assert told(later).seconds > 0
    assert told(2 * later).seconds > told(later).seconds


@given(**TIMES, waiting=st.integers(1, 10**12))
def test_what_waits_has_waited_no_longer_than_since_nothing_did(
    now, caught_up, wall, oldest, waiting
):
    caught_up = min(caught_up, now)
    told = lag(
        waiting=waiting,
        oldest=oldest,
        now=now,
        wall=wall,
        caught_up_at=caught_up,
        ever_caught_up=True,
    )
    assert told.records == waiting
    assert 0 <= told.seconds <= now - caught_up


def test_a_backlog_is_as_old_as_its_oldest_record():
    told = lag(
        waiting=7, oldest=400.0, now=50.0, wall=1_000.0, caught_up_at=45.0, ever_caught_up=False
    )
    assert told == (7, 600.0)
