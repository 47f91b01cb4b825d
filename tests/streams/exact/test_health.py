"""For how long a source was deaf, over its sessions."""

from streams.exact.health import HealthWatch


def test_silence_adds_up_over_sessions_and_one_answer_ends_it():
    watch = HealthWatch(100.0)
    watch.look(101.0, heard=True, restoring=False)
    assert watch.silent(101.0) == 0
    for now in (102.0, 110.0, 140.0):  # between two looks lies a pause before the next session
        watch.look(now, heard=False, restoring=False)
    assert watch.silent(141.0) == 40
    watch.look(142.0, heard=True, restoring=False)
    assert watch.silent(143.0) == 1


def test_a_restore_is_no_silence_nor_does_it_end_one():
    watch = HealthWatch(0.0)
    watch.look(10.0, heard=False, restoring=False)
    watch.look(1_000.0, heard=False, restoring=True)
    assert watch.silent(1_000.0) == 10
    watch.look(1_005.0, heard=False, restoring=False)
    assert watch.silent(1_005.0) == 15


def test_where_nobody_looks_any_more_it_is_silent():
    watch = HealthWatch(0.0)
    watch.look(1.0, heard=True, restoring=False)
    assert watch.silent(500.0) == 499
