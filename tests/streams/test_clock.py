import time

from streams.clock import ManualClock, SystemClock


def test_system_clock_is_that_of_the_machine():
    before = time.time()
    assert before <= SystemClock().time() <= time.time()


def test_manual_clock_stands_still_until_moved():
    clock = ManualClock(5.0)
    assert clock.time() == clock.time() == 5.0
    clock.advance(1.5)
    assert clock.time() == 6.5
    clock.now = 0.0
    assert clock.time() == 0.0


def test_a_step_lets_no_time_pass():
    clock = ManualClock(5.0)
    began = clock.monotonic()
    clock.step(3_600)
    assert (clock.time(), clock.monotonic() - began) == (3_605.0, 0.0)
    clock.advance(2.0)
    clock.advance(-10.0)
    assert (clock.time(), clock.monotonic() - began) == (3_597.0, 2.0)
    assert SystemClock().monotonic() <= SystemClock().monotonic()
