import asyncio
import contextlib
import gc
import weakref

from streams.exact.errors import SessionLost, release_frames
from streams.exact.failure import Backoff


def test_pauses_double_up_to_the_longest_and_begin_anew_when_it_goes_on():
    backoff = Backoff(0.5, 3.0)
    pauses = [backoff.failed("no leader", now, 0.0).pause for now in range(5)]
    assert pauses == [0.5, 1.0, 2.0, 3.0, 3.0]
    backoff.went_on()
    assert backoff.failure is None
    assert backoff.failed("no leader", 9.0, 0.0).pause == 0.5


def test_a_failure_says_since_when_and_why():
    backoff = Backoff(1.0, 3.0)
    backoff.failed("no leader", 100.0, 1_800_000_000.0)
    described = backoff.failed("no replicas", 130.0, 1_800_000_030.0).described(160.0)
    assert described == "failing for 60 s (since 2027-01-15T08:00:00Z, 2 times): no replicas"


class Held:
    """Something large that a frame knows."""


def failing(made):
    batch = Held()
    made.append(weakref.ref(batch))
    lost = SessionLost("a transaction failed")
    known = [batch, lost]  # the circle: the frame knows the error, which knows the frame
    try:
        known.index(None)
    except ValueError as error:
        raise lost from error


def test_an_error_lets_go_of_what_its_frames_hold():
    made = []
    gc.disable()
    try:
        try:
            failing(made)
        except SessionLost as error:
            kept = error
            assert made[0]() is not None
            release_frames(error)
        assert made[0]() is None
        assert str(kept) == "a transaction failed"
    finally:
        gc.enable()


def test_without_it_a_batch_would_stay():
    made = []
    gc.disable()
    try:
        with contextlib.suppress(SessionLost):
            failing(made)
        assert made[0]() is not None
    finally:
        gc.enable()


async def test_what_has_caught_the_error_and_goes_on_is_left_alone():
    caught, go_on = asyncio.Event(), asyncio.Event()
    errors = []

    def fail():
        raise SessionLost("a request failed")

    async def task_of_a_client():
        try:
            fail()
        except SessionLost as error:
            errors.append(error)
        caught.set()
        await go_on.wait()
        return "went on"

    task = asyncio.ensure_future(task_of_a_client())
    await caught.wait()
    await asyncio.sleep(0)
    release_frames(errors[0])
    go_on.set()
    assert await asyncio.wait_for(task, 1) == "went on"
